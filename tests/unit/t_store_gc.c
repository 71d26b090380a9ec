/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the verbs do to a store: list, rm, prune, verify, keep, scratch; and which directories
 * are accepted as one.
 */
#include <sys/mount.h>
#include <sys/resource.h>

#include "../../src/store/store_private.h"
#include "../../src/store/userns.h"
#include "stores.h"

static const char *const one[] = {
	"d etc; f etc/a 1; f b 22; f z 1; l c b; p q; h d b; d n; d n/m"
};
static const char *const other[] = {
	"d etc; f etc/a 1; f b 22; f z 1; l c b; p q; h d b; d n; d n/m",
	"d n; f n/.wh.m; d etc; f etc/.wh..wh..opq"
};

static void add(struct bench *b, const char *tag, const char *const *specs, size_t n)
{
	const char *file = text_of("%s.tar", tag);

	is_int(bench_ensure(b, bench_file(b, file, docker_archive(tag, "{}", specs, n))), 0,
	       "%s is there", tag);
	close(b->lock);
	b->lock = -1;
}

/* ---- list, rm, prune -------------------------------------------------------------------- */

static void test_list(struct bench *b)
{
	struct store_entry *v;
	size_t n;

	is_int(store_list(b->s, b->a, &v, &n, &b->e), 0, "list");
	is_int((int)n, 2, "two images");
	ok(n == 2 && v[0].created <= v[1].created, "the older one first");
	ok(n == 2 && v[0].names.n == 1 && v[1].names.n == 1, "each with a name");
	ok(n == 2 && !v[0].in_use && !v[0].read_only, "not in use");
	is_int(bench_ensure(b, "one:1"), 0, "one is held");
	store_list(b->s, b->a, &v, &n, &b->e);
	ok(n == 2 && v[0].in_use != v[1].in_use, "and one is in use");
}

static void test_remove(struct bench *b)
{
	is_int(store_remove(b->s, b->a, "nothing", &b->e), -ENOENT, "rm of what is not there");
	is_int((int)b->e.topic, ERR_TOPIC_NOT_FOUND, "says so");
	b->e = (struct err){ 0 };
	is_int(store_remove(b->s, b->a, "one:1", &b->e), -EBUSY, "rm of what is in use");
	is_int((int)b->e.topic, ERR_TOPIC_BUSY, "says so: %s", b->e.msg);
	b->e = (struct err){ 0 };
	is_int(bench_ensure(b, "one:1"), 0, "it still works");
	close(b->lock);
	b->lock = -1;
	is_int(store_remove(b->s, b->a, "one:1", &b->e), 0, "rm");
	is_int(bench_count(b, "images"), 1, "one record is left");
	is_int(bench_count(b, "names"), 1, "one name");
	is_int(bench_count(b, "files"), 1, "one key");
	is_int(bench_count(b, "trash"), 0, "no trash");
	is_int(bench_ensure(b, "other:1"), 0, "the image that shared its layer still works");
	close(b->lock);
	b->lock = -1;
	is_int(store_verify(b->s, b->a, NULL, NULL, &b->e), 0, "and is whole");
	is_int(store_remove(b->s, b->a, text_of("%.8s", b->image.id), &b->e), 0, "rm by id");
	is_int(bench_count(b, "layers") + bench_count(b, "trees"), 0, "nothing is left");
}

static void test_prune(struct bench *b)
{
	struct store_pruned p;

	add(b, "one:1", one, 1);
	if (system(text_of(
		    "cd %s/v1 && mkdir -p tmp/1.dead/deep/er trash/x/y scratch/old/u "
		    "layers/%064d/fs && touch tmp/1.dead/lock scratch/old/lock trash/x/y/z && "
		    "chmod 0 tmp/1.dead/deep scratch/old/u trash/x/y && "
		    "ln -s ../images/gone names/gone && ln -s ../images/gone files/gone",
		    b->path, 1)) != 0)
		die("mess");
	is_int(bench_ensure(b, "one:1"), 0, "an image in use");
	is_int(store_prune(b->s, b->a, true, &p, &b->e), 0, "prune --all");
	is_int((int)p.images, 0, "leaves it");
	is_int((int)p.layers, 1, "takes the layer without a record");
	is_int((int)p.directories, 2, "and the two directories whose owner is gone");
	is_int(bench_count(b, "tmp") + bench_count(b, "trash") + bench_count(b, "scratch"), 0,
	       "tmp, trash and scratch are empty, whatever modes there were");
	is_int(bench_count(b, "names") + bench_count(b, "files"), 2, "links to nothing are gone");
	is_int(bench_count(b, "lock"), 1, "lock files, too, but the store's own");
	is_int(bench_ensure(b, "one:1"), 0, "the image still works");
	close(b->lock);
	b->lock = -1;
	is_int(store_prune(b->s, b->a, true, &p, &b->e), 0, "prune --all, nothing in use");
	ok(p.images == 1 && p.bytes > 0, "takes it");
	is_int(bench_count(b, "images") + bench_count(b, "layers") + bench_count(b, "trees"), 0,
	       "nothing is left");
}

