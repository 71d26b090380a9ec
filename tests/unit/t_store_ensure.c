/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Images into the store and out of it again, through the real worker: once however many start,
 * recognised afterwards, never half, and nothing left of what failed.
 */
#include <signal.h>
#include <time.h>

#include "stores.h"

#define STARTS 32

static const char *const two[] = { "d etc; f etc/passwd root:x:0:0::/:/bin/sh; f old 1; d d",
				   "f new 2; f .wh.old; d d; f d/x 3" };

static const char *tree_of(const struct image *image)
{
	int fd = open(image->lowers.v[0], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *text = fd < 0 ? "no such directory" : tree_text(fd, false);

	if (fd >= 0)
		close(fd);
	return text;
}

static void test_plain_tar(struct bench *b)
{
	const char *path = bench_file(b, "plain.tar", layer_of("d etc; f etc/motd hello"));
	struct stat first, again;

	is_int(bench_ensure(b, path), 0, "a plain tar");
	is_str(tree_of(&b->image), "etc/ etc/motd=hello", "its tree");
	is_str(b->image.name, "plain", "called as the file, without its ending");
	is_int((int)strlen(b->image.id), 64, "its id is that of the tar");
	is_str(b->image.passwd, "", "it has no passwd");
	is_int((int)b->image.entries, 2, "entries counted");
	is_int((int)b->image.bytes, 5, "bytes counted");
	ok(stat(b->image.lowers.v[0], &first) == 0, "there");
	/* without a store to unpack into, only the warm way is left */
	ok(rename(text_of("%s/v1/tmp", b->path), text_of("%s/away", b->path)) == 0, "no tmp/");
	is_int(bench_ensure(b, path), 0, "warm: nothing is unpacked");
	ok(stat(b->image.lowers.v[0], &again) == 0 && again.st_ino == first.st_ino, "the same");
	ok(rename(text_of("%s/away", b->path), text_of("%s/v1/tmp", b->path)) == 0, "tmp/ again");
	is_int(bench_ensure(b, "plain"), 0, "by name");
	is_int(bench_ensure(b, text_of("%.10s", b->image.id)), 0, "by id");
	is_int(bench_ensure(b, text_of("sha256:%.12s", b->image.id)), 0, "by digest");
	is_int(bench_count(b, "tmp"), 0, "no stage is left");
}

static void test_changed(struct bench *b)
{
	const char *path = bench_file(b, "c.tar", layer_of("f a 1"));
	const char *id;

	is_int(bench_ensure(b, path), 0, "a file");
	id = text_of("%s", b->image.id);
	bench_file(b, "c.tar", layer_of("f a 2"));
	is_int(bench_ensure(b, path), 0, "changed at once, with the same size");
	ok(strcmp(id, b->image.id) != 0, "is another image");
	is_str(tree_of(&b->image), "a=2", "with the new contents");
}

static void test_docker(struct bench *b)
{
	const char *path = bench_file(
		b, "docker.tar",
		docker_archive("example.org/team/app:v1",
			       "{\"Env\":[\"A=b\"],\"Cmd\":[\"sh\",\"-c\",\"\"],\"User\":\"7\"}",
			       two, 2));

	is_int(bench_ensure(b, path), 0, "a docker archive");
	is_str(b->image.name, "example.org/team/app:v1", "its name");
	is_int((int)b->image.diff_ids.n, 2, "layers");
	is_str(b->image.config.env.v[0], "A=b", "Env");
	is_int((int)b->image.config.cmd.n, 3, "Cmd with an empty word");
	is_str(b->image.config.user, "7", "User");
	is_str(b->image.passwd, "root:x:0:0::/:/bin/sh", "passwd of the merged tree");
	if (store_overlay(b->s)) {
		is_int(b->image.form, IMAGE_FORM_LAYERS, "in layers");
		is_int((int)b->image.lowers.n, 2, "two lowers");
		is_str(tree_of(&b->image), "d/ d/x=3 new=2 old?20000:0000", "the topmost first");
	}
	is_int(bench_ensure_form(b, path, true), 0, "flat, because it was asked for");
	is_int(b->image.form, IMAGE_FORM_FLAT, "flat");
	is_str(tree_of(&b->image), "d/ d/x=3 etc/ etc/passwd=root:x:0:0::/:/bin/sh new=2",
	       "its tree");
	is_int(bench_ensure(b, "example.org/team/app:v1"), 0, "by its whole name");
	is_int(bench_ensure_form(b, "example.org/team/app:v1", true), 0, "flat by name");
	is_int(b->image.form, IMAGE_FORM_FLAT, "flat");
}

static void test_shared_layer(struct bench *b)
{
	static const char *const other[] = {
		"d etc; f etc/passwd root:x:0:0::/:/bin/sh; f old 1; d d", "f third 3"
	};
	int before = bench_count(b, "layers");

	is_int(bench_ensure(b, bench_file(b, "o.tar", docker_archive("other:1", "{}", other, 2))),
	       0, "an image that shares a layer");
	if (store_overlay(b->s))
		is_int(bench_count(b, "layers"), before + 1, "only one layer is new");
	is_int(bench_ensure(b, "other:1"), 0, "by name");
}

static void test_dependent(struct bench *b)
{
	static const char *const implied[] = { "d usr; d usr/bin; l bin usr/bin", "f bin/b 2" };

	is_int(bench_ensure(b, bench_file(b, "i.tar", docker_archive("i:1", "{}", implied, 2))), 0,
	       "a layer that depends on the one below");
	is_int(b->image.form, IMAGE_FORM_FLAT, "is flattened");
	is_str(tree_of(&b->image), "bin->usr/bin usr/ usr/bin/ usr/bin/b=2", "rightly");
	is_int(bench_count(b, "tmp"), 0, "no stage is left");
}

static void test_layout(struct bench *b)
{
	const char *dir = layout_directory(b, "layout", layer_of("f in/layout 1"));

	is_int(bench_ensure(b, dir), 0, "an OCI layout directory");
	is_str(tree_of(&b->image), "in/ in/layout=1", "its tree");
	is_int(bench_ensure(b, text_of("oci:%s", dir)), 0, "and with the prefix");
	is_str(b->image.name, "layout", "called as the directory");
}

static void test_directory(struct bench *b)
{
	const char *dir = text_of("%s/root", b->dir);

	if (system(text_of("mkdir -p %s/etc/apt/apt.conf.d; echo x:1 >%s/passwd;"
			   "ln -s /passwd %s/etc/passwd",
			   dir, dir, dir)) != 0)
		die(dir);
	is_int(bench_ensure(b, dir), 0, "a root file system directory");
	is_int(b->image.form, IMAGE_FORM_DIR, "its form");
	is_str(b->image.lowers.v[0], dir, "itself");
	is_str(b->image.passwd, "x:1\n", "passwd through an absolute link, inside");
	ok(b->image.apt, "it has apt");
	is_str(b->image.id, "", "it has no id");
}

/* What somebody else's archive calls itself does not change a name in silence. */
static void test_name_taken(struct bench *b)
{
	static const char *const one[] = { "f a 1" }, *const other[] = { "f a 2" };
	const char *log = text_of("%s/names.log", b->dir);
	int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600), keep = dup(2);

	bench_ensure(b, bench_file(b, "n1.tar", docker_archive("taken:1", "{}", one, 1)));
	dup2(fd, 2);
	bench_ensure(b, bench_file(b, "n2.tar", docker_archive("taken:1", "{}", other, 1)));
	dup2(keep, 2);
	close(keep);
	close(fd);
	ok(strstr(contents_text(AT_FDCWD, log), "taken:1: from now on this is image"),
	   "a name that means another image from now on is told: %s", contents_text(AT_FDCWD, log));
}

