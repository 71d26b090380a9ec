/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our choice of the driver's files against that of NVIDIA's container toolkit, as its CDI files
 * show it (tests/fixtures/cdi).  Every difference, in either direction, has its reason in a table
 * here; one without fails, and so does a reason without a difference.
 *
 * The machine is made of stubs; with arguments it is those driver roots, which hold packages that
 * tests/helpers/driver-root.sh has laid out (tests/e2e/gpu-files.bats does that).
 */
#include "../helpers/driver-tree.h"

#define V     "550.163.01"
#define LIST  "tests/fixtures/cdi/nvidia-ctk-1.20.txt"
#define LIBS  "/usr/lib/" TRIPLET
#define CUR   LIBS "/nvidia/current"
#define WORDS 512U

/* "lib NAME", "link NAME FILE", "program NAME", "file PATH", "socket PATH". */
struct reason {
	const char *pattern, *why;
	bool packages; /* seen with other packages than those of the list only */
};

static const struct reason theirs_alone[] = {
	{ "file /lib/firmware/nvidia/*", "the kernel loads it, nothing in a container does",
	  false },
	{ "program nvidia-persistenced", "a daemon, one for a host; its socket goes along", false },
	{ "link nvidia-drm_gbm.so *", "in a directory of its own: gpu_edits() makes it", false },
};

static const struct reason ours_alone[] = {
	{ "program nvidia-smi", "behind absolute links, which nvidia-ctk does not follow", false },
	{ "program nvidia-debugdump", "behind absolute links", false },
	{ "file /usr/share/nvidia/nvoptix.bin", "behind absolute links", false },
	{ "lib libnvidia-api.so.1", "behind absolute links, and without the version", false },
	{ "link libnvidia-egl-*.so.1 *", "a soname; theirs come from an ldconfig inside", false },
	{ "link libvdpau_nvidia.so *", "libvdpau asks for it outside of its own directory", false },
	{ "lib libnvidia-egl-*.so.1.*", "packages of another age", true },
	{ "lib libnvidia-vulkan-producer.so.535.*", "550 has none", true },
};

struct set {
	const char *v[WORDS];
	size_t n;
};

static void set_add(struct set *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i], key))
			return;
	if (s->n < WORDS)
		s->v[s->n++] = key;
}

static bool set_has(const struct set *s, const char *key)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i], key))
			return true;
	return false;
}

/* ---- theirs --------------------------------------------------------------------------- */

struct entry {
	bool link;
	const char *path, *other; /* path inside, or the link's target */
};
struct list {
	struct entry v[WORDS];
	size_t n;
};

/* @text with the version and the architecture in the place of @VERSION@ and @TRIPLET@. */
static const char *list_word(struct arena *a, const char *text, const char *version)
{
	static const char *const names[] = { "@VERSION@", "@TRIPLET@" };
	const char *const values[] = { version, TRIPLET };

	for (size_t i = 0; i < ELEMENTS(names); i++) {
		const char *at = strstr(text, names[i]);

		if (at)
			text = arena_printf(a, "%.*s%s%s", (int)(at - text), text, values[i],
					    at + strlen(names[i]));
	}
	return text;
}

static void list_read(struct arena *a, const char *version, struct list *ret)
{
	struct strv lines = { 0 };
	char *text = NULL;

	ret->n = 0;
	if (file_read_text(AT_FDCWD, LIST, a, 1U << 16, &text, NULL) < 0)
		return;
	str_split(a, text, '\n', &lines);
	for (size_t i = 0; i < lines.n && ret->n < WORDS; i++) {
		struct strv words = { 0 };

		str_split(a, lines.v[i], ' ', &words);
		if (words.n < 2 || lines.v[i][0] == '#')
			continue;
		ret->v[ret->n++] = (struct entry){
			.link = str_eq(words.v[0], "link"),
			.path = list_word(a, words.v[1], version),
			.other = list_word(a, words.v[words.n - 1], version),
		};
	}
}