/* More files than are deleted at once, in directories of which one cannot be entered. */
static void make_large(struct bench *b, const char *dir)
{
	if (system(text_of("cd %s/v1 && mkdir -p %s/a/b/c %s/closed && cd %s && : > lock && "
			   "seq 900 | xargs touch && (cd a/b && seq 900 | xargs touch) && "
			   "chmod 0 closed",
			   b->path, dir, dir, dir)) != 0)
		die(dir);
}

/* There is no telling when, but it must come to an end. */
static bool is_emptied(struct bench *b, const char *dir)
{
	for (int i = 0; i < 6000; i++) {
		if (bench_count(b, dir) == 0)
			return true;
		usleep(10000);
	}
	return false;
}

static void test_cleaner(struct bench *b)
{
	const char *path = bench_file(b, "clean.tar", layer_of("f clean 1"));
	struct store_pruned p = { .images = 0 };
	int ends[2];
	char byte;

	make_large(b, "tmp/1.dead");
	make_large(b, "trash/old");
	if (pipe(ends) < 0)
		die("pipe");
	is_int(bench_ensure(b, path), 0, "an unpacking beside much that others left");
	close(ends[1]);
	is_int((int)read(ends[0], &byte, 1), 0, "whoever deletes it holds nothing of ours");
	close(ends[0]);
	ok(is_emptied(b, "tmp"), "the dead stage goes");
	ok(is_emptied(b, "trash"), "the trash is emptied");
	make_large(b, "trash/old");
	trash_sweep(&b->s->own);
	is_int(store_prune(b->s, b->a, false, &p, &b->e), 0, "prune, while somebody deletes");
	is_int(bench_count(b, "trash"), 0, "waits until nothing is left");
	ok(is_emptied(b, "trash"), "nor comes back");
	close(b->lock);
	b->lock = -1;
	is_int(store_remove(b->s, b->a, "clean", &b->e), 0, "rm");
}

static void test_prune_living(struct bench *b)
{
	struct store_pruned p;
	const char *dir;
	int lock;

	is_int(store_scratch(b->s, b->a, NULL, &dir, &lock, &b->e), 0, "scratch");
	is_int(store_prune(b->s, b->a, false, &p, &b->e), 0, "prune");
	is_int(bench_count(b, "scratch"), 1, "leaves what has an owner");
	close(lock);
	is_int(store_prune(b->s, b->a, false, &p, &b->e), 0, "prune again");
	is_int(bench_count(b, "scratch"), 0, "and takes it when the owner is gone");
}

/* ---- verify ----------------------------------------------------------------------------- */

static int complaints;
static const char *complaint;

static void complain(void *arg, const char *what, const char *why)
{
	(void)arg;
	complaints++;
	complaint = text_of("%s: %s", what, why);
}

static void damage(struct bench *b, const char *command, const char *why)
{
	const char *fs = b->image.lowers.v[b->image.lowers.n - 1];

	complaints = 0;
	if (system(text_of("cp -a %s %s.saved && cd %s && %s", fs, fs, fs, command)) != 0)
		die(command);
	is_int(store_verify(b->s, b->a, complain, NULL, &b->e), 1, "%s is one damage", command);
	ok(complaints == 1 && strstr(complaint, why), "%s", complaint);
	if (system(text_of("rm -rf %s && mv %s.saved %s", fs, fs, fs)) != 0)
		die(fs);
}

