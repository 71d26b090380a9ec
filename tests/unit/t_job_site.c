/* SPDX-License-Identifier: Apache-2.0 */
/* The files of /etc/gpurun/site.d on a host that is a directory of ours. */
#include <errno.h>

#include <gpurun/sys.h>

#include "job-host.h"

#define DIR_ SITE_DIR "/"

/* A file of site.d; ' stands for ". */
static void site(struct job_case *c, const char *name, const char *text)
{
	char *json = arena_strdup(c->dir.a, text);

	for (char *p = json; *p; p++)
		if (*p == '\'')
			*p = '"';
	job_put(c, arena_printf(c->dir.a, DIR_ "%s", name), json);
}

static size_t count(const struct job_case *c)
{
	return c->ed.files.n + c->ed.ops.n + c->ed.env.n + c->ed.env_prepend.n;
}

/* ---- what is accepted ------------------------------------------------------------------------ */

static void nothing(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	is_int(job_look(&c), 0, "no directory");
	job_mkdir(&c, SITE_DIR);
	is_int(job_look(&c), 0, "an empty one");
	site(&c, "README", "not JSON");
	site(&c, "x.json~", "not JSON");
	site(&c, ".x.json", "not JSON");
	site(&c, "empty.json", "{}");
	is_int(job_look(&c), 0, "notes, and a file that says nothing");
	is_int(count(&c), 0, "bring nothing");
	job_case_free(&c);
}

static void mounts(struct arena *a)
{
	struct job_case c;
	const struct op *op;

	job_case_new(&c, a);
	job_mkdir(&c, "/scratch");
	job_mkdir(&c, "/sw/v2");
	job_put(&c, "/etc/site.conf", "");
	site(&c, "scratch.json",
	     "{'comment': ['where', 'users work'], 'mounts': ["
	     "{'hostPath': '/scratch/', 'comment': 'all'},"
	     "{'hostPath': '/sw/v2', 'containerPath': '/sw', 'options': ['ro', 'noexec']},"
	     "{'hostPath': '/etc/site.conf', 'options': ['ro', 'nosuid', 'nodev', 'rbind']},"
	     "{'hostPath': '/projects', 'if_exists': true}]}");
	is_int(job_look(&c), 0, "mounts");
	op = job_find(&c.ed.ops, "/scratch");
	ok(op && op->kind == OP_BIND && op->flags == OPF_RECURSIVE, "a directory");
	is_int(op ? op->attrs : 0, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV,
	       "to be written, without set-uid files and nodes");
	is_str(op ? op->why : "", "site: scratch.json", "its file is the reason");
	op = job_find(&c.ed.ops, "/sw");
	is_str(op ? op->src : "", "/sw/v2", "another path inside");
	is_int(op ? op->attrs : 0,
	       MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOEXEC,
	       "its options");
	ok(job_find(&c.ed.files, "/etc/site.conf"), "a file");
	is_int(count(&c), 3, "one that may be missing is left out");
	job_case_free(&c);
}

static void nodes_and_variables(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	job_node(&c, "/dev/fast0");
	job_node(&c, "/dev/fast/1");
	job_mkdir(&c, "/dev/fast2");
	site(&c, "fast.json",
	     "{'deviceNodes': [{'path': '/dev/fast*'}, {'path': '/dev/fast/?', 'comment': 'x'},"
	     " {'path': '/dev/none'}], 'env': ['A=1', 'EMPTY='],"
	     " 'env_prepend': ['PATH=/sw/bin']}");
	is_int(job_look(&c), 0, "nodes and variables");
	ok(job_find(&c.ed.ops, "/dev/fast0") && job_find(&c.ed.ops, "/dev/fast/1"),
	   "patterns name nodes");
	is_int(c.ed.ops.n, 2, "no directory, and none that is not there");
	ok(c.ed.env.n == 2 && str_eq(c.ed.env.v[1], "EMPTY="), "variables");
	ok(c.ed.env_prepend.n == 1 && str_eq(c.ed.env_prepend.v[0], "PATH=/sw/bin"),
	   "one that goes in front");
	job_case_free(&c);
}

