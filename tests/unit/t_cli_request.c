/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What options put into the request: everything but mounts and variables.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <gpurun/log.h>

#include "../../src/cli/cmd.h"
#include "tap.h"

static struct arena *arena;
static struct ask asked;
static struct err err;

/* The whole way of "gpurun run WORDS... image". */
static int ask_words(const char *const *words)
{
	const struct cmd_in in = { .a = arena, .cmd = &cmd_run, .ask = &asked, .words = words };

	memset(&asked, 0, sizeof(asked));
	memset(&err, 0, sizeof(err));
	return cmd_ask(&in, &err);
}

#define ASK(...) ask_words((const char *const[]){ __VA_ARGS__, "image", "cmd", "-x", NULL })

static void test_words(void)
{
	const struct request *q = &asked.request;

	is_int(ASK("--rm", "-it", "--init", "--network", "host", "-u", "5:6", "--ipc=host"), 0,
	       "docker's habits: %s", err.msg);
	is_str(q->image, "image", "the image");
	is_int((int)q->args.n, 2, "the command");
	is_str(q->args.v[1], "-x", "its option");
	ok(q->args.v[2] == NULL, "its end");
	ok(q->tty == TRI_ON && q->interactive && q->ipc == NS_HOST && q->net == NET_HOST, "flags");
	is_str(q->user, "5:6", "-u is kept as text");
	ok(!q->root, "and is not root");
	is_int(ASK("--no-tty", "--pid=private", "--uts", "private", "--net=none", "--no-init"), 0,
	       "the opposites: %s", err.msg);
	ok(q->tty == TRI_OFF && q->pid == NS_PRIVATE && q->uts == NS_PRIVATE &&
		   q->net == NET_NONE && q->no_init,
	   "flags");
	is_int(ASK("-C", "--no-home", "--read-only=true", "--read-only=false"), 0, "later wins");
	ok(q->cwd == TRI_ON && q->home == TRI_OFF && !q->read_only, "flags");
	is_int(ASK("--shm-size", "1g", "-w", "/a/../b", "--entrypoint", ""), 0, "values");
	ok(q->shm_size == 1ULL << 30, "a size");
	is_str(q->workdir, "/b", "a path inside");
	is_str(q->entrypoint, "", "an empty entrypoint");
}

static void test_root(void)
{
	static const char *const roots[] = { "0", "0:0", "00", "root", "root:5" };
	static const char *const others[] = { "01", "1000", "rooty", "a0" };

	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++)
		ok(ASK("-u", roots[i]) == 0 && asked.request.root, "-u %s is --root", roots[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ok(ASK("-u", others[i]) == 0 && !asked.request.root, "-u %s is not", others[i]);
}

static void test_ulimits(void)
{
	const struct request *q = &asked.request;

	is_int(ASK("--ulimit", "memlock=-1", "--ulimit", "stack=67108864", "--ulimit",
		   "nofile=1024:2048"),
	       0, "three limits: %s", err.msg);
	is_int((int)q->n_ulimits, 3, "all there");
	ok(q->ulimits[0].resource == RLIMIT_MEMLOCK && q->ulimits[0].soft == RLIM_INFINITY &&
		   q->ulimits[0].hard == RLIM_INFINITY,
	   "memlock=-1");
	ok(q->ulimits[1].soft == 67108864 && q->ulimits[1].hard == 67108864, "one number is both");
	ok(q->ulimits[2].soft == 1024 && q->ulimits[2].hard == 2048, "soft and hard");
	is_str(q->ulimits[2].name, "nofile", "the name");
	is_int(ASK("--ulimit", "nofile=5", "--ulimit", "nofile=6:unlimited"), 0, "twice the same");
	ok(q->n_ulimits == 1 && q->ulimits[0].soft == 6 && q->ulimits[0].hard == RLIM_INFINITY,
	   "the later one stays");
}

static void test_lists(void)
{
	const struct request *q = &asked.request;
	int fd;

	is_int(ASK("--preserve-fd", "1,2", "--preserve-fd", "0", "--dns", "8.8.8.8", "--dns",
		   "::1"),
	       0, "lists: %s", err.msg);
	ok(q->n_preserve_fds == 3 && q->preserve_fds[1] == 2, "descriptors");
	is_int((int)q->dns.n, 2, "name servers");
	fd = open("/", O_RDONLY | O_CLOEXEC);
	ok(ASK("--preserve-fd", arena_printf(arena, "%d", fd)) < 0, "a descriptor of our own");
	close(fd);
	is_int(ASK("--add-host", "a:1.2.3.4", "--add-host", "b:::1", "--add-host", "c=[::1]",
		   "--device", "/dev/fuse", "--device", "/dev/a:/dev/b:rw", "--device", "/dev/c:r"),
	       0, "lists: %s", err.msg);
	is_str(q->add_host.v[0], "a:1.2.3.4", "a host");
	is_str(q->add_host.v[1], "b:::1", "with an IPv6 address");
	is_str(q->add_host.v[2], "c:::1", "in brackets");
	is_int((int)q->devices.n, 3, "devices");
}

static void test_security(void)
{
	const struct request *q = &asked.request;

	is_int(ASK("--security-opt", "seccomp=unconfined", "--security-opt", "landlock=off",
		   "--security-opt", "mask=/proc/x:/proc/y", "--security-opt", "unmask=ALL",
		   "--security-opt", "no-new-privileges", "--security-opt", "label=disable",
		   "--cap-add", "sys_ptrace,CAP_NET_RAW", "--cap-drop", "all", "--nested"),
	       0, "all kinds: %s", err.msg);
	is_str(q->seccomp, "unconfined", "seccomp");
	is_int(q->landlock, TRI_OFF, "landlock");
	ok(q->mask.n == 2 && strcmp(q->mask.v[1], "/proc/y") == 0, "masks");
	is_str(q->unmask.v[0], "ALL", "unmask=ALL");
	is_str(q->cap_add.v[0], "CAP_SYS_PTRACE", "a capability in capitals");
	is_str(q->cap_add.v[1], "CAP_NET_RAW", "the second of a list");
	is_str(q->cap_drop.v[0], "ALL", "all of them");
	ok(q->nested, "nested");
	is_int(ASK("--security-opt", "seccomp=/etc/x.json"), 0, "a profile's file");
	is_str(q->seccomp, "/etc/x.json", "is kept absolute");
}

static void test_output(void)
{
	const struct request *q = &asked.request;

	is_int(ASK("--verbose", "--verbose", "-q", "--log-format", "json", "--color=never"), 0,
	       "output");
	ok(q->verbose == 2 && q->quiet && q->log_json && q->color == LOG_COLOR_NEVER, "all set");
	ok(ASK("-q", "--log-format=json", "--nonsense") < 0 && q->quiet && q->log_json,
	   "a wrong command line still says how to speak");
	is_int(ASK("--help", "--rm"), 0, "--help");
	ok(asked.help, "asked for help");
}

int main(void)
{
	arena = arena_new(0);
	setenv("HOME", "/nonexistent", 1);
	unsetenv("XDG_CONFIG_HOME");
	test_words();
	test_root();
	test_ulimits();
	test_lists();
	test_security();
	test_output();
	arena_free(arena);
	return done_testing();
}