static void test_verify(struct bench *b)
{
	add(b, "other:1", other, 2);
	is_int(store_verify(b->s, b->a, complain, NULL, &b->e), 0, "all is well");
	damage(b, "printf 2 >z", "contents");
	damage(b, "rm q", "missing");
	damage(b, "chmod 700 etc", "mode");
	damage(b, "ln -sfn d c", "target");
	damage(b, "rm c && mkdir c", "type");
	damage(b, "touch new", "was not there");
	damage(b, "printf 1 >>z", "size");
	is_int(store_verify(b->s, b->a, complain, NULL, &b->e), 0, "all is well again");
}

/* ---- after the machine went down -------------------------------------------------------- */

/* The record says another boot. */
static void other_boot(struct bench *b, const char *with)
{
	if (system(text_of("for f in %s/v1/images/*; do printf %s | dd of=$f bs=1 seek=20 "
			   "conv=notrunc status=none; done",
			   b->path, with)) != 0)
		die("dd");
}

static bool is_settled(struct bench *b)
{
	return system(text_of("grep -q boot=00000000-0000-0000-0000-000000000000 %s/v1/images/*",
			      b->path)) == 0;
}

static void test_settle(struct bench *b)
{
	static const char boot[] = "01234567-89ab-cdef-0123-456789abcdef";
	const char *file = text_of("%s/one:1.tar", b->dir);

	store_remove(b->s, b->a, "other:1", &b->e);
	add(b, "one:1", one, 1);
	ok(!is_settled(b), "an image that was just unpacked may be lost yet");
	other_boot(b, boot);
	is_int(bench_ensure(b, file), 0, "after a boot, undamaged");
	ok(is_settled(b), "it is settled");
	other_boot(b, boot);
	if (truncate(text_of("%s/b", b->image.lowers.v[0]), 0) < 0)
		die("truncate");
	is_int(bench_ensure(b, file), 0, "after a boot, damaged: unpacked again");
	is_int(store_verify(b->s, b->a, complain, NULL, &b->e), 0, "it is whole");
	other_boot(b, boot);
	if (unlink(text_of("%s/b", b->image.lowers.v[0])) < 0)
		die("unlink");
	is_int(bench_ensure(b, "one:1"), -ENOENT, "by name it is gone");
	close(b->lock);
	b->lock = -1;
	is_int(bench_count(b, "images"), 0, "with its record");
}

static const char *file_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buf[16];
	ssize_t n = fd < 0 ? -1 : read(fd, buf, sizeof(buf));

	if (fd >= 0)
		close(fd);
	return n < 0 ? "cannot be read" : text_of("%.*s", (int)n, buf);
}

static void shell(const struct bench *b, const char *command)
{
	if (system(text_of("cd %s/v1 && %s", b->path, command)) != 0)
		die(command);
}

/*
 * What a power cut leaves of files that were not written yet, and how it is found: by the record of
 * another boot, or by whoever wants to build upon what has no record.
 */
static void test_power_cut(struct bench *b)
{
	static const struct {
		const char *command, *what;
		bool record; /* is lost as well */
	} cuts[] = {
		{ "truncate -s 0 layers/*/fs/b", "an empty file", false },
		{ "truncate -s 0 layers/*/fs/b && truncate -s 2 layers/*/fs/b", "a hole", false },
		{ "rm layers/*/fs/c", "a name that is missing", false },
		{ "truncate -s 0 layers/*/list", "an empty list", false },
		{ "rm -r layers/*/fs", "no tree", false },
		{ "truncate -s 0 images/*", "an empty record", false },
		{ "for f in images/*; do s=$(stat -c %s $f); truncate -s 0 $f; truncate -s $s $f; "
		  "done",
		  "a record of zeros", false },
		{ "for f in images/*; do truncate -s -3 $f; done", "a record cut short", false },
		{ "truncate -s 0 layers/*/fs/b", "an empty file, no record", true },
		{ "truncate -s 0 layers/*/list", "an empty list, no record", true },
		{ "truncate -s 0 layers/*/fs/b && truncate -s 2 layers/*/fs/b", "a hole, no record",
		  true },
	};
	const char *file = text_of("%s/one:1.tar", b->dir);

	if (!store_overlay(b->s)) {
		skip("no overlay here, so no layers");
		return;
	}
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++) {
		is_int(bench_ensure(b, file), 0, "unpacked");
		close(b->lock);
		b->lock = -1;
		other_boot(b, "01234567-89ab-cdef-0123-456789abcdef");
		shell(b, cuts[i].command);
		if (cuts[i].record)
			shell(b, "rm -f images/* names/* files/*");
		is_int(bench_ensure(b, file), 0, "after %s", cuts[i].what);
		is_int(store_verify(b->s, b->a, complain, NULL, &b->e), 0, "it is whole");
		is_str(file_text(text_of("%s/b", b->image.lowers.v[0])), "22", "and as it was");
	}
}

