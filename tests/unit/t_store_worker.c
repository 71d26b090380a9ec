/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker that was taken over: what it says, what it leaves in its stage, and what it may still
 * do behind its walls.  worker_run() is ours here: it does the worker's work with the worker's own
 * functions, in the real sandbox, and then one bad thing.  listing_open() is ours, too: with it the
 * parent begins to look at what was made.
 */
#define listing_open listing_open_honest
#define worker_run   worker_honest
#include "../../src/store/worker.c"

#undef RECORD_MAX
#include "../../src/store/listing.c"
#undef listing_open
#undef worker_run
int listing_open(struct arena *a, int fd, struct listing_reader *r, struct listing_header *ret);
void worker_run(const struct worker_input *in, int sock) __attribute__((noreturn));

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <gpurun/sys.h>

#include "../../src/store/store_private.h"
#include "stores.h"

#define SWAP_TRIES 2000000

/* What the worker does, what it is to do that with, and what came of it: shared with the test. */
static struct shared {
	void (*evil)(struct worker *w, const struct msg *order);
	void (*before)(struct worker *w);
	char path[PATH_MAX];
	pid_t victim, worker;
	uint32_t starts, alive; /* workers; how often one lived when its work was looked at */
	bool done, link;
	char tried[2048];
} * sh;

/* ---- a worker that does its work, and more ---------------------------------------------- */

void worker_run(const struct worker_input *in, int sock)
{
	struct worker w = { .in = in, .sock = sock, .stage = -1 };
	struct msg m = { .type = MSG_FAILED };
	struct msg order;

	if (!sh || (!sh->evil && !sh->before))
		worker_honest(in, sock);
	sh->starts++;
	sh->worker = getpid();
	w.arena = arena_new(WORKER_ARENA);
	if (worker_start(&w, &m.err) < 0) {
		(void)worker_send(sock, &m);
		_exit(1);
	}
	if (sh->before)
		sh->before(&w);
	if (read_manifest(&w, &m.err) < 0 || worker_receive(sock, &order) < 0)
		_exit(2);
	if (sh->evil)
		sh->evil(&w, &order);
	(void)obey(&w, &order, &m.err);
	(void)worker_receive(sock, &order);
	_exit(3);
}

int listing_open(struct arena *a, int fd, struct listing_reader *r, struct listing_header *ret)
{
	if (sh->worker && kill(sh->worker, 0) == 0)
		sh->alive++;
	return listing_open_honest(a, fd, r, ret);
}

static void say(struct worker *w, enum msg_type type)
{
	struct msg m = { .type = type };

	(void)worker_send(w->sock, &m);
	(void)pause();
}

static void unpack_quietly(struct worker *w, const struct msg *order)
{
	struct err e;

	if (order->type == MSG_FLAT)
		(void)layers_flat(&w->layers, &e);
	else
		(void)layers_apart(&w->layers, order->wanted, &e);
}

/* ---- in the stage ----------------------------------------------------------------------- */

/* When it is where it shall stay, it becomes something else. */
static void evil_swap(struct worker *w, const struct msg *order)
{
	struct msg done = { .type = MSG_DONE };
	struct stat st;
	int dir;

	unpack_quietly(w, order);
	dir = root_open(w->stage, "layer-0", O_RDONLY | O_DIRECTORY, 0);
	(void)!symlinkat(sh->path, dir, "link");
	(void)worker_send(w->sock, &done);
	for (int i = 0; i < SWAP_TRIES && fstatat(w->stage, "layer-0", &st, 0) == 0; i++)
		;
	sh->done = syscall(SYS_renameat2, dir, "link", dir, "fs", 2) == 0;
	(void)pause();
}

static void evil_layer_link(struct worker *w, const struct msg *order)
{
	unpack_quietly(w, order);
	sh->done = renameat(w->stage, "layer-0", w->stage, "other") == 0 &&
		   symlinkat("other", w->stage, "layer-0") == 0;
	say(w, MSG_DONE);
}

static void evil_fs_link(struct worker *w, const struct msg *order)
{
	unpack_quietly(w, order);
	sh->done = renameat(w->stage, "layer-0/fs", w->stage, "other") == 0 &&
		   symlinkat(sh->path, w->stage, "layer-0/fs") == 0;
	say(w, MSG_DONE);
}

static void evil_list_fifo(struct worker *w, const struct msg *order)
{
	unpack_quietly(w, order);
	sh->done = unlinkat(w->stage, "layer-0/list", 0) == 0 &&
		   mknodat(w->stage, "layer-0/list", S_IFIFO | 0600, 0) == 0;
	say(w, MSG_DONE);
}

