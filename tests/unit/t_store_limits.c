/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The limits of the unpack worker, each at the limit and one above, with its words; and that work
 * grows no faster than the archive: what is counted is system calls, of archives of one and of two
 * times a size.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "../../src/store/special.h"
#include "../../src/store/view.h"
#include "bed.h"
#include "forms.h"

/* ---- limits ----------------------------------------------------------------------------- */

static void takes(struct bytes layer, const char *what)
{
	struct bed b;

	bed_one(&b, layer);
	ok(b.r == 0, "%s: taken %s", what, b.e.msg);
	bed_end(&b);
}

static void refuses(struct bytes layer, const char *words, const char *what)
{
	struct bed b;

	bed_one(&b, layer);
	ok(b.r < 0 && strstr(b.e.msg, words), "%s: refused: %s", what, b.e.msg);
	bed_end(&b);
}

/* A pax header with these records, a file behind it. */
static struct bytes tar_behind(struct bytes pax)
{
	struct bytes t = { 0 };

	tar_header(&t, "pax", 'x', 0644, 0, "", pax.n);
	tar_pad(&t, pax.p, pax.n);
	tar_add(&t, "a", '0', NULL, bytes_of("1"));
	tar_end(&t);
	return t;
}

/* A pax header of @n bytes, one comment. */
static struct bytes pax_of(size_t n)
{
	struct bytes pax = { 0 };
	size_t rest = n - strlen("1048576 comment=\n");
	struct bytes value = bytes_zero(rest);

	memset(value.p, 'c', rest);
	pax_add(&pax, "comment", value.p, rest);
	if (pax.n != n)
		die("pax_of");
	return tar_behind(pax);
}

static struct bytes xattrs_of(int n)
{
	struct bytes pax = { 0 };

	for (int i = 0; i < n; i++)
		pax_add(&pax, text_of("SCHILY.xattr.user.%d", i), "", 0);
	return tar_behind(pax);
}

static struct bytes long_name_of(size_t n)
{
	struct bytes t = { 0 }, name = bytes_zero(n);

	memset(name.p, 'n', n);
	tar_header(&t, "././@LongLink", 'L', 0, 0, "", n);
	tar_pad(&t, name.p, n);
	tar_add(&t, "a", '0', NULL, bytes_of("1"));
	tar_end(&t);
	return t;
}

/* A map of @n pieces without contents in front of nothing (sparse 1.0). */
static struct bytes map_of(size_t n)
{
	const char *head = text_of("%zu\n", n);
	struct bytes map = { 0 };

	bytes_add(&map, head, strlen(head));
	for (size_t i = 0; i < n; i++)
		bytes_add(&map, "0\n0\n", 4);
	while (map.n % 512)
		bytes_add(&map, "\0", 1);
	{
		struct bytes t = { 0 }, pax = { 0 };

		pax_add(&pax, "GNU.sparse.major", "1", 1);
		pax_add(&pax, "GNU.sparse.minor", "0", 1);
		pax_add(&pax, "GNU.sparse.name", "s", 1);
		pax_add(&pax, "GNU.sparse.realsize", "0", 1);
		tar_header(&t, "pax", 'x', 0644, 0, "", pax.n);
		tar_pad(&t, pax.p, pax.n);
		tar_add(&t, "s", '0', NULL, map);
		tar_end(&t);
		return t;
	}
}

static struct bytes size_of(uint64_t size)
{
	return layer_of(text_of("x GNU.sparse.size %llu; x GNU.sparse.numblocks 1;"
				"x GNU.sparse.map 0,1; f s a",
				(unsigned long long)size));
}

/* A header that only claims its size. */
static struct bytes claims(char type, const char *size)
{
	struct bytes t = { 0 };

	tar_header(&t, "x", type, 0644, 0, "", 0);
	memcpy(t.p + 124, size, 12);
	summed(t);
	return bytes_join(t, bytes_zero(4096));
}