/* Two images share a layer; it is the second that finds it damaged, and both are well again. */
static void test_shared_damage(struct bench *b)
{
	struct store_pruned p = { 0 };

	is_int(store_prune(b->s, b->a, true, &p, &b->e), 0, "an empty store");
	add(b, "one:1", one, 1);
	other_boot(b, "01234567-89ab-cdef-0123-456789abcdef");
	shell(b, "truncate -s 0 layers/*/fs/b");
	add(b, "other:1", other, 2);
	is_int(store_verify(b->s, b->a, complain, NULL, &b->e), 0, "an image that builds upon it");
	is_int(bench_ensure(b, "one:1"), 0, "the other by its name");
	is_str(file_text(text_of("%s/b", b->image.lowers.v[0])), "22", "is whole again");
	close(b->lock);
	b->lock = -1;
}

/* No damage is found for want of a descriptor. */
static void test_failing_host(struct bench *b)
{
	struct rlimit old, few;

	getrlimit(RLIMIT_NOFILE, &old);
	few = old;
	other_boot(b, "01234567-89ab-cdef-0123-456789abcdef");
	for (few.rlim_cur = 4; few.rlim_cur < 16; few.rlim_cur++) {
		setrlimit(RLIMIT_NOFILE, &few);
		(void)bench_ensure(b, "one:1");
		setrlimit(RLIMIT_NOFILE, &old);
	}
	is_int(bench_ensure(b, "one:1"), 0, "nothing was thrown away: %s", b->e.msg);
	close(b->lock);
	b->lock = -1;
}

/* What was on its way to be a link when its maker was killed. */
static void test_new_links(struct bench *b)
{
	struct store_pruned p = { 0 };

	shell(b, "f=$(ls images | head -1);"
		 "for d in names files .; do ln -s ../images/$f $d/.new.1234; done");
	is_int(store_prune(b->s, b->a, false, &p, &b->e), 0, "prune");
	shell(b, "! ls -d names/.new* files/.new* .new* 2>/dev/null");
	ok(true, "it takes half-made links");
}

/* The clock is set: neither makes it settled what was just unpacked nor the other way. */
static void test_clock(struct bench *b)
{
	struct store_pruned p = { 0 };

	is_int(store_prune(b->s, b->a, true, &p, &b->e), 0, "an empty store");
	add(b, "one:1", one, 1);
	shell(b, "sed -i 's/unpacked=[0-9]*/unpacked=1000000000/' images/*");
	is_int(bench_ensure(b, "one:1"), 0, "unpacked long ago, says the clock");
	ok(!is_settled(b), "but not since the boot");
	shell(b, "sed -i 's/uptime=[0-9]*/uptime=1/' images/*");
	is_int(bench_ensure(b, "one:1"), 0, "unpacked long ago");
	if (boot_seconds() > 1000)
		ok(is_settled(b), "it is settled");
	else
		skip("the machine has just been started");
	close(b->lock);
	b->lock = -1;
}

/* ---- keep and scratch ------------------------------------------------------------------- */