/* As the parent does, and where the parent has its lock. */
static void evil_record(struct worker *w, const struct msg *order)
{
	struct msg done = { .type = MSG_DONE };
	struct stat st;

	unpack_quietly(w, order);
	sh->done = mknodat(w->stage, "record", S_IFIFO | 0600, 0) == 0 &&
		   fstatat(w->stage, STAGE_LOCK, &st, 0) < 0;
	(void)worker_send(w->sock, &done);
	(void)pause();
}

/* What is dropped has a name that leads elsewhere; the second worker is as bad. */
static void evil_chmod(struct worker *w, const struct msg *order)
{
	if (order->type != MSG_LAYERS) {
		unpack_quietly(w, order);
		say(w, MSG_DONE);
	}
	sh->done = symlinkat(sh->path, w->stage, "layer-0") == 0;
	say(w, MSG_DEPENDENT);
}

/* ---- the manifest ----------------------------------------------------------------------- */

static void replace_manifest(struct worker *w, const struct record *rec)
{
	struct msg m = { .type = MSG_MANIFEST, .layers = 1 };
	size_t len;
	const char *text = record_format(w->arena, rec, &len);
	int fd = root_open(w->stage, WORKER_MANIFEST, O_WRONLY | O_CREAT | O_EXCL, 0600);

	sh->done = fd >= 0 && fd_write_all(fd, text, len) == 0;
	(void)image_open(w->arena, w->in->source, w->in->ref, w->stage, w->in->arch,
			 &w->layers.source, &w->manifest, NULL);
	(void)worker_send(w->sock, &m);
	(void)worker_receive(w->sock, &m);
	(void)obey(w, &m, NULL);
	(void)pause();
}

/* Somebody else's layer on top, and numbers. */
static void before_lower(struct worker *w)
{
	struct record rec = { .boot = RECORD_SETTLED, .abi = true };

	strv_push(w->arena, &rec.lowers, sh->path);
	rec.image.bytes = rec.image.entries = 1000;
	rec.image.passwd = "root:x:0:0::/evil:/bin/evil";
	rec.image.abi.ld_cache = "0:/etc/shadow";
	replace_manifest(w, &rec);
}

static void before_manifest_link(struct worker *w)
{
	sh->done = symlinkat(sh->path, w->stage, WORKER_MANIFEST) == 0;
	say(w, MSG_MANIFEST);
}

static void before_manifest_fifo(struct worker *w)
{
	sh->done = mknodat(w->stage, WORKER_MANIFEST, S_IFIFO | 0600, 0) == 0;
	say(w, MSG_MANIFEST);
}

/* ---- words ------------------------------------------------------------------------------ */

static void evil_nothing(struct worker *w, const struct msg *order)
{
	(void)order;
	say(w, MSG_DONE);
}

static void evil_other_layer(struct worker *w, const struct msg *order)
{
	struct msg m = { .type = MSG_LAYER, .layer = 1 };

	memset(m.diff_id, 'a', IMAGE_ID_HEX);
	(void)order;
	(void)worker_send(w->sock, &m);
	(void)pause();
}

static void evil_second_manifest(struct worker *w, const struct msg *order)
{
	struct msg m = { .type = MSG_MANIFEST, .layers = IMAGE_LAYERS_MAX };

	(void)order;
	(void)worker_send(w->sock, &m);
	say(w, MSG_DONE);
}

static void evil_status(struct worker *w, const struct msg *order)
{
	struct msg m = { .type = MSG_FAILED };

	(void)order;
	m.err.status = 256;
	m.err.code = 1 << 20;
	m.err.topic = ERR_TOPIC_OVERLAY;
	memset(m.err.msg, 'x', sizeof(m.err.msg));
	memset(m.err.hint, 'y', sizeof(m.err.hint));
	(void)worker_send(w->sock, &m);
	(void)pause();
}

static void evil_words(struct worker *w, const struct msg *order)
{
	static const char text[] = "gpurun: memory: it is at its end\nand more\n";

	(void)w;
	(void)order;
	(void)!write(STDERR_FILENO, text, sizeof(text) - 1);
	_exit(7);
}

#ifdef SANDBOX_ASAN /* they go where a report would go */
#define LAST_WORDS ""
#else
#define LAST_WORDS ": memory: it is at its end"
#endif