/* The library to which a link of the list leads in the end. */
static const char *list_follow(const struct list *l, const char *target)
{
	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].link && str_eq(path_base(l->v[i].path), path_base(target)))
			return list_follow(l, l->v[i].other);
	return path_base(target);
}

static bool is_lib(const char *path)
{
	const char *base = path_base(path);

	return strncmp(base, "lib", 3) == 0 && strstr(base, ".so");
}

static const char *list_key(struct arena *a, const struct list *l, const struct entry *en)
{
	const char *base = path_base(en->path);

	if (en->link)
		return arena_printf(a, "link %s %s", base, list_follow(l, en->other));
	if (is_lib(en->path))
		return arena_printf(a, "lib %s", base);
	if (str_eq(base, "socket"))
		return arena_printf(a, "socket %s", en->other);
	if (str_after(en->path, "/usr/bin/") || str_after(en->path, "/usr/sbin/"))
		return arena_printf(a, "program %s", base);
	return arena_printf(a, "file %s", en->other);
}

/* ---- ours ----------------------------------------------------------------------------- */

static void our_set(struct arena *a, const struct gpu_driver *d, struct set *ret)
{
	static const char *const kinds[] = {
		[GPU_FILE_LIB] = "lib",
		[GPU_FILE_BIN] = "program",
		[GPU_FILE_DATA] = "file",
		[GPU_FILE_SOCKET] = "socket",
	};

	for (size_t i = 0; i < d->n_files; i++) {
		const struct gpu_file *f = &d->files[i];

		set_add(ret, arena_printf(a, "%s %s", kinds[f->kind],
					  f->kind == GPU_FILE_BIN ? path_base(f->dst) : f->dst));
		for (size_t k = 0; k < f->links.n; k++)
			set_add(ret, arena_printf(a, "link %s %s", f->links.v[k], f->dst));
	}
}

/* ---- the comparison ------------------------------------------------------------------- */

/* What is in @have and not in @other: each needs a reason. */
static void explain(const char *what, const struct set *have, const struct set *other,
		    const struct reason *reasons, size_t n, bool stubs)
{
	bool used[16] = { false };

	for (size_t i = 0; i < have->n; i++) {
		size_t k = 0;

		if (set_has(other, have->v[i]))
			continue;
		while (k < n && !str_glob(reasons[k].pattern, have->v[i]))
			k++;
		ok(k < n, "%s: %s: %s", what, have->v[i], k < n ? reasons[k].why : "no reason");
		if (k < n)
			used[k] = true;
	}
	for (size_t k = 0; stubs && k < n; k++)
		ok(used[k] || reasons[k].packages, "%s: \"%s\" still explains something", what,
		   reasons[k].pattern);
}

/* Is @path there, in a root where absolute links mean its own files? */
static bool is_there(const char *root, const char *path)
{
	_cleanup_fd_ int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_fd_ int file = fd < 0 ? -1 : root_open(fd, path, O_PATH, 0);

	return file >= 0;
}

/* The library to which a link of the list leads, or the path: is it among these packages? */
static bool is_packaged(const char *root, const struct list *l, const struct entry *en)
{
	if (!en->link)
		return is_there(root, en->path);
	for (size_t i = 0; i < l->n; i++)
		if (!l->v[i].link && str_eq(path_base(l->v[i].path), list_follow(l, en->other)))
			return is_there(root, l->v[i].path);
	return false;
}

static void compare(struct arena *a, const char *root, const struct gpu_driver *d,
		    const struct list *l, bool stubs)
{
	struct set ours = { .n = 0 }, theirs = { .n = 0 };
	size_t left_out = 0, same = 0;

	for (size_t i = 0; i < l->n; i++) {
		if (is_packaged(root, l, &l->v[i]))
			set_add(&theirs, list_key(a, l, &l->v[i]));
		else
			left_out++;
	}
	our_set(a, d, &ours);
	for (size_t i = 0; i < ours.n; i++)
		same += set_has(&theirs, ours.v[i]);
	diag("%s: %zu the same, of theirs %zu, of ours %zu; %zu of theirs not installed",
	     d->version, same, theirs.n, ours.n, left_out);
	ok(same > theirs.n / 2, "%s: most are the same", d->version);
	if (stubs)
		is_int(left_out, 0, "everything of the list is installed");
	explain("theirs alone", &theirs, &ours, theirs_alone, ELEMENTS(theirs_alone), stubs);
	explain("ours alone", &ours, &theirs, ours_alone, ELEMENTS(ours_alone), stubs);
}