/* ---- U: who an image's User is, by whatever its passwd is -------------------------------- */

#define PASSWD "root:x:0:0::/root:/bin/sh%0au:x:7:8::/u:%0au:x:9:9::/second:%0a12:x:13:14::/n:%0a"
#define HUGE   "x GNU.sparse.size 1073741824; x GNU.sparse.numblocks 1; x GNU.sparse.map 0,1; "

static const struct {
	const char *what, *layer, *user;
	int r;
	uid_t uid;
	gid_t gid;
} users[] = {
	{ "U1 no passwd, a name", "d etc", "u", -ENOENT, 0, 0 },
	{ "U1 no passwd, an id", "d etc", "7", 0, 7, 0 },
	{ "U1 no passwd, nobody", "d etc", "", 0, 0, 0 },
	{ "U2 an absolute link", "d etc; d x; l etc/passwd /x/p; f x/p " PASSWD, "u", 0, 7, 8 },
	{ "U2b a link out of the root", "d etc; l etc/passwd ../../../../../../../../etc/passwd",
	  "root", -ENOENT, 0, 0 },
	{ "U2c a link to the host's", "d etc; l etc/passwd /proc/self/root/etc/passwd", "root",
	  -ENOENT, 0, 0 },
	{ "U2d a loop", "d etc; l etc/passwd passwd", "root", -ENOENT, 0, 0 },
	{ "U3 a pipe", "d etc; p etc/passwd", "root", -ENOENT, 0, 0 },
	{ "U3b a directory", "d etc; d etc/passwd", "7", 0, 7, 0 },
	{ "U4 CVE-2026-47262 1 GiB of holes", "d etc; " HUGE "f etc/passwd r", "root", -ENOENT, 0,
	  0 },
	{ "U4b CVE-2026-47262 a group of 1 GiB",
	  "d etc; f etc/passwd " PASSWD ";" HUGE "f etc/group r", "u:g", -ENOENT, 0, 0 },
	{ "U6 of two lines the first counts", "d etc; f etc/passwd " PASSWD, "u", 0, 7, 8 },
	{ "U7 digits are an id", "d etc; f etc/passwd " PASSWD, "12", 0, 12, 0 },
	{ "U8 CVE-2024-40635 2^31", "d etc; f etc/passwd " PASSWD, "2147483648", -ERANGE, 0, 0 },
	{ "U8b CVE-2024-40635 2^32", "d etc; f etc/passwd " PASSWD, "4294967296", -ERANGE, 0, 0 },
	{ "U8c CVE-2024-40635 2^32 as a group", "d etc", "7:4294967296", -ERANGE, 0, 0 },
	{ "U8d 2^31 in the file", "d etc; f etc/passwd u:x:2147483648:0::/:", "u", -ENOENT, 0, 0 },
	{ "U9 \":group\"", "d etc; f etc/passwd " PASSWD "; f etc/group g:x:5:", ":g", 0, 0, 5 },
	{ "U10 \"user:\"", "d etc; f etc/passwd " PASSWD "; f etc/group g:x:5:", "u:", 0, 7, 8 },
	{ "U11 more than one colon", "d etc; f etc/passwd " PASSWD, "u:g:h", -EINVAL, 0, 0 },
	{ "U12 NUL in the file", "d etc; f etc/passwd a%00u:x:7:8::/u:", "u", -ENOENT, 0, 0 },
};