static void libraries(struct arena *a)
{
	struct job_case c;
	const struct op *op;

	job_case_new(&c, a);
	job_put(&c, "/opt/mpi/lib/libmpi.so.12.1", "");
	job_put(&c, "/opt/mpi/lib/libmpi.txt", "");
	job_put(&c, "/opt/fabric/lib/libfabric.so.1", "");
	job_put(&c, "/opt/fabric/lib/libmpi.so.12", "");
	job_mkdir(&c, "/opt/fabric/lib/libdir.so");
	job_link(&c, "opt/mpi/lib/libmpi.so.12", "libmpi.so.12.1");
	site(&c, "10-mpi.json",
	     "{'libraries': ['/opt/mpi/lib/lib*.so.*', '/opt/fab*/lib/*.so*'], 'env': ['A=1']}");
	is_int(job_look(&c), 0, "libraries");
	op = c.ed.files.n ? &c.ed.files.v[0] : NULL;
	ok(op && op->kind == OP_TMPFS && str_eq(op->dst, "/.gpurun") && op->flags & OPF_NOFOLLOW,
	   "a directory of our own");
	op = job_find(&c.ed.files, "/.gpurun/site/10-mpi/libmpi.so.12");
	is_str(op ? op->src : "", "/opt/mpi/lib/libmpi.so.12", "a link, of the first pattern");
	ok(op && op->attrs & MOUNT_ATTR_RDONLY, "to be read");
	ok(job_find(&c.ed.files, "/.gpurun/site/10-mpi/libmpi.so.12.1") &&
		   job_find(&c.ed.files, "/.gpurun/site/10-mpi/libfabric.so.1"),
	   "files");
	is_int(c.ed.files.n, 4, "each name once");
	is_str(c.ed.env_prepend.n ? c.ed.env_prepend.v[0] : "",
	       "LD_LIBRARY_PATH=/.gpurun/site/10-mpi", "the dynamic linker looks there first");
	site(&c, "20-more.json", "{'libraries': ['/opt/fabric/lib/libfabric.so.1']}");
	is_int(job_look(&c), 0, "a second file");
	ok(job_find(&c.ed.files, "/.gpurun/site/20-more/libfabric.so.1"), "has its own directory");
	is_int(c.ed.files.n, 5, "in the same tmpfs");
	is_str(c.ed.env_prepend.n == 2 ? c.ed.env_prepend.v[1] : "",
	       "LD_LIBRARY_PATH=/.gpurun/site/20-more", "which goes in front of the first");
	job_case_free(&c);
}

static void when(struct arena *a)
{
	static const struct {
		const char *text;
		bool none, batch, step;
	} rows[] = {
		{ "", false, true, true },
		{ "'when': null,", false, true, true },
		{ "'when': 'job',", false, true, true },
		{ "'when': 'step',", false, false, true },
		{ "'when': 'batch',", false, true, false },
		{ "'when': 'always',", true, true, true },
	};

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		const bool want[] = { rows[i].none, rows[i].batch, rows[i].step };
		struct job_case c;

		job_case_new(&c, a);
		site(&c, "a.json", arena_printf(a, "{%s 'env': ['A=1']}", rows[i].text));
		for (size_t k = 0; k < ELEMENTS(want); k++) {
			c.host.job.kind = (enum job_kind)k;
			ok(job_look(&c) == 0 && c.ed.env.n == want[k], "{%s}: place %zu: %d",
			   rows[i].text, k, want[k]);
		}
		job_case_free(&c);
	}
}

static void contained(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	c.o.contain = true;
	site(&c, "a.json", "{'env': ['A=1']}");
	site(&c, "b.json", "{'with_contain': true, 'env': ['B=1']}");
	site(&c, "c.json", "{'with_contain': false, 'env': ['C=1']}");
	is_int(job_look(&c), 0, "--contain");
	ok(c.ed.env.n == 1 && str_eq(c.ed.env.v[0], "B=1"), "only the file that says so");
	job_case_free(&c);
}