/* ---- the machine of stubs ------------------------------------------------------------- */

/* The soname of a library of the list: the first link to it, else up to the first number. */
static const char *stub_soname(struct arena *a, const struct list *l, const char *base)
{
	const char *own = strstr(base, ".so.1.");

	for (size_t i = 0; i < l->n; i++)
		if (l->v[i].link && str_eq(l->v[i].other, base) &&
		    !strstr(l->v[i].path, "_indirect"))
			return path_base(l->v[i].path);
	return own ? arena_strndup(a, base, (size_t)(own - base) + 5) : base;
}

static void stub_install(struct tree *t, const struct list *l, const struct entry *en)
{
	const char *base = path_base(en->path);

	if (en->link && !is_lib(en->path))
		return;
	if (en->link)
		tree_link(t, en->path, en->other);
	else if (is_lib(en->path))
		tree_lib(t, en->path, stub_soname(t->a, l, base));
	else if (str_eq(base, "socket"))
		tree_socket(t, en->path);
	else if (str_after(en->path, "/usr/bin/") || str_after(en->path, "/usr/sbin/"))
		tree_program(t, en->path, LD_SO);
	else
		tree_text(t, en->path, "data");
}

static void test_stubs(struct arena *a, struct list *l)
{
	static const char *const programs[] = { "nvidia-smi", "nvidia-debugdump" };
	struct gpu_driver d;
	struct tree t;

	tree_new(&t, a);
	list_read(a, V, l);
	ok(l->n > 60, "%s: %zu entries", LIST, l->n);
	for (size_t i = 0; i < l->n; i++)
		stub_install(&t, l, &l->v[i]);
	for (size_t i = 0; i < ELEMENTS(programs); i++) {
		const char *real = arena_printf(a, "/usr/lib/nvidia/current/%s", programs[i]);

		tree_program(&t, real, LD_SO);
		tree_link(&t, arena_printf(a, "/etc/alternatives/%s", programs[i]), real);
		tree_link(&t, arena_printf(a, "/usr/bin/%s", programs[i]),
			  arena_printf(a, "/etc/alternatives/%s", programs[i]));
	}
	tree_text(&t, CUR "/nvoptix.bin", "data");
	tree_link(&t, "/usr/share/nvidia/nvoptix.bin", CUR "/nvoptix.bin");
	tree_lib(&t, CUR "/libnvidia-api.so.1", "libnvidia-api.so.1");
	tree_link(&t, LIBS "/libnvidia-api.so.1", CUR "/libnvidia-api.so.1");
	d = tree_look(&t, V, GPU_CAP_ALL);
	if (ok(d.version != NULL, "a driver is found"))
		compare(a, t.path, &d, l, true);
	tree_free(&t);
}

static void test_packages(struct arena *a, const char *path, struct list *l)
{
	struct sysroot root = { open(path, O_PATH | O_DIRECTORY | O_CLOEXEC), path };
	struct gpu_driver d = { 0 };
	struct err e = { 0 };

	ok(root.fd >= 0 && gpu_driver_look(a, &root, NULL, GPU_CAP_ALL, &d, &e) == 0 && d.version,
	   "%s: a driver is found (%s)", path, e.msg);
	if (d.version) {
		list_read(a, d.version, l);
		compare(a, path, &d, l, false);
	}
	fd_close(root.fd);
}

int main(int argc, char **argv)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct list *list = ARENA_NEW(a, struct list);

	if (argc < 2)
		test_stubs(a, list);
	for (int i = 1; i < argc; i++)
		test_packages(a, argv[i], list);
	return done_testing();
}