static void test_users(struct bench *b)
{
	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++) {
		struct image_user u = { 0 };
		struct err e = { 0 };
		int r = bench_ensure(
			b, bench_file(b, text_of("u%zu.tar", i), layer_of(users[i].layer)));

		ok(r == 0, "%s: a good image", users[i].what);
		if (r < 0)
			continue;
		r = image_user_lookup(b->a, users[i].user, b->image.passwd, b->image.group, &u, &e);
		ok(r == users[i].r && (r < 0 || (u.uid == users[i].uid && u.gid == users[i].gid)),
		   "%s: %d %u:%u %s", users[i].what, r, u.uid, u.gid, e.msg);
		ok(strlen(b->image.passwd) <= IMAGE_PASSWD_MAX &&
			   strlen(b->image.group) <= IMAGE_PASSWD_MAX,
		   "%s: no more is read than the limit", users[i].what);
	}
}

/* At the limit and one above; a million lines is far above. */
static void test_passwd_size(struct bench *b)
{
	static const struct {
		const char *what;
		size_t n;
		bool kept;
	} sizes[] = { { "256 KiB", IMAGE_PASSWD_MAX, true },
		      { "one byte more", IMAGE_PASSWD_MAX + 1, false },
		      { "U5 a million lines", 30000000, false } };

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct bytes t = { 0 }, text = bytes_zero(sizes[i].n);

		for (size_t k = 0; k < text.n; k++)
			text.p[k] = (uint8_t) "user000000:x:1:1::/home/user:\n"[k % 30];
		tar_add(&t, "etc/passwd", '0', NULL, text);
		tar_end(&t);
		is_int(bench_ensure(b, bench_file(b, text_of("size%zu.tar", i), t)), 0,
		       "a passwd of %s", sizes[i].what);
		ok((*b->image.passwd != '\0') == sizes[i].kept, "%s: %s", sizes[i].what,
		   sizes[i].kept ? "taken" : "counts as none");
	}
}

