/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CUDA's forward compatibility: an image may bring the libcuda of a newer driver, which works
 * with the kernel module of an older one, on data-centre GPUs (elsewhere cuInit() says 804).
 *
 * The note in that libcuda names the branches that it was tested with.  Its bytes are the
 * image's: they decide between two libraries, nothing else, and only the list of numbers is
 * looked for; a JSON parser would be a library to load for one line.
 */
#include <ctype.h>

#include <gpurun/str.h>

#include "inject.h"
#include "ldcache.h"

#define COMPAT_NUMBER_MAX 1000000U

/* What programs and libcuda itself open by name (dlopen), and which files of the directory it is. */
static const struct compat_row {
	const char *prefix, *soname;
} compat_rows[] = {
	{ "libcuda.so.", "libcuda.so.1" },
	{ "libcudadebugger.so.", "libcudadebugger.so.1" },
	{ "libnvidia-nvvm.so.", "libnvidia-nvvm.so.4" },
	{ "libnvidia-ptxjitcompiler.so.", "libnvidia-ptxjitcompiler.so.1" },
};

/* GPUs on which it never works; all others are tried. */
static const char *const compat_refused[] = { "GeForce", "TITAN" };

const char *compat_soname(const char *name)
{
	for (size_t i = 0; i < ELEMENTS(compat_rows); i++)
		if (str_after(name, compat_rows[i].prefix))
			return compat_rows[i].soname;
	return NULL;
}

/* "575.57.08": at least two numbers. */
static bool is_version(const char *s)
{
	bool dot = false;

	if (!isdigit((unsigned char)*s))
		return false;
	for (; *s; s++) {
		dot |= *s == '.';
		if (!isdigit((unsigned char)*s) && (*s != '.' || !isdigit((unsigned char)s[1])))
			return false;
	}
	return dot;
}

const char *compat_version(struct arena *a, const struct strv *files)
{
	const char *found = NULL;

	for (size_t i = 0; i < files->n; i++) {
		const char *version = str_after(path_base(files->v[i]), "libcuda.so.");

		if (!version || !is_version(version))
			continue;
		if (found)
			return NULL; /* which of them is meant? */
		found = version;
	}
	return found ? arena_strdup(a, found) : NULL;
}

/* The decimal number at *@s, cut off at COMPAT_NUMBER_MAX; *@s behind it. */
static unsigned int take_number(const char **s)
{
	unsigned int v = 0;

	for (; isdigit((unsigned char)**s); (*s)++)
		v = v >= COMPAT_NUMBER_MAX ? v : v * 10 + (unsigned int)(**s - '0');
	return v;
}

bool compat_note_lists(const char *note, unsigned int major)
{
	static const char blank[] = " \t\r\n";
	const char *s = strstr(note, "\"driver\"");

	if (!s)
		return false;
	s += strlen("\"driver\"");
	s += strspn(s, blank);
	if (*s++ != ':')
		return false;
	s += strspn(s, blank);
	if (*s++ != '[')
		return false;
	for (;;) {
		s += strspn(s, blank);
		if (!isdigit((unsigned char)*s))
			return false;
		if (take_number(&s) == major)
			return true;
		s += strspn(s, blank);
		if (*s++ != ',')
			return false;
	}
}

static bool is_refused(const struct gpu *g)
{
	for (size_t i = 0; i < ELEMENTS(compat_refused); i++)
		if ((g->model && strstr(g->model, compat_refused[i])) ||
		    (g->nvml.known && g->nvml.brand && str_after(g->nvml.brand, compat_refused[i])))
			return true;
	return false;
}

/* By itself: a newer library whose note names our branch, or has no note and is of a newer branch. */
static bool is_made_for(const char *version, const char *note, const char *driver)
{
	const char *s = driver, *t = version;
	unsigned int major = take_number(&s), compat_major = take_number(&t);

	if (note)
		return compat_note_lists(note, major) && ldcache_compare(version, driver) > 0;
	return major < compat_major;
}

bool compat_applies(struct arena *a, enum gpu_compat mode, const struct image_abi *abi,
		    const char *driver, const struct gpu_choices *chosen)
{
	const char *version = compat_version(a, &abi->compat);

	if (mode == GPU_COMPAT_NEVER || !version)
		return false;
	if (mode == GPU_COMPAT_ALWAYS)
		return true;
	for (size_t i = 0; i < chosen->n; i++)
		if (is_refused(chosen->v[i].gpu))
			return false;
	return driver && is_made_for(version, abi->compat_note, driver);
}