static void if_exists(struct arena *a)
{
	static const struct {
		const char *list;
		bool here;
	} rows[] = {
		{ "'/dev/cxi*'", true },
		{ "'/dev/cxi*','/opt/cray'", true },
		{ "'/dev/efa*'", false },
		{ "'/dev/cxi0','/missing'", false },
		{ "'/opt/*/lib?4'", true },
		{ "'/opt/cray/dangling'", false },
		{ "'/opt/cray/lib64/x/y'", false },
	};
	struct job_case c;

	job_case_new(&c, a);
	job_node(&c, "/dev/cxi0");
	job_mkdir(&c, "/opt/cray/lib64");
	job_link(&c, "opt/cray/dangling", "nowhere");
	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		site(&c, "a.json",
		     arena_printf(a,
				  "{'if_exists': [%s], 'env': ['A=1'], 'mounts':"
				  " [{'hostPath': '/opt/cray'}]}",
				  rows[i].list));
		ok(job_look(&c) == 0 && c.ed.env.n == rows[i].here, "%s: %d", rows[i].list,
		   rows[i].here);
	}
	job_case_free(&c);
}

/* ---- what is refused -------------------------------------------------------------------------- */

/* The file @text is an error that says @words. */
static void refused(struct arena *a, const char *text, const char *words)
{
	struct job_case c;

	job_case_new(&c, a);
	c.host.job.kind = JOB_NONE; /* also where it would not apply */
	site(&c, "bad.json", text);
	ok(job_look(&c) < 0 && strstr(c.e.msg, DIR_ "bad.json") && strstr(c.e.msg, words),
	   "refused: %s: %s", text, words);
	if (!strstr(c.e.msg, words))
		diag("%s", c.e.msg);
	job_case_free(&c);
}

static void refused_forms(struct arena *a)
{
	refused(a, "", "not JSON");
	refused(a, "[]", "not an object");
	refused(a, "{'mount': []}", "mount: an unknown member");
	refused(a, "{'when': 'sometimes'}", "when: none of job, step, batch, always");
	refused(a, "{'when': ['job']}", "when: not a string");
	refused(a, "{'with_contain': 'yes'}", "with_contain: neither true nor false");
	refused(a, "{'comment': 1}", "comment: not a list");
	refused(a, "{'if_exists': '/x'}", "if_exists: not a list");
	refused(a, "{'if_exists': ['x']}", "if_exists[0]: not an absolute path");
	refused(a, "{'mounts': [{}]}", "mounts[0].hostPath: missing");
	refused(a, "{'mounts': [{'hostPath': 'x'}]}", "mounts[0].hostPath: not an absolute path");
	refused(a, "{'mounts': [{'hostPath': '/x', 'type': 'bind'}]}",
		"mounts[0].type: an unknown member");
	refused(a, "{'mounts': [{'hostPath': '/x\\n'}]}", "mounts[0].hostPath: control characters");
	refused(a, "{'mounts': [{'hostPath': '/x', 'options': ['suid']}]}",
		"mounts[0].options[0]: not an option");
	refused(a, "{'deviceNodes': ['/dev/x']}", "deviceNodes[0]: not an object");
	refused(a, "{'deviceNodes': [{'path': '/dev'}]}", "deviceNodes[0]: a device node outside");
	refused(a, "{'deviceNodes': [{'path': '/dev/../x'}]}", "a device node outside");
	refused(a, "{'env': {'A': 'B'}}", "env: not a list");
	refused(a, "{'env': ['A']}", "env[0]: not NAME=VALUE");
	refused(a, "{'env_prepend': ['=B']}", "env_prepend[0]: not NAME=VALUE");
	refused(a, "{'libraries': ['lib']}", "libraries[0]: not an absolute path");
	refused(a, "{'env': [], 'env': []}", "twice");
}