static void test_keep(struct bench *b)
{
	const char *dir, *again;
	int lock, second;

	add(b, "other:1", other, 2);
	is_int(bench_ensure_form(b, text_of("%s/other:1.tar", b->dir), true), 0, "an image, flat");
	is_int(store_keep(b->s, b->a, "my/work", &b->image, STORE_OVERLAY, &dir, &lock, &b->e), 0,
	       "keep");
	ok(access(text_of("%s/u", dir), F_OK) == 0 && access(text_of("%s/w", dir), F_OK) == 0,
	   "upper and work directories in %s", dir);
	is_int(store_keep(b->s, b->a, "my/work", &b->image, STORE_OVERLAY, &again, &second, &b->e),
	       -EBUSY, "in use: %s", b->e.msg);
	is_int((int)b->e.topic, ERR_TOPIC_BUSY, "says so");
	close(lock);
	b->e = (struct err){ 0 };
	is_int(store_keep(b->s, b->a, "my/work", &b->image, STORE_OVERLAY, &again, &lock, &b->e), 0,
	       "again, later");
	is_str(again, dir, "the same directory");
	close(lock);
	is_int(store_keep(b->s, b->a, "my/work", &b->image, 0, &again, &lock, &b->e), -EINVAL,
	       "not as a copy: %s", b->e.msg);
	b->e = (struct err){ 0 };
	is_int(store_keep(b->s, b->a, "copy", &b->image, 0, &dir, &lock, &b->e), 0,
	       "a private copy");
	is_str(tree_text(open(text_of("%s/fs", dir), O_RDONLY | O_CLOEXEC), true),
	       tree_text(open(b->image.lowers.v[0], O_RDONLY | O_CLOEXEC), true),
	       "is equal to the image");
	close(lock);
	memset(b->image.id, 'a', 64);
	is_int(store_keep(b->s, b->a, "copy", &b->image, 0, &dir, &lock, &b->e), -EEXIST,
	       "another image: %s", b->e.msg);
	is_int(bench_count(b, "tmp"), 0, "no stage is left");
	is_int(store_keep(b->s, b->a, "", &b->image, STORE_OVERLAY, &dir, &lock, NULL), -EINVAL,
	       "no name");
}

static void test_scratch(struct bench *b)
{
	const char *dir, *next;
	int lock, second;

	is_int(store_scratch(b->s, b->a, b->dir, &dir, &lock, &b->e), 0, "--scratch DIR");
	ok(access(text_of("%s/u", dir), F_OK) == 0, "%s", dir);
	if (system(text_of("cd %s && mkdir -p u/a/b w/work && chmod 0 u/a && cd w/work && mkdir -p "
			   "work/inner && "
			   "chmod 0 work",
			   dir)) != 0)
		die(dir);
	is_int(store_scratch_remove(dir), 0, "removed, with directories of mode 0");
	ok(access(dir, F_OK) < 0, "it is gone");
	close(lock);
	is_int(store_scratch(b->s, b->a, b->dir, &dir, &lock, &b->e), 0, "another one");
	is_int(store_scratch(b->s, b->a, b->dir, &next, &second, &b->e), 0, "and one beside it");
	ok(access(dir, F_OK) == 0, "the first one stays");
	close(lock);
	close(second);
	is_int(store_scratch(b->s, b->a, b->dir, &next, &second, &b->e), 0, "a later one");
	ok(access(dir, F_OK) < 0, "deletes what a killed launcher left");
	is_int(store_scratch_remove(next), 0, "and goes");
	close(second);
	is_int(store_scratch(b->s, b->a, "/no/such", &next, &second, &b->e), -ENOENT, "nowhere");
}

/* ---- users without a lock --------------------------------------------------------------- */

struct users {
	char id[IMAGE_ID_HEX + 1];
	const char *dir;
};

static const char *find_user(void *arg, const char *id, const char *dir)
{
	const struct users *u = arg;

	if (id ? strcmp(id, u->id) == 0 : u->dir && strcmp(dir, u->dir) == 0)
		return "step 7.0";
	return NULL;
}