static void test_headers(void)
{
	takes(pax_of(SPECIAL_MAX), "CVE-2022-2879 a pax header of 1 MiB");
	refuses(pax_of(SPECIAL_MAX + 1), "a header of more than 1048576 bytes",
		"CVE-2022-2879 one byte more");
	refuses(claims('x', "20000000000"), "a header of more than", "S11 a pax header of 2 GiB");
	refuses(claims('g', "20000000000"), "a header of more than", "S11 a global one");
	refuses(claims('L', "77777777777"), "a header of more than", "S11 a long name of 8 GiB");
	refuses(claims('x', "\x80\0\0\0\x7f\xff\xff\xff\xff\xff\xff\xff"), "a header of more than",
		"S11 a pax header of 8 EiB");
	refuses(long_name_of(SPECIAL_MAX), "too long", "a long name of 1 MiB");
	refuses(long_name_of(SPECIAL_MAX + 1), "a header of more than 1048576 bytes",
		"one byte more");
	takes(xattrs_of(SPECIAL_XATTRS_MAX), "S10 1024 attributes");
	refuses(xattrs_of(SPECIAL_XATTRS_MAX + 1), "an entry with more than 1024",
		"S10 one attribute more");
	takes(map_of(TAR_HEADERS_MAX / 4 - 20000), "CVE-2025-58183 a map of almost 4 MiB");
	refuses(map_of(TAR_HEADERS_MAX / 4 + 5000), "more than 4 MiB of headers",
		"CVE-2025-58183 a map of more");
	takes(size_of(UNPACK_FILE_MAX), "a file of 1 TiB, a hole");
	refuses(size_of(UNPACK_FILE_MAX + 1), "File too large", "one byte more");
}

/* The limit is far away, so the count begins close to it. */
static void entries_of(struct bytes layer, uint64_t from, const char *words, const char *what)
{
	struct memory m = { .b = layer, .step = 512 };
	const struct tar_input in = { memory_read, &m };
	_Atomic uint64_t entries = from;
	struct bed b;

	bed_begin(&b);
	b.r = unpack_layer(b.a, &b.t, &in, &entries, &b.skipped, &b.e);
	if (words)
		ok(b.r == -E2BIG && strstr(b.e.msg, words), "%s: refused: %s", what, b.e.msg);
	else
		ok(b.r == 0, "%s: taken %s", what, b.e.msg);
	bed_finish(&b);
	bed_end(&b);
}

static void entries_from(uint64_t from, const char *spec, const char *words, const char *what)
{
	entries_of(layer_of(spec), from, words, what);
}

static void test_entries(void)
{
	const char *words = text_of("the image has more than %u entries", UNPACK_ENTRIES_MAX);

	entries_from(UNPACK_ENTRIES_MAX - 2, "f a 1; f b 2", NULL, "S9 10 million entries");
	entries_from(UNPACK_ENTRIES_MAX - 2, "f a 1; f b 2; f c 3", words, "S9 one more");
	entries_from(UNPACK_ENTRIES_MAX - 5, "f a/b/c/d 1; f e 2", NULL,
		     "directories on the way count");
	entries_from(UNPACK_ENTRIES_MAX - 5, "f a/b/c/d 1; f e 2; f f 3", words,
		     "directories on the way count: one more");
	entries_from(UNPACK_ENTRIES_MAX - 1, "f a 1; f .wh.b", words, "whiteouts count");
}

/* ---- work ------------------------------------------------------------------------------- */

/* struct work - an image of size @n; of the second layer only is it counted what it costs */
struct work {
	const char *what;
	void (*make)(int n, struct bytes layers[2]);
	int n;
};

static void add(struct bytes *t, const char *name)
{
	tar_add(t, name, '0', NULL, (struct bytes){ 0 });
}

static void files_below(int n, struct bytes *t)
{
	tar_add(t, "d", '5', NULL, (struct bytes){ 0 });
	for (int i = 0; i < n; i++)
		add(t, text_of("d/%d", i));
	tar_end(t);
}

static void make_opaque(int n, struct bytes layers[2])
{
	files_below(n, &layers[0]);
	for (int i = 0; i < n; i++) {
		add(&layers[1], text_of("d/n%d", i));
		add(&layers[1], "d/.wh..wh..opq");
		add(&layers[1], ".wh.d");
	}
}