static void test_errors(struct bench *b)
{
	struct bytes bad = layer_of("f a 1; f ../../etc/passwd x");

	is_int(bench_ensure(b, "no-such-image"), -ENOENT, "neither file nor name");
	is_int((int)b->e.topic, ERR_TOPIC_NOT_FOUND, "said so");
	ok(b->e.hint[0], "with a hint");
	is_int(bench_ensure(b, "docker-archive:/no/such.tar"), -ENOENT, "no such archive");
	is_int(bench_ensure(b, "docker://debian"), -ENOTSUP, "a registry");
	is_int(bench_ensure(b, "/dev/null"), -EINVAL, "a device");
	ok(bench_ensure(b, bench_file(b, "bad.tar", bad)) < 0, "a hostile name");
	ok(strstr(b->e.msg, "../../etc/passwd"), "is named: %s", b->e.msg);
	bad.n = 700;
	ok(bench_ensure(b, bench_file(b, "short.tar", bad)) < 0, "a truncated tar");
	ok(bench_ensure(b, bench_file(b, "noise.tar", bytes_of("no tar at all"))) < 0, "noise");
	is_int(bench_count(b, "tmp"), 0, "no stage is left");
	is_int(bench_ensure(b, text_of("oci:%s", b->dir)), -EINVAL, "no layout");
}

/* ---- many at once, and death ------------------------------------------------------------ */

/* A layer that takes a moment: @n files of 20 kB */
static struct bytes big_layer(int n)
{
	struct bytes t = { 0 }, data = bytes_zero(20000);

	for (int i = 0; i < n; i++) {
		memset(data.p, 'a' + i % 26, data.n);
		tar_add(&t, text_of("file%d", i), '0', NULL, data);
	}
	tar_end(&t);
	return t;
}

static pid_t start(const char *store, const char *path, const char *log)
{
	pid_t pid = fork();

	if (pid == 0) {
		const struct store_ensure_options o = { .arch = "amd64" };
		const struct store_options so = { .dir = store, .uid = getuid() };
		struct arena *a = arena_new(0);
		int out = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600), lock;
		struct err e = { 0 };
		struct image_ref ref;
		struct image image;
		struct store *s;

		dup2(out, 2);
		if (store_open(a, &so, &s, &e) < 0 || image_ref_parse(a, path, &ref, &e) < 0 ||
		    store_ensure(s, a, &ref, &o, &image, &lock, &e) < 0) {
			dprintf(2, "FAILED %s\n", e.msg);
			_exit(1);
		}
		_exit(access(text_of("%s/file299", image.lowers.v[0]), F_OK) == 0 ? 0 : 2);
	}
	return pid;
}

static int count_lines(const char *log, const char *with)
{
	char buf[64];
	FILE *f = popen(text_of("grep -c '%s' %s", with, log), "r");
	int n = f && fgets(buf, sizeof(buf), f) ? atoi(buf) : -1;

	if (f)
		pclose(f);
	return n;
}

