/* SPDX-License-Identifier: Apache-2.0 */
/*
 * doctor_probe.c - CUDA tried in a container: the embedded probe (src/probe/cuda_probe.c) is
 * written to a file, bound into a container that our own program starts, and its lines are read.
 *
 * Going through "gpurun run" is the point: the same options, configuration and environment hold
 * as for the user's own commands.  What the container prints is bounded in size and time.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/json.h>
#include <gpurun/layers.h>
#include <gpurun/str.h>

#include "doctor.h"

#define PROBE_FILE   "cuda_probe"
#define PROBE_INSIDE "/.gpurun-probe"
#define PROBE_MS     INT64_C(120000)
#define PROBE_OUTPUT (64U << 10) /* of each of the two streams; what comes after is dropped */

/* ---- the probe's lines ---------------------------------------------------------------------- */

/* Cut the first word off; "" at the end. */
static const char *word(char **rest)
{
	char *w = *rest;
	size_t n = strcspn(w, " ");

	*rest = w + n + (w[n] == ' ');
	w[n] = '\0';
	return w;
}

static int number(const char *text)
{
	uint64_t n = 0;

	return num_u64(text, INT32_MAX, &n) < 0 ? -1 : (int)n;
}

static void take_node(struct arena *a, char *rest, struct probe *p)
{
	const char *path = word(&rest);

	(void)a;
	if (p->n_nodes == PROBE_NODES_MAX)
		return;
	p->nodes[p->n_nodes].path = path;
	p->nodes[p->n_nodes++].error = number(rest);
}

static void take_library(struct arena *a, char *rest, struct probe *p)
{
	if (p->libraries.n < PROBE_NODES_MAX)
		strv_push(a, &p->libraries, rest);
}

static void take_driver(struct arena *a, char *rest, struct probe *p)
{
	int n = number(rest);

	(void)a;
	p->driver = n < 0 ? 0 : n;
}

static void take_init(struct arena *a, char *rest, struct probe *p)
{
	(void)a;
	p->init = number(word(&rest));
	p->init_text = rest;
}

static void take_count(struct arena *a, char *rest, struct probe *p)
{
	(void)a;
	p->count = number(rest);
}

static void take_device(struct arena *a, char *rest, struct probe *p)
{
	struct probe_device v = { .pci = "", .name = "", .alloc = -1, .kernel = -1 };

	(void)a;
	if (number(word(&rest)) != (int)p->n_devices || p->n_devices == PROBE_DEVICES_MAX)
		return;
	v.pci = word(&rest);
	v.name = rest;
	v.alloc_text = v.kernel_text = "";
	p->devices[p->n_devices++] = v;
}

/* The device that a line is about: the last one that was named. */
static struct probe_device *device_of(char **rest, struct probe *p)
{
	int n = number(word(rest));

	return n >= 0 && (size_t)n + 1 == p->n_devices ? &p->devices[n] : NULL;
}

static void take_alloc(struct arena *a, char *rest, struct probe *p)
{
	struct probe_device *v = device_of(&rest, p);

	(void)a;
	if (!v)
		return;
	v->alloc = number(word(&rest));
	v->alloc_text = rest;
}

static void take_kernel(struct arena *a, char *rest, struct probe *p)
{
	struct probe_device *v = device_of(&rest, p);

	(void)a;
	if (!v)
		return;
	v->kernel = number(word(&rest));
	v->kernel_text = rest;
}

static const struct line {
	const char *key;
	void (*take)(struct arena *a, char *rest, struct probe *p);
} lines[] = {
	{ "node", take_node },   { "library", take_library }, { "driver", take_driver },
	{ "cuInit", take_init }, { "devices", take_count },   { "device", take_device },
	{ "alloc", take_alloc }, { "kernel", take_kernel },
};