static void make_whiteouts(int n, struct bytes layers[2])
{
	files_below(n, &layers[0]);
	tar_add(&layers[1], "d", '5', NULL, (struct bytes){ 0 });
	for (int i = 0; i < n; i++)
		add(&layers[1], text_of("d/.wh.%d", i));
}

static void make_links(int n, struct bytes layers[2])
{
	files_below(1, &layers[0]);
	add(&layers[1], "first");
	for (int i = 0; i < n; i++)
		tar_add(&layers[1], text_of("l%d", i), '1', "first", (struct bytes){ 0 });
}

static void make_over(int n, struct bytes layers[2])
{
	files_below(n, &layers[0]);
	for (int i = 0; i < n; i++) {
		tar_add(&layers[1], "d", i % 2 ? '5' : '0', NULL, (struct bytes){ 0 });
		if (i % 2)
			add(&layers[1], text_of("d/%d", i));
	}
}

/* Forty links in a row, and another directory in between, so that nothing is remembered. */
static void make_chains(int n, struct bytes layers[2])
{
	files_below(1, &layers[0]);
	for (int i = 0; i < 40; i++)
		tar_add(&layers[1], text_of("c%d", i), '2', text_of("c%d", i + 1),
			(struct bytes){ 0 });
	tar_add(&layers[1], "c40", '5', NULL, (struct bytes){ 0 });
	tar_add(&layers[1], "e", '5', NULL, (struct bytes){ 0 });
	for (int i = 0; i < n; i++)
		add(&layers[1], text_of("%s/%d", i % 2 ? "c0" : "e", i));
}

/* Whiteouts in many directories at the end of a long path, one of them opaque. */
static void make_deep(int n, struct bytes layers[2])
{
	const char *deep = repeat("d/", 40);

	files_below(1, &layers[0]);
	for (int i = 0; i < n; i++) {
		add(&layers[1], text_of("%s%d/x", deep, i));
		add(&layers[1], text_of("%s%d/.wh.y", deep, i));
	}
	add(&layers[1], "o/x");
	add(&layers[1], "o/.wh..wh..opq");
}

static void make_times(int n, struct bytes layers[2])
{
	files_below(1, &layers[0]);
	for (int i = 0; i < n; i++)
		tar_add(&layers[1], "a", '5', NULL, (struct bytes){ 0 });
}

/* Both layers, flat or the upper one by itself; the child stops in front of what is counted. */
static void unpack_counted(const struct bytes layers[2], bool overlay)
{
	char *path = quick_dir();
	int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct form_result res;

	ptrace(PTRACE_TRACEME, 0, NULL, NULL);
	raise(SIGSTOP);
	res = form_unpack(top, "t", overlay ? layers + 1 : layers, overlay ? 1 : 2, overlay);
	_exit(res.r == 0 ? 0 : 1);
}

/* The system calls of a child from its stop to its end; 0 when it failed. */
static long calls_of(const struct bytes layers[2], bool overlay)
{
	long stops = 0;
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		unpack_counted(layers, overlay);
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		stops++;
		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) < 0)
			break;
	}
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? stops / 2 : 0;
}

static long calls_for(const struct work *w, int n, bool overlay)
{
	struct bytes layers[2] = { { 0 }, { 0 } };

	w->make(n, layers);
	tar_end(&layers[1]);
	return calls_of(layers, overlay);
}

static void test_work(void)
{
	static const struct work works[] = {
		{ "W23 GHSA-rp3h opaque marks and whiteouts of one directory", make_opaque, 200 },
		{ "whiteouts", make_whiteouts, 200 },
		{ "hard links to one file", make_links, 300 },
		{ "a directory and a file in turns", make_over, 200 },
		{ "chains of links as parents", make_chains, 60 },
		{ "whiteouts deep below", make_deep, 60 },
		{ "a directory described again and again", make_times, 300 },
	};

	for (size_t i = 0; i < 2 * sizeof(works) / sizeof(works[0]); i++) {
		const struct work *w = &works[i / 2];
		bool overlay = i % 2;
		long one = calls_for(w, w->n, overlay), two = calls_for(w, 2 * w->n, overlay);

		ok(one > w->n && two > one && 10 * two < 23 * one,
		   "%s, %s: %ld system calls, %ld of twice as many", w->what,
		   overlay ? "a layer" : "flat", one, two);
	}
}