/* The containers of steps: nobody holds a lock, and yet what they use stays. */
static void test_users(struct bench *b)
{
	struct users u = { .dir = NULL };
	const struct store_users users = { .find = find_user, .arg = &u };
	const struct store_options o = { .dir = store_path(b->s),
					 .uid = getuid(),
					 .users = &users };
	const char *keep = NULL, *scratch = NULL, *next = NULL;
	struct store_pruned p = { 0 };
	struct store_entry *v = NULL;
	struct store *s = NULL;
	int lock = -1, second = -1;
	size_t n = 0;

	is_int(store_open(b->a, &o, &s, &b->e), 0, "the store, with users");
	add(b, "one:1", one, 1);
	ok(store_list(s, b->a, &v, &n, NULL) == 0 && n == 1 && !v[0].in_use, "not in use");
	memcpy(u.id, v[0].image.id, sizeof(u.id));
	ok(store_list(s, b->a, &v, &n, NULL) == 0 && n == 1 && v[0].in_use, "in use by a step");
	is_int(store_remove(s, b->a, "one:1", &b->e), -EBUSY, "rm: %s", b->e.msg);
	memset(&b->e, 0, sizeof(b->e));
	ok(store_prune(s, b->a, true, &p, &b->e) == 0 && p.images == 0, "prune --all leaves it");
	u.id[0] = '\0';
	ok(store_prune(s, b->a, true, &p, &b->e) == 0 && p.images == 1, "and takes it later");

	is_int(store_keep(s, b->a, "k", &b->image, STORE_OVERLAY | STORE_SHARE, &keep, &lock,
			  &b->e),
	       0, "a rank");
	u.dir = keep;
	close(lock);
	is_int(store_keep(s, b->a, "k", &b->image, STORE_OVERLAY | STORE_SHARE, &keep, &lock,
			  &b->e),
	       0, "the next rank of its step");
	close(lock);
	memset(&b->e, 0, sizeof(b->e));
	is_int(store_keep(s, b->a, "k", &b->image, STORE_OVERLAY, &next, &lock, &b->e), -EBUSY,
	       "another container");
	ok(strstr(b->e.msg, "step 7.0") != NULL && b->e.topic == ERR_TOPIC_BUSY, "%s", b->e.msg);
	u.dir = NULL;
	is_int(store_keep(s, b->a, "k", &b->image, STORE_OVERLAY, &next, &lock, &b->e), 0,
	       "when the step has ended");
	memset(&b->e, 0, sizeof(b->e));
	is_int(store_keep(s, b->a, "k", &b->image, STORE_OVERLAY | STORE_SHARE, &next, &second,
			  &b->e),
	       -EBUSY, "no rank then: %s", b->e.msg);
	close(lock);

	is_int(store_scratch(s, b->a, NULL, &scratch, &lock, &b->e), 0, "scratch");
	close(lock);
	u.dir = scratch;
	ok(store_prune(s, b->a, false, &p, &b->e) == 0 && access(scratch, F_OK) == 0,
	   "prune leaves it");
	is_int(store_scratch(s, b->a, NULL, &next, &lock, &b->e), 0, "another one");
	ok(access(scratch, F_OK) == 0, "so does whoever makes one beside it");
	close(lock);
	u.dir = NULL;
	ok(store_prune(s, b->a, false, &p, &b->e) == 0 && access(scratch, F_OK) < 0,
	   "and takes it later");
	store_close(s);
	memset(&b->e, 0, sizeof(b->e));
}

/* ---- which directories are stores ------------------------------------------------------- */

static int try_open(struct bench *b, const char *dir, const char *ro, struct store **s)
{
	const struct store_options o = { .dir = dir, .ro_list = ro, .uid = getuid() };

	b->e = (struct err){ 0 };
	*s = NULL;
	return store_open(b->a, &o, s, &b->e);
}