static const struct evil {
	const char *name;
	void (*evil)(struct worker *w, const struct msg *order);
	void (*before)(struct worker *w);
	int code;
	const char *words; /* in the message */
} bad_ones[] = {
	{ "a layer is a link", evil_layer_link, NULL, -ELOOP, "the unpacked layer 1" },
	{ "fs is a link", evil_fs_link, NULL, -ELOOP, "the unpacked layer 1" },
	{ "list is a FIFO", evil_list_fifo, NULL, -EBADMSG, "the unpacked layer 1" },
	{ "manifest is a link", NULL, before_manifest_link, -ELOOP, "manifest is damaged" },
	{ "manifest is a FIFO", NULL, before_manifest_fifo, -EBADMSG, "manifest is damaged" },
	{ "done, without a layer", evil_nothing, NULL, -EPROTO, "nonsense" },
	{ "a layer that nobody ordered", evil_other_layer, NULL, -EPROTO, "nonsense" },
	{ "a second manifest", evil_second_manifest, NULL, -EPROTO, "nonsense" },
	{ "an error of its own making", evil_status, NULL, -EPROTO, "xxxx" },
	{ "last words", evil_words, NULL, -EIO, "status 7" LAST_WORDS },
};

static void act(struct bench *b, const struct evil *evil, const char *path)
{
	memset(sh->tried, 0, sizeof(sh->tried));
	sh->done = false;
	sh->starts = sh->alive = 0;
	sh->worker = 0;
	sh->evil = evil->evil;
	sh->before = evil->before;
	(void)bench_ensure(b, path);
	sh->evil = NULL;
	sh->before = NULL;
}

/* Calls that this kernel does not have from now on. */
static void kernel_lacks(uint32_t a, uint32_t b)
{
	struct sock_filter prog[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, a, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, b, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EOPNOTSUPP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    sys_seccomp_filter(prog, ELEMENTS(prog)) < 0)
		die("seccomp");
}

#define NR_LANDLOCK 444
#define NR_NOTHING  0xffffff

/* In a process of its own, with a kernel that lacks two calls; the message is left in sh->path. */
static int act_without(struct bench *b, const struct evil *evil, const char *path, uint32_t a,
		       uint32_t c)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0) {
		struct stat st;

		kernel_lacks(a, c);
		act(b, evil, path);
		sh->link =
			b->r == 0 && lstat(b->image.lowers.v[0], &st) == 0 && S_ISLNK(st.st_mode);
		(void)snprintf(sh->path, sizeof(sh->path), "%s", b->e.msg);
		_exit(b->r == 0 ? 0 : 1);
	}
	(void)waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *outside(struct bench *b)
{
	const char *dir = text_of("%s/outside", b->dir);

	if (mkdir(dir, 0755) < 0 && errno != EEXIST)
		die(dir);
	return dir;
}

static void test_refused(struct bench *b)
{
	for (size_t i = 0; i < ELEMENTS(bad_ones); i++) {
		const struct evil *evil = &bad_ones[i];
		const char *path = bench_file(b, text_of("r%zu.tar", i),
					      layer_of(text_of("f refused %zu", i)));
		int layers = bench_count(b, "layers"), images = bench_count(b, "images");

		(void)snprintf(sh->path, sizeof(sh->path), "%s", outside(b));
		act(b, evil, path);
		is_int(b->r, evil->code, "%s: refused", evil->name);
		ok(strstr(b->e.msg, evil->words), "%s: %.100s", evil->name, b->e.msg);
		ok(strlen(b->e.msg) < ERR_MSG_MAX && strlen(b->e.hint) < ERR_HINT_MAX,
		   "%s: the words end", evil->name);
		ok(b->e.status == 0 || b->e.status == EXIT_GPURUN, "%s: the status is ours",
		   evil->name);
		is_int((int)b->e.topic, ERR_TOPIC_NONE, "%s: the topic, too", evil->name);
		is_int(bench_count(b, "images"), images, "%s: no image", evil->name);
		is_int(bench_count(b, "layers"), layers, "%s: no layer", evil->name);
		is_int(bench_count(b, "tmp"), 0, "%s: no stage", evil->name);
		is_int(bench_ensure(b, path), 0, "%s: another worker's turn", evil->name);
	}
}

/* What the parent writes itself is not where the worker is. */
static void test_record(struct bench *b)
{
	static const struct evil evil = { .evil = evil_record };

	act(b, &evil, bench_file(b, "record.tar", layer_of("f record 1")));
	is_int(b->r, 0, "a worker that makes what its parent is going to make");
	ok(sh->done, "elsewhere");
}

