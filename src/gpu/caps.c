/* SPDX-License-Identifier: Apache-2.0 */
/* Driver capabilities, as NVIDIA_DRIVER_CAPABILITIES names them. */
#include <errno.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>

#define CAPS_NAMES "compute, utility, video, graphics, display, ngx, compat32, all"

static const struct cap_row {
	const char *name;
	uint32_t caps; /* with those that it needs */
} cap_rows[] = {
	{ "compute", GPU_CAP_COMPUTE },
	{ "utility", GPU_CAP_UTILITY },
	{ "video", GPU_CAP_VIDEO | GPU_CAP_COMPUTE },
	{ "graphics", GPU_CAP_GRAPHICS },
	{ "display", GPU_CAP_DISPLAY | GPU_CAP_GRAPHICS },
	{ "ngx", GPU_CAP_NGX },
	{ "compat32", GPU_CAP_COMPAT32 },
	{ "all", GPU_CAP_ALL },
};

/* The row of the @n characters at @s. */
static const struct cap_row *caps_find(const char *s, size_t n)
{
	for (size_t i = 0; i < ELEMENTS(cap_rows); i++)
		if (strlen(cap_rows[i].name) == n && strncmp(cap_rows[i].name, s, n) == 0)
			return &cap_rows[i];
	return NULL;
}

int gpu_caps_parse(const char *text, uint32_t *ret, struct err *e)
{
	uint32_t caps = 0;

	for (const char *s = text;; s++) {
		size_t n = strcspn(s, ",");
		const struct cap_row *row = caps_find(s, n);

		if (!row) {
			err_set(e, EINVAL, "%.*s: no driver capability", n > 64 ? 64 : (int)n, s);
			err_hint(e, "there are " CAPS_NAMES);
			return -EINVAL;
		}
		caps |= row->caps;
		s += n;
		if (!*s)
			break;
	}
	*ret = caps;
	return 0;
}

const char *gpu_caps_text(struct arena *a, uint32_t caps)
{
	const char *text = "";

	for (size_t i = 0; i + 1 < ELEMENTS(cap_rows); i++)
		if (caps & cap_rows[i].caps && (caps & cap_rows[i].caps) == cap_rows[i].caps)
			text = arena_printf(a, "%s%s%s", text, *text ? "," : "", cap_rows[i].name);
	return text;
}