static void test_open(struct bench *b)
{
	const char *dir = text_of("%s/s", b->dir);
	struct store_options o = { .home = b->dir, .uid = getuid() };
	struct store *s;

	is_int(try_open(b, text_of("%s/made/for/us", b->dir), NULL, &s), 0,
	       "a new one, with parents");
	store_close(s);
	mkdir(dir, 0755);
	is_int(try_open(b, dir, NULL, &s), 0, "one that others may read, by name: %s", b->e.msg);
	store_close(s);
	chmod(dir, 0775);
	is_int(try_open(b, dir, NULL, &s), -EPERM, "one that others may write: %s", b->e.msg);
	ok(strstr(b->e.hint, "chmod go-w"), "hint: %s", b->e.hint);
	if (system(text_of("rm -rf %s", dir)) != 0)
		die(dir);
	if (symlink(b->path, dir) < 0)
		die(dir);
	is_int(try_open(b, dir, NULL, &s), -ELOOP, "a link: %s", b->e.msg);
	unlink(dir);
	close(open(dir, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	ok(try_open(b, dir, NULL, &s) < 0, "a file: %s", b->e.msg);
	ok(try_open(b, "", NULL, &s) < 0, "nothing");
	is_int(store_open(b->a, &o, &s, &b->e), 0, "the default");
	is_str(store_path(s), text_of("%s/.local/share/gpurun", b->dir), "below the home");
	store_close(s);
	o.xdg_data_home = text_of("%s/xdg", b->dir);
	is_int(store_open(b->a, &o, &s, &b->e), 0, "with XDG_DATA_HOME");
	is_str(store_path(s), text_of("%s/xdg/gpurun", b->dir), "there");
	store_close(s);
	o.uid = getuid() + 1;
	is_int(store_open(b->a, &o, &s, &b->e), -EPERM, "somebody else's: %s", b->e.msg);
}

static void test_read_only(struct bench *b)
{
	const char *mine = text_of("%s/mine", b->dir);
	const struct store_ensure_options eo = { .arch = "amd64", .quiet = true };
	struct store_entry *v;
	struct image_ref ref;
	struct image image;
	struct store *s;
	int lock = -1;
	size_t n;

	is_int(try_open(b, mine, text_of("%s:/no/such:relative", b->path), &s), 0,
	       "a store with others to read from");
	image_ref_parse(b->a, "other:1", &ref, &b->e);
	is_int(store_ensure(s, b->a, &ref, &eo, &image, &lock, &b->e), 0,
	       "an image of another store");
	ok(strncmp(image.lowers.v[0], b->path, strlen(b->path)) == 0, "from there: %s",
	   image.lowers.v[0]);
	close(lock);
	image_ref_parse(b->a, text_of("%s/other:1.tar", b->dir), &ref, &b->e);
	is_int(store_ensure(s, b->a, &ref, &eo, &image, &lock, &b->e), 0, "by its file");
	ok(strncmp(image.lowers.v[0], b->path, strlen(b->path)) == 0, "from there as well");
	close(lock);
	is_int(store_list(s, b->a, &v, &n, &b->e), 0, "list");
	ok(n > 0 && v[0].read_only, "shows it as read-only");
	is_int(store_remove(s, b->a, "other:1", &b->e), -EROFS, "rm refuses: %s", b->e.msg);
	store_close(s);
	chmod(b->path, 0777);
	is_int(try_open(b, mine, b->path, &s), 0, "one that everybody may write");
	image_ref_parse(b->a, "other:1", &ref, &b->e);
	is_int(store_ensure(s, b->a, &ref, &eo, &image, &lock, &b->e), -ENOENT, "is left out");
	store_close(s);
	chmod(b->path, 0700);
}

/* ---- no room ---------------------------------------------------------------------------- */

/* In a child: a file system of 2 MiB, an image of 4. */
static int no_room(struct bench *b)
{
	struct bytes t = { 0 };
	const char *path;

	tar_add(&t, "big", '0', NULL, bytes_zero(4 << 20));
	tar_end(&t);
	path = bench_file(b, "big.tar", t);
	mkdir(text_of("%s/small", b->dir), 0700);
	if (userns_enter(open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) != 0 ||
	    mount("tmpfs", text_of("%s/small", b->dir), "tmpfs", 0, "size=2m,mode=0700") < 0)
		return 99;
	b->path = text_of("%s/small", b->dir);
	bench_open(b, NULL);
	if (b->r < 0 || bench_ensure(b, path) != -ENOSPC)
		return 1;
	if (!strstr(b->e.msg, "no room") || !strstr(b->e.hint, "prune"))
		return 2;
	return bench_count(b, "tmp") == 0 && bench_count(b, "images") == 0 ? 0 : 3;
}

static void test_no_room(struct bench *b)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0)
		_exit(no_room(b));
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 99)
		skip("no user namespaces here");
	else
		is_int(status, 0, "a full file system is said, and nothing is left in it");
}

int main(void)
{
	const struct log_config quiet = { .quiet = true };
	struct bench b;

	log_setup(&quiet);
	umask(022);
	bench_begin(&b);
	add(&b, "one:1", one, 1);
	add(&b, "other:1", other, 2);
	test_list(&b);
	test_remove(&b);
	test_prune(&b);
	test_prune_living(&b);
	test_cleaner(&b);
	test_verify(&b);
	test_settle(&b);
	test_power_cut(&b);
	test_shared_damage(&b);
	test_failing_host(&b);
	test_new_links(&b);
	test_clock(&b);
	store_prune(b.s, b.a, true, &(struct store_pruned){ 0 }, &b.e);
	test_users(&b);
	test_keep(&b);
	test_scratch(&b);
	test_open(&b);
	test_read_only(&b);
	test_no_room(&b);
	bench_end(&b);
	return done_testing();
}
