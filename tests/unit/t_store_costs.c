/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a hostile image may cost whoever looks after a store: verify, prune, rm and images.  Bytes
 * that are hashed and pages that are touched are counted, not seconds.
 */
#include <sys/resource.h>

#include "../../src/store/seen.h"

/* verify.c hashes each path that it looks up. */
static uint64_t hashed;

static uint64_t count_hash(const uint64_t key[2], const void *data, size_t n)
{
	hashed += n;
	return siphash(key, data, n);
}
#define siphash count_hash
#include "../../src/store/verify.c"
#undef siphash

#include "bed.h"
#include "stores.h"

#if defined(__SANITIZE_ADDRESS__)
#define WITH_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ASAN 1
#endif
#endif

/* KiB that a walk may touch; the sanitizer has an eighth of what it reserves in books of its own. */
#ifdef WITH_ASAN
#define WALK_TOUCHES (40 << 10)
#else
#define WALK_TOUCHES (8 << 10)
#endif

/* Run in a child, whose memory is counted from nothing; its exit status, or 256 when it was ended. */
static int in_child(int (*run)(const void *arg), const void *arg)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(run(arg));
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 256;
}

/* ---- verify ----------------------------------------------------------------------------- */

static const char *last_why = "";

static void report(void *arg, const char *what, const char *why)
{
	(void)arg;
	(void)what;
	last_why = text_of("%s", why);
}

static int look(const struct bed *b)
{
	const struct place p = { .fd = b->top };
	struct check c = { .fs = -1, .report = report, .arena = arena_new(0) };

	hashed = 0;
	(void)check_directory(&c, &p, ".", ".");
	arena_free(c.arena);
	return c.damaged;
}

/* @n files at the end of a path of @depth directories. */
static struct bytes files_deep(int n, int depth)
{
	const char *deep = repeat("d/", depth);
	struct bytes t = { 0 };

	for (int i = 0; i < n; i++) {
		const char *name = text_of("%s%d", deep, i);
		struct bytes pax = { 0 };

		pax_add(&pax, "path", name, strlen(name));
		tar_header(&t, "pax", 'x', 0644, 0, "", pax.n);
		tar_pad(&t, pax.p, pax.n);
		tar_add(&t, "f", '0', NULL, bytes_of("x"));
	}
	tar_end(&t);
	return t;
}

static uint64_t cost_of_depth(int depth)
{
	struct bed b;

	bed_one(&b, files_deep(400, depth));
	is_int(b.r, 0, "400 files %d deep: %s", depth, b.e.msg);
	is_int(look(&b), 0, "are whole");
	bed_end(&b);
	return hashed;
}

static void test_depth(void)
{
	uint64_t one = cost_of_depth(60), two = cost_of_depth(120);

	ok(one > 0 && 10 * two < 23 * one,
	   "verify hashes %llu bytes of them, %llu of twice as many", (unsigned long long)one,
	   (unsigned long long)two);
}

/* Each path would want a thousand directories that the list does not name. */
static void test_forged_list(void)
{
	const struct listing_header done = { .entries = 100 };
	struct listing_entry e = { .type = LISTING_FILE };
	struct listing_writer w;
	struct bed b;

	bed_begin(&b);
	if (ftruncate(b.list, 0) < 0 || listing_begin(b.a, b.list, &w) < 0)
		die("list");
	for (int i = 0; i < 100; i++) {
		e.path = text_of("%d/%s", i, repeat("d/", 2000));
		if (listing_add(&w, &e) < 0)
			die("list");
	}
	if (listing_end(&w, &done) < 0)
		die("list");
	is_int(look(&b), 1, "a list whose paths hang in the air");
	is_str(last_why, "the list is damaged", "is damaged, and no more");
	bed_end(&b);
}

static int look_small(const void *arg)
{
	const struct rlimit room = { (rlim_t)4 << 30, (rlim_t)4 << 30 };
	const struct bed *b = arg;

	if (setrlimit(RLIMIT_AS, &room) < 0)
		return 99;
	return look(b);
}

static void test_small_room(void)
{
	struct bed b;

	bed_one(&b, layer_of("f a/b 1"));
#ifdef WITH_ASAN
	skip("the sanitizer needs all of the address space");
#else
	is_int(in_child(look_small, &b), 0,
	       "verify of a small tree in 4 GiB of address space, most of them taken");
#endif
	bed_end(&b);
}