/* The same judge over work that does grow with the square. */
static void make_square(int n, struct bytes layers[2])
{
	make_links(n * n / 50, layers);
}

static void test_judge(void)
{
	const struct work square = { "control", make_square, 50 };
	long one = calls_for(&square, 50, false), two = calls_for(&square, 100, false);

	ok(10 * two >= 23 * one, "the square is found: %ld, %ld", one, two);
}

/* Searching the directory for every mark would be 800 million looks, and the test minutes long. */
static void test_linear(void)
{
	const int n = 20000;
	struct bytes files = { 0 }, opaque = { 0 };
	struct bed b;

	tar_add(&files, "d", '5', NULL, (struct bytes){ 0 });
	for (int i = 0; i < n; i++) {
		tar_add(&files, text_of("d/%d", i), '0', NULL, (struct bytes){ 0 });
		tar_add(&opaque, text_of("d/n%d", i), '0', NULL, (struct bytes){ 0 });
		tar_add(&opaque, "d/.wh..wh..opq", '0', NULL, (struct bytes){ 0 });
		tar_add(&opaque, ".wh.d", '0', NULL, (struct bytes){ 0 });
	}
	tar_end(&files);
	tar_end(&opaque);
	bed_begin(&b);
	bed_add(&b, files, false);
	bed_add(&b, opaque, true);
	bed_finish(&b);
	is_int(b.r, 0, "W23 %d opaque marks and whiteouts of one directory", n);
	{
		const struct view v = { .fs = { b.root }, .n = 1 };
		size_t layer, wrong = 0;
		struct stat st;

		for (int i = 0; i < n; i++)
			wrong += view_stat(&v, text_of("d/%d", i), &st, &layer) != -ENOENT ||
				 view_stat(&v, text_of("d/n%d", i), &st, &layer) != 0;
		is_int((int)wrong, 0, "hid the old files and kept the new ones");
	}
	bed_end(&b);
}

/* linkat(2) as it fails on a file system that counts no further. */
static void refuse_links(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_linkat, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EMLINK),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) < 0)
		die("seccomp");
}

/* A file of ten units, and copies of it; behind them another entry, as the count is looked at then. */
static void copies_from(uint64_t from, const char *words, const char *what)
{
	struct bytes t = { 0 };

	tar_add(&t, "first", '0', NULL, bytes_zero((size_t)10 * UNPACK_COPY_UNIT));
	tar_add(&t, "l1", '1', "first", (struct bytes){ 0 });
	tar_add(&t, "l2", '1', "first", (struct bytes){ 0 });
	add(&t, "last");
	tar_end(&t);
	entries_of(t, from, words, what);
}

static void test_copies(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		tap_failed = 0;
		refuse_links();
		copies_from(UNPACK_ENTRIES_MAX - 24, NULL, "copies of too many hard links");
		copies_from(UNPACK_ENTRIES_MAX - 23, "entries", "one unit more");
		fflush(stdout);
		_exit(tap_failed);
	}
	waitpid(pid, &status, 0);
	tap_run += 2;
	tap_failed += status != 0;
}

/* EMLINK is far away on most file systems, so 70000 links are made. */
static void test_many_links(void)
{
	struct bytes t = { 0 };
	struct bed b;

	tar_add(&t, "first", '0', NULL, bytes_of("x"));
	for (int i = 0; i < 70000; i++)
		tar_add(&t, text_of("l%d", i), '1', "first", (struct bytes){ 0 });
	tar_end(&t);
	bed_one(&b, t);
	ok(b.r == 0 && faccessat(b.root, "l69999", F_OK, 0) == 0, "70000 links to one file: %s",
	   b.e.msg);
	bed_end(&b);
}

int main(void)
{
	struct err e = { 0 };

	umask(0);
	if (unpack_load(&e) < 0)
		die(e.msg);
	test_headers();
	test_entries();
	test_work();
	test_judge();
	test_linear();
	test_copies();
	test_many_links();
	return done_testing();
}