static void refused_places(struct arena *a)
{
	static const char *const places[] = {
		"/", "/proc/x", "/sys", "/dev", "/dev/shm", "/.gpurun", "/.gpurun/site/x", "/a/..",
	};

	for (size_t i = 0; i < ELEMENTS(places); i++)
		refused(a,
			arena_printf(a, "{'mounts': [{'hostPath': '/x', 'containerPath': '%s'}]}",
				     places[i]),
			"nothing of the host can be mounted there");
}

/* What a file wants and this host does not have. */
static void refused_here(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	site(&c, "a.json", "{'mounts': [{'hostPath': '/scratch'}]}");
	is_int(job_look(&c), -ENOENT, "a mount that is missing");
	is_str(c.e.msg, DIR_ "a.json: mounts[0]: /scratch: No such file or directory", "is named");
	ok(strstr(c.e.hint, "if_exists"), "with the remedy");
	site(&c, "a.json", "{'libraries': ['/opt/*.so']}");
	is_int(job_look(&c), -ENOENT, "a pattern for libraries that matches nothing");
	is_str(c.e.msg, DIR_ "a.json: libraries[0]: /opt/*.so: No such file or directory",
	       "is named");
	job_case_free(&c);
}

static void refused_names(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	site(&c, "a:b.json", "{}");
	is_int(job_look(&c), -EINVAL, "a name that is no component of LD_LIBRARY_PATH");
	ok(strstr(c.e.msg, "a:b.json"), "is named");
	job_case_free(&c);
}

static void refused_owners(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	site(&c, "a.json", "{}");
	is_int(job_look(&c), 0, "a file of root's");
	job_mode(&c, "etc/gpurun/site.d/a.json", 0664);
	is_int(job_look(&c), -EPERM, "that the group can write");
	is_str(c.e.msg, DIR_ "a.json: not accepted: others than root can write it", "is refused");
	ok(strstr(c.e.hint, "chmod go-w " DIR_ "a.json"), "with the remedy");
	job_mode(&c, "etc/gpurun/site.d/a.json", 0644);
	job_mode(&c, "etc/gpurun/site.d", 0777);
	is_int(job_look(&c), -EPERM, "a directory that everybody can write");
	job_mode(&c, "etc/gpurun/site.d", 0755);
	(void)unlinkat(c.dir.fd, "etc/gpurun/site.d/a.json", 0);
	job_mkdir(&c, DIR_ "a.json");
	is_int(job_look(&c), -EINVAL, "a directory for a file");
	if (geteuid() == 0) {
		(void)unlinkat(c.dir.fd, "etc/gpurun/site.d/a.json", AT_REMOVEDIR);
		site(&c, "a.json", "{}");
		is_int(fchownat(c.dir.fd, "etc/gpurun/site.d/a.json", 1001, 0, 0), 0, "given away");
		is_int(job_look(&c), -EPERM, "a user's file");
		is_str(c.e.msg, DIR_ "a.json: not accepted: it is not root's", "is refused");
	}
	job_case_free(&c);
}

static void too_much(struct arena *a)
{
	struct job_case c;

	job_case_new(&c, a);
	for (int i = 0; i < 257; i++)
		site(&c, arena_printf(a, "%d.json", i), "{}");
	is_int(job_look(&c), -E2BIG, "too many files");
	job_case_free(&c);
	job_case_new(&c, a);
	for (int i = 0; i < 4100; i++)
		job_put(&c, arena_printf(a, "/dev/x/%d", i), "c 1 3 rw\n");
	site(&c, "a.json", "{'deviceNodes': [{'path': '/dev/x/*'}]}");
	ok(job_look(&c) < 0 && strstr(c.e.msg, "deviceNodes[0]"), "too many nodes");
	site(&c, "a.json", "{'libraries': ['/dev/x/*']}");
	ok(job_look(&c) < 0 && strstr(c.e.msg, "libraries[0]"), "too many libraries");
	job_case_free(&c);
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	nothing(a);
	mounts(a);
	nodes_and_variables(a);
	libraries(a);
	when(a);
	contained(a);
	if_exists(a);
	refused_forms(a);
	refused_places(a);
	refused_here(a);
	refused_names(a);
	refused_owners(a);
	too_much(a);
	return done_testing();
}