static void test_alive(struct bench *b)
{
	static const struct evil evil = { .evil = evil_record };

	act(b, &evil, bench_file(b, "alive.tar", layer_of("f alive 1")));
	is_int(b->r, 0, "a worker in no hurry, layers");
	is_int((int)sh->alive, 0, "is dead before anything is looked at");
	sh->evil = evil_record;
	is_int(bench_ensure_form(b, text_of("%s/alive.tar", b->dir), true), 0, "the flat form");
	sh->evil = NULL;
	is_int((int)sh->starts, 2, "another worker");
	is_int((int)sh->alive, 0, "is dead before anything is looked at");
}

static void test_swap(struct bench *b)
{
	static const struct evil evil = { .evil = evil_swap };
	const char *path = bench_file(b, "swap.tar", layer_of("f swap 1"));

	(void)snprintf(sh->path, sizeof(sh->path), "%s", outside(b));
	/* Landlock would hold it back: what has left the stage is not below the stage */
	is_int(act_without(b, &evil, path, NR_NOTHING, NR_LANDLOCK), 0,
	       "a worker that waits for its layer to be published");
	ok(!sh->done, "does not live to see it");
	ok(!sh->link, "the layer is no link");
}

static void test_chmod(struct bench *b)
{
	static const struct evil evil = { .evil = evil_chmod };
	const char *path = bench_file(b, "chmod.tar", layer_of("f chmod 1"));
	struct stat st;
	int fd;

	(void)snprintf(sh->path, sizeof(sh->path), "%s", bench_file(b, "victim", bytes_of("v")));
	act(b, &evil, path);
	is_int(b->r, 0, "a link that is to be dropped");
	is_int((int)sh->starts, 2, "the flat form is another worker's");
	ok(sh->done, "the link was there");
	ok(stat(sh->path, &st) == 0 && (st.st_mode & 07777) == 0644, "nothing happens to its end");
	fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)!symlink("victim", text_of("%s/name", b->dir));
	is_int(remove_tree(fd, "name", NULL), -ENOTDIR, "a link is no tree to be removed");
	ok(stat(sh->path, &st) == 0 && (st.st_mode & 07777) == 0644, "and leads nowhere");
	close(fd);
}

static void test_lower(struct bench *b)
{
	static const struct evil evil = { .before = before_lower };
	const char *other;

	is_int(bench_ensure(b, bench_file(b, "other.tar", layer_of("f other 1"))), 0, "an image");
	other = path_base(
		text_of("%.*s", (int)strlen(b->image.lowers.v[0]) - 3, b->image.lowers.v[0]));
	(void)snprintf(sh->path, sizeof(sh->path), "%s", other);
	act(b, &evil, bench_file(b, "mine.tar", layer_of("f mine 1")));
	is_int(b->r, 0, "a manifest that names another image's layer");
	ok(sh->done, "it was written");
	is_int((int)b->image.lowers.n, 1, "the image has its own layer");
	ok(!strstr(b->image.lowers.v[0], other), "and no other");
	is_int((int)b->image.entries, 1, "its entries");
	is_str(b->image.passwd, "", "its users");
	ok(!b->image.abi.ld_cache, "its cache of libraries");
}

/* ---- behind the walls ------------------------------------------------------------------- */

/* Note what should not have been possible. */
static void attempt(bool succeeded, const char *what)
{
	size_t n = strlen(sh->tried);

	if (succeeded)
		(void)snprintf(sh->tried + n, sizeof(sh->tried) - n, "%s; ", what);
}

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

/* Does a path lead from @fd to something else than @fd? */
static bool leads_out(int fd, const char *path)
{
	const struct open_how how = { .flags = O_PATH | O_CLOEXEC };
	int there = sys_openat2(fd, path, &how);

	return there >= 0 && !same_file(fd, there);
}