static void test_many(void)
{
	struct bench b;
	const char *path, *log;
	int failed = 0, status;
	pid_t pids[STARTS];

	bench_begin(&b);
	path = bench_file(&b, "big.tar", big_layer(300));
	log = text_of("%s/log", b.dir);
	for (int i = 0; i < STARTS; i++)
		pids[i] = start(b.path, path, log);
	for (int i = 0; i < STARTS; i++)
		failed += waitpid(pids[i], &status, 0) < 0 || status != 0;
	is_int(failed, 0, "%d starts of one image at once", STARTS);
	is_int(count_lines(log, "unpacking .* into"), 1, "one of them unpacked it");
	ok(count_lines(log, "waiting for process") > 0, "others waited, and said for whom");
	is_int(bench_count(&b, "tmp"), 0, "no stage is left");
	bench_end(&b);
}

static int count_damage;

static void report(void *arg, const char *what, const char *why)
{
	(void)arg;
	count_damage++;
	diag("%s: %s", what, why);
}

/* Killed at any moment, there is no image or a whole one. */
static void test_killed(void)
{
	const char *path, *log;
	int half = 0, whole = 0, none = 0;
	struct bench b;

	bench_begin(&b);
	(void)store_overlay(b.s);
	path = bench_file(&b, "big.tar", big_layer(300));
	log = text_of("%s/log", b.dir);
	for (long us = 500; us < 250000; us = us * 5 / 4) {
		pid_t pid = start(b.path, path, log);
		struct timespec t = { .tv_nsec = us * 1000 };
		int n;

		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		n = bench_count(&b, "images");
		whole += n == 1;
		none += n == 0;
		if (store_verify(b.s, b.a, report, NULL, &b.e) != 0 || n > 1)
			half++;
		if (n > 0 && store_remove(b.s, b.a, "big", &b.e) < 0)
			diag("%s", b.e.msg);
	}
	is_int(half, 0, "never half an image (%d times none, %d times whole)", none, whole);
	ok(none > 0, "some were killed in time");
	is_int(waitpid(start(b.path, path, log), &whole, 0) > 0 ? whole : -1, 0,
	       "the next start unpacks");
	is_int(bench_count(&b, "tmp"), 0, "and removes what the killed ones left");
	bench_end(&b);
}

/* Unpack @path in a child and interrupt it as soon as a stage is there; its wait status. */
static int interrupt(struct bench *b, const char *path)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		int r;

		signal(SIGINT,
		       SIG_DFL); /* ignored where a shell started the tests in the background */
		r = bench_ensure(b, path);
		_exit(r == -EINTR ? b->e.status : r == 0 ? 1 : 2);
	}
	for (int i = 0; i < 2000 && bench_count(b, "tmp") == 0; i++)
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
	kill(pid, SIGINT);
	waitpid(pid, &status, 0);
	return status;
}

/* Ctrl-C: the worker ends, the stage goes, the status says which signal. */
static void test_interrupted(void)
{
	struct bench b;
	const char *path;
	int status = 0;

	bench_begin(&b);
	(void)store_overlay(b.s);
	path = bench_file(&b, "big.tar", big_layer(2500));
	/* on a busy machine the signal may come when all is done: then once more */
	for (int i = 0; i < 20; i++) {
		status = interrupt(&b, path);
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 1)
			break;
		(void)store_remove(b.s, b.a, "big", &b.e);
	}
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 130, "interrupted: status %d", status);
	is_int(bench_count(&b, "tmp"), 0, "no stage is left");
	is_int(bench_count(&b, "images"), 0, "no image");
	bench_end(&b);
}

int main(void)
{
	const struct log_config quiet = { .quiet = false };
	struct bench b;

	log_setup(&quiet);
	bench_begin(&b);
	test_plain_tar(&b);
	test_changed(&b);
	test_docker(&b);
	test_shared_layer(&b);
	test_dependent(&b);
	test_layout(&b);
	test_directory(&b);
	test_errors(&b);
	test_name_taken(&b);
	test_users(&b);
	test_passwd_size(&b);
	count_damage = 0;
	is_int(store_verify(b.s, b.a, report, NULL, &b.e), 0, "everything verifies");
	bench_end(&b);
	test_many();
	test_killed();
	test_interrupted();
	return done_testing();
}