void probe_parse(struct arena *a, const char *text, struct probe *ret)
{
	struct strv v = { 0 };

	ret->init = ret->count = -1;
	ret->init_text = "";
	str_split(a, text, '\n', &v);
	for (size_t i = 0; i < v.n; i++) {
		char *rest = arena_strdup(a, v.v[i]);
		const char *key = word(&rest);

		for (size_t k = 0; k < ELEMENTS(lines); k++)
			if (str_eq(lines[k].key, key))
				lines[k].take(a, rest, ret);
	}
	ret->ran = ret->driver || ret->init >= 0 || ret->n_nodes;
}

/* One line of stderr: a message of ours (JSON), or the dynamic linker's. */
static void take_message(struct arena *a, const char *text, struct probe *p)
{
	const struct json *doc = NULL;
	const char *level, *msg;
	struct err ignored = { 0 };

	if (strstr(text, "error while loading shared libraries"))
		p->linker = text;
	if (text[0] != '{' || json_parse(a, text, strlen(text), "message", &doc, &ignored) < 0)
		return;
	level = json_str(doc, "level");
	msg = json_str(doc, "msg");
	if (!level || !msg)
		return;
	if (str_eq(level, "debug") && str_after(msg, "layer ")) {
		if (p->layers.n < PLAN_LAYERS_MAX)
			strv_push(a, &p->layers, str_after(msg, "layer "));
	} else if (str_eq(level, "error")) {
		p->error = msg;
		p->hint = json_str(doc, "hint");
	} else if (str_eq(level, "warning") && !p->warning) {
		p->warning = msg;
		p->warning_hint = json_str(doc, "hint");
	}
}

/* ---- a child and its output -------------------------------------------------------------------- */

struct stream {
	int fd;
	char *buf;
	size_t len;
};

static int64_t now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Take what is there; a full buffer is read over, so that the writer does not wait for us. */
static void stream_read(struct stream *s)
{
	char spare[4096];
	bool full = s->len == PROBE_OUTPUT;
	ssize_t n = read(s->fd, full ? spare : s->buf + s->len,
			 full ? sizeof(spare) : PROBE_OUTPUT - s->len);

	if (n > 0 && !full)
		s->len += (size_t)n;
	else if (n == 0 || (n < 0 && errno != EINTR && errno != EAGAIN))
		s->fd = fd_close(s->fd);
}

/* Until both ends are closed; false when the time is over. */
static bool streams_read(struct stream v[2])
{
	int64_t end = now_ms() + PROBE_MS;

	while (v[0].fd >= 0 || v[1].fd >= 0) {
		struct pollfd p[2] = { { .fd = v[0].fd, .events = POLLIN },
				       { .fd = v[1].fd, .events = POLLIN } };
		int64_t left = end - now_ms();

		if (left <= 0)
			return false;
		if (poll(p, 2, (int)left) <= 0)
			continue;
		for (size_t i = 0; i < 2; i++)
			if (p[i].revents)
				stream_read(&v[i]);
	}
	return true;
}

static int spawn_self(const struct strv *argv, int out, int err, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	int r = posix_spawn_file_actions_init(&actions);

	if (r != 0)
		return -r;
	r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (r == 0)
		r = posix_spawn_file_actions_adddup2(&actions, err, STDERR_FILENO);
	if (r == 0)
		r = posix_spawn(ret, "/proc/self/exe", &actions, NULL,
				(char *const *)(uintptr_t)argv->v, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	return -r;
}

/* Run ourselves; the status as a shell has it, -1 when it had to be killed, -errno below that. */
static int run_self(struct arena *a, const struct strv *argv, struct stream v[2], int *ret_status)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int r = 0, status = 0;
	bool in_time;
	pid_t pid = -1;

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		r = -errno;
	if (r == 0)
		r = spawn_self(argv, out[1], err[1], &pid);
	(void)fd_close(out[1]);
	(void)fd_close(err[1]);
	v[0] = (struct stream){ .fd = out[0], .buf = arena_alloc(a, PROBE_OUTPUT + 1) };
	v[1] = (struct stream){ .fd = err[0], .buf = arena_alloc(a, PROBE_OUTPUT + 1) };
	if (r < 0) {
		(void)fd_close(out[0]);
		(void)fd_close(err[0]);
		return r;
	}
	in_time = streams_read(v);
	(void)fd_close(v[0].fd);
	(void)fd_close(v[1].fd);
	if (!in_time)
		(void)kill(pid, SIGKILL); /* the container dies with it */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_status = !in_time            ? -1
		      : WIFEXITED(status) ? WEXITSTATUS(status)
					  : 128 + WTERMSIG(status);
	return 0;
}