/* ---- walk ------------------------------------------------------------------------------- */

static int count_entry(void *arg, const struct walk_entry *e)
{
	(void)e;
	++*(int *)arg;
	return 0;
}

static long peak(void)
{
	struct rusage u;

	return getrusage(RUSAGE_SELF, &u) < 0 ? 0 : u.ru_maxrss;
}

#define WIDE 20000
#define LONG 14

static int walk_wide(const void *arg)
{
	long before = peak();
	int n = 0;

	if (walk_tree(*(const int *)arg, count_entry, &n) < 0 || n != WIDE + LONG)
		return 1;
	diag("%ld KiB for %d directories that wait", peak() - before, WIDE);
	return peak() - before < WALK_TOUCHES ? 0 : 2;
}

/* Twenty thousand directories that wait, each with a path of three and a half KiB. */
static void test_walk(void)
{
	const char *name = repeat("n", 250);
	char *path = quick_dir();
	int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = dup(top);

	for (int i = 0; i < LONG; i++) {
		int sub = mkdirat(fd, name, 0755) < 0 ? -1 : openat(fd, name, O_RDONLY | O_CLOEXEC);

		close(fd);
		fd = sub;
	}
	for (int i = 0; i < WIDE; i++) {
		if (mkdirat(fd, text_of("%d", i), 0755) < 0)
			die("mkdir");
	}
	close(fd);
	is_int(in_child(walk_wide, &top), 0, "what waits of a walk is names");
	close(top);
	temp_remove(path);
}

/* ---- records ---------------------------------------------------------------------------- */

#define LARGE_RECORDS 20
#define LARGE_LABEL   3900000

/* Images that differ in their id only, with as many labels as a configuration may have. */
static void make_records(struct bench *b)
{
	struct record rec = { .boot = RECORD_SETTLED };
	const char *text;
	size_t len;

	rec.image.form = IMAGE_FORM_LAYERS;
	strv_push(b->a, &rec.lowers, text_of("%064d", 7));
	strv_push(b->a, &rec.image.config.labels, text_of("x=%s", repeat("y", LARGE_LABEL)));
	for (int i = 0; i < LARGE_RECORDS; i++) {
		snprintf(rec.image.id, sizeof(rec.image.id), "%04d%060d", i, 1);
		rec.image.name = text_of("large:%d", i);
		text = record_format(b->a, &rec, &len);
		bench_file(b, text_of("store/v1/images/%s", rec.image.id),
			   changed(bytes_zero(len), 0, text, len));
	}
}

/* With an arena as a command has it. */
static int use_records(const void *arg)
{
	const struct bench *b = arg;
	struct arena *a = arena_new(0);
	struct store_pruned p = { 0 };
	struct store_entry *v = NULL;
	struct image image;
	struct err e = { 0 };
	size_t n = 0;

	if (store_list(b->s, a, &v, &n, &e) < 0 || n != LARGE_RECORDS)
		return 1;
	if (store_find(b->s, a, "0003", &image) < 0 || image.config.labels.n != 1 ||
	    strlen(image.config.labels.v[0]) != LARGE_LABEL + 2)
		return 2;
	if (store_remove(b->s, a, "0003", &e) < 0 || store_find(b->s, a, "0003", &image) == 0)
		return 3;
	if (store_prune(b->s, a, false, &p, &e) < 0 || p.images != 0)
		return 4;
	return store_prune(b->s, a, true, &p, &e) < 0 || p.images != LARGE_RECORDS - 1 ? 5 : 0;
}

static void test_records(void)
{
	struct bench b;

	bench_begin(&b);
	make_records(&b);
	is_int(in_child(use_records, &b), 0, "images, rm and prune of %d records of 3.9 MB",
	       LARGE_RECORDS);
	bench_end(&b);
}

int main(void)
{
	const struct log_config quiet = { .quiet = true };
	struct err e = { 0 };

	log_setup(&quiet);
	umask(022);
	if (unpack_load(&e) < 0 || crc_load(&e) < 0)
		die(e.msg);
	test_depth();
	test_forged_list();
	test_small_room();
	test_walk();
	test_records();
	return done_testing();
}