static void try_processes(struct worker *w)
{
	const struct rlimit none = { 0, 0 };
	const pid_t victim = sh->victim;

	attempt(syscall(SYS_tgkill, victim, victim, SIGKILL) == 0, "tgkill");
	attempt(kill(victim, SIGKILL) == 0, "kill");
	attempt(fcntl(w->sock, F_SETOWN, victim) == 0, "F_SETOWN");
	attempt(fcntl(w->sock, F_SETSIG, SIGKILL) == 0, "F_SETSIG");
	attempt(fcntl(w->sock, F_SETFL, O_ASYNC) == 0, "F_SETFL");
	attempt(fcntl(w->stage, F_NOTIFY, 1) == 0, "F_NOTIFY");
	attempt(fcntl(w->in->source, F_SETLEASE, F_RDLCK) == 0, "F_SETLEASE");
	attempt(syscall(SYS_prlimit64, victim, RLIMIT_FSIZE, &none, NULL) == 0, "prlimit64");
	attempt(syscall(SYS_prlimit64, victim, RLIMIT_FSIZE, NULL, NULL) == 0, "prlimit64 to read");
	attempt(prctl(PR_SET_PDEATHSIG, 0) == 0, "PR_SET_PDEATHSIG");
	attempt(prctl(PR_SET_DUMPABLE, 1) == 0, "PR_SET_DUMPABLE");
	attempt(prctl(PR_SET_PTRACER, victim) == 0, "PR_SET_PTRACER");
	attempt(fork() >= 0, "fork");
}

static void try_files(struct worker *w)
{
	const struct open_how create = { .flags = O_WRONLY | O_CREAT | O_CLOEXEC, .mode = 0600 };
	struct stat st;

	attempt(leads_out(w->stage, ".."), "the stage's ..");
	attempt(leads_out(w->stage, sh->path), "a path of the host");
	attempt(leads_out(w->in->source, ".."), "the source's ..");
	attempt(sys_openat2(w->in->source, "../was-here", &create) >= 0,
		"a file beside the source");
	attempt(sys_openat2(w->in->source, "was-here", &create) >= 0, "a file in the source");
	attempt(fchmod(w->in->source, 0777) == 0, "the source's mode");
	attempt(futimens(w->in->source, NULL) == 0, "the source's times");
	for (int fd = 0; fd < 3; fd++)
		attempt(fstat(fd, &st) < 0 || S_ISCHR(st.st_mode), "a device of the host");
}

static void before_tries(struct worker *w)
{
	try_processes(w);
	try_files(w);
	sh->done = true;
}

static const struct evil tries = { .before = before_tries };

static pid_t start_victim(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (true)
			(void)pause();
	}
	return pid;
}

static bool namespaces(void)
{
	pid_t pid = fork();
	int status = 0;

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0);
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static void look(struct bench *b, const char *path, const char *what, bool landlock)
{
	(void)snprintf(sh->path, sizeof(sh->path), "%s", b->dir);
	is_int(act_without(b, &tries, path, NR_NOTHING, landlock ? NR_NOTHING : NR_LANDLOCK), 0,
	       "%s: unpacked", what);
	ok(sh->done, "%s: everything was tried", what);
	is_str(sh->tried, "", "%s: and nothing succeeded", what);
}

static void test_walls(struct bench *b)
{
	const char *tar = bench_file(b, "w1.tar", layer_of("f walls 1"));
	const char *bare = bench_file(b, "w2.tar", layer_of("f walls 2"));
	struct stat st;

	sh->victim = start_victim();
	if (namespaces()) {
		look(b, tar, "a file", true);
		look(b, layout_directory(b, "w1", layer_of("f w 1")), "a layout", true);
		look(b, bench_file(b, "w3.tar", layer_of("f walls 3")), "a file, no Landlock",
		     false);
		look(b, layout_directory(b, "w2", layer_of("f w 2")), "a layout, no Landlock",
		     false);
	} else {
		skip("this machine has no user namespaces");
	}
	ok(waitpid(sh->victim, NULL, WNOHANG) == 0, "another process of ours lives");
	ok(stat(text_of("%s/was-here", b->dir), &st) < 0, "nothing beside the source");
	ok(stat(tar, &st) == 0 && (st.st_mode & 07777) == 0644, "the file has its mode");
	is_int(act_without(b, &tries, bare, SYS_unshare, NR_LANDLOCK), 1, "no wall at all");
	ok(strstr(sh->path, "neither namespaces nor Landlock"), "refused: %s", sh->path);
	ok(!sh->done, "before a byte is read");
	(void)kill(sh->victim, SIGKILL);
	(void)waitpid(sh->victim, NULL, 0);
}

int main(void)
{
	struct bench b;

	bench_begin(&b);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (sh == MAP_FAILED)
		die("mmap");
	if (store_overlay(b.s)) {
		test_refused(&b);
		test_record(&b);
		test_alive(&b);
		if (namespaces())
			test_swap(&b);
		test_chmod(&b);
		test_lower(&b);
	} else {
		skip("overlay cannot be used here: no layers");
	}
	test_walls(&b);
	bench_end(&b);
	return done_testing();
}