/* ---- the container ------------------------------------------------------------------------- */

/* "gpurun run" with the probe in place of the image's command. */
static void make_argv(const struct doctor *d, const char *probe, struct strv *ret)
{
	const char *const words[] = {
		"gpurun",
		"run",
		"--log-format=json",
		"--verbose",
		"--no-tty",
		arena_printf(d->a, "--volume=%s:%s:ro", probe, PROBE_INSIDE),
		arena_printf(d->a, "--entrypoint=%s", PROBE_INSIDE),
		"--workdir=/",
	};
	const struct gpu_set *set = &d->host.gpus;

	for (size_t i = 0; i < ELEMENTS(words); i++)
		strv_push(d->a, ret, words[i]);
	/* what the chosen GPUs are is seen where those of other ranks are not */
	if (d->host.job.kind == JOB_STEP)
		strv_push(d->a, ret, "--share=none");
	if (d->q->store)
		strv_push(d->a, ret, arena_printf(d->a, "--store=%s", d->q->store));
	if (d->q->gpus)
		strv_push(d->a, ret, arena_printf(d->a, "--gpus=%s", d->q->gpus));
	if (d->q->driver_root)
		strv_push(d->a, ret, arena_printf(d->a, "--driver-root=%s", d->q->driver_root));
	strv_push(d->a, ret, "--");
	strv_push(d->a, ret, d->q->args.v[0]);
	if (!d->chosen.n)
		return;
	strv_push(d->a, ret, "/dev/nvidiactl");
	strv_push(d->a, ret, "/dev/nvidia-uvm");
	for (size_t i = 0; i < set->n && i < PROBE_NODES_MAX - 2; i++)
		if (set->v[i].node.path)
			strv_push(d->a, ret, set->v[i].node.path);
}

static int write_probe(const char *path)
{
	static const unsigned char bytes[] = {
#include <cuda_probe.h>
	};
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	int r = fd < 0 ? -errno : fd_write_all(fd, bytes, sizeof(bytes));

	/* the umask may have taken what the container's user needs */
	if (r == 0 && fchmod(fd, 0755) < 0)
		r = -errno;
	return r;
}

static int run_probe(struct doctor *d, const char *path, struct probe *p, struct err *e)
{
	struct strv argv = { 0 }, messages = { 0 };
	struct stream v[2];
	int r = write_probe(path);

	if (r < 0)
		return err_sys(e, -r, "%s", path);
	make_argv(d, path, &argv);
	r = run_self(d->a, &argv, v, &p->status);
	if (r < 0)
		return err_sys(e, -r, "/proc/self/exe");
	probe_parse(d->a, v[0].buf, p);
	str_split(d->a, v[1].buf, '\n', &messages);
	for (size_t i = 0; i < messages.n; i++)
		take_message(d->a, messages.v[i], p);
	p->started = p->ran || p->linker || (p->status >= 0 && p->status != EXIT_GPURUN);
	return 0;
}

/*
 * The probe is put into a scratch directory of the store: programs can be executed there, nobody
 * else can write to it, and prune removes it when we are killed.
 */
void doctor_probe(struct doctor *d, struct probe *ret)
{
	_cleanup_fd_ int lock = -1;
	const char *dir = NULL, *path;
	struct err e = { 0 };

	ret->status = -1;
	ret->init = ret->count = -1;
	if (store_scratch(d->store, d->a, NULL, &dir, &lock, &e) >= 0) {
		path = arena_printf(d->a, "%s/" PROBE_FILE, dir);
		(void)run_probe(d, path, ret, &e);
		(void)unlink(path);
		(void)store_scratch_remove(dir);
	}
	if (err_is_set(&e))
		ret->error = arena_strdup(d->a, e.msg);
}
