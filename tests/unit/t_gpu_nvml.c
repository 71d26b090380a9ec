/* SPDX-License-Identifier: Apache-2.0 */
/* NVML and libcuda, asked: a library of our own stands in, of every temper. */
#include <errno.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <gpurun/driver.h>
#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "../../src/gpu/nvml.h"
#include "tap.h"

#define GIB (1ULL << 30)

/* ---- the library ------------------------------------------------------------------------ */

struct fake {
	char dir[64];
	const char *lib, *old, *conf, *old_conf;
};

static bool compile(struct arena *a, const char *option, const char *out)
{
	const char *cc = getenv("CC") ? getenv("CC") : "gcc";
	const char *script = arena_printf(a,
					  "%s -O1 -w %s -shared -fPIC -o %s "
					  "tests/helpers/fake-nvml.c -ldl",
					  cc, option, out);
	const char *argv[] = { "sh", "-c", script, NULL };
	int status = -1;
	pid_t pid;

	if (posix_spawnp(&pid, "sh", NULL, NULL, (char *const *)(uintptr_t)argv, environ) != 0)
		return false;
	return waitpid(pid, &status, 0) == pid && status == 0;
}

static void configure(const char *path, const char *text)
{
	_cleanup_fd_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
		diag("%s: cannot be written", path);
}

static bool make_fake(struct arena *a, struct fake *f)
{
	(void)snprintf(f->dir, sizeof(f->dir), "/tmp/gpurun-nvml.XXXXXX");
	if (!mkdtemp(f->dir))
		return false;
	f->lib = arena_printf(a, "%s/libnvidia-ml.so.1", f->dir);
	f->old = arena_printf(a, "%s/libnvidia-ml-old.so.1", f->dir);
	f->conf = arena_printf(a, "%s.conf", f->lib);
	f->old_conf = arena_printf(a, "%s.conf", f->old);
	return compile(a, "", f->lib) && compile(a, "-DOLD", f->old);
}

static void remove_fake(const struct fake *f)
{
	(void)unlink(f->lib);
	(void)unlink(f->old);
	(void)unlink(f->conf);
	(void)unlink(f->old_conf);
	(void)rmdir(f->dir);
}

/* ---- a host like that of the library ---------------------------------------------------- */

static struct gpu_set host(struct arena *a)
{
	static const char *const pci[] = { "0000:3b:00.0", "0000:5b:00.0" };
	struct gpu_set set = { .on_bus = true };

	for (int i = 0; i < 2; i++) {
		const struct gpu g = {
			.backend = "nvidia",
			.index = i,
			.minor = 1 - i,
			.uuid = i ? NULL : "GPU-of-procfs",
			.pci = pci[i],
			.model = "NVIDIA A100-SXM4-40GB",
		};

		VEC_PUSH(a, set.v, set.n, set.cap, g);
	}
	return set;
}

static int look(struct arena *a, const char *lib, struct gpu_set *set, struct err *e)
{
	*e = (struct err){ 0 };
	return nvml_look_within(a, lib, 20, set, e);
}

static void is_empty(const struct gpu_set *set)
{
	ok(!set->v[0].nvml.known && !set->v[1].nvml.known && !set->v[1].uuid && !set->v[1].n_migs,
	   "the set is what it was");
}

/* ---- answers ------------------------------------------------------------------------------ */

static void test_figures(struct arena *a, const struct fake *f)
{
	struct gpu_set set = host(a);
	const struct gpu_nvml *n = &set.v[0].nvml;
	struct err e;

	configure(f->conf, "noise 1\nuser 30\nuser 20\nuser 30\nlinks 1\n");
	is_int(look(a, f->lib, &set, &e), 0, "an answer (%s)", e.msg);
	ok(n->known && set.v[1].nvml.known, "both GPUs are known");
	is_str(set.v[0].uuid, "GPU-of-procfs", "procfs knows its UUID");
	is_str(set.v[1].uuid, "GPU-edfee151-1111-2222-3333-444444444444", "NVML the other's");
	is_str(n->brand, "Tesla", "brand");
	ok(n->cc_major == 8 && n->cc_minor == 0, "compute capability");
	ok(n->memory_total == 40 * GIB && n->memory_used == GIB, "memory");
	is_int(n->utilization, 10, "utilization");
	ok(n->energy == 0, "no energy is told");
	ok(!n->mig_mode, "not in MIG mode");
	is_int(n->n_users, 2, "two processes, however often they are told");
	ok(n->users[0].pid == 20 && n->users[0].memory == 2 * GIB, "one of them");
	ok(n->users[1].pid == 30 && n->users[1].memory == 3 * GIB, "the other, its most memory");
	is_int(set.v[1].nvml.n_users, 0, "nobody on the other GPU");
	ok(n->links == 2 && set.v[1].nvml.links == 1, "linked to each other");
	configure(f->conf, "links 2\nenergy 123456\n");
	is_int(look(a, f->lib, &set, &e), 0, "asked again");
	ok(n->links == 2 && set.v[1].nvml.links == 1 && n->n_users == 0, "linked by a switch");
	ok(n->energy == 123456 && set.v[1].nvml.energy == 124456, "energy");
	set.v[1].index = -1;
	is_int(look(a, f->lib, &set, &e), 0, "one of them cannot be used");
	ok(n->links == 0 && set.v[1].nvml.links == 0, "no link is told of it");
	set.v[1].index = 5;
	configure(f->conf, "links 1\n");
	is_int(look(a, f->lib, &set, &e), 0, "another index");
	ok(n->links == 1 << 5 && set.v[1].nvml.links == 1, "links count by it");
}

static void test_old(struct arena *a, const struct fake *f)
{
	struct gpu_set set = host(a);
	const struct gpu_nvml *n = &set.v[0].nvml;
	struct err e;

	configure(f->old_conf, "user 7\n");
	is_int(look(a, f->old, &set, &e), 0, "functions of old drivers (%s)", e.msg);
	ok(n->memory_total == 40 * GIB && n->memory_used == GIB, "memory");
	ok(n->n_users == 1 && n->users[0].pid == 7 && n->users[0].memory == 0, "a process");
	ok(n->links == 0 && !n->mig_mode && set.v[0].n_migs == 0, "what they do not know");
}

static void test_matching(struct arena *a, const struct fake *f)
{
	struct gpu_set set = host(a);
	struct err e;

	configure(f->conf, "gpus 5\n");
	set.v[0].pci = "00000000:3B:00.0";
	set.v[0].minor = 4;
	set.v[1].pci = "0001:5b:00.0";
	set.v[1].minor = 3;
	is_int(look(a, f->lib, &set, &e), 0, "five GPUs, two of them ours");
	ok(set.v[0].nvml.known && set.v[0].nvml.utilization == 10, "by address");
	ok(set.v[1].nvml.known && set.v[1].nvml.utilization == 11, "by minor");
	set = host(a);
	configure(f->conf, "lost 0\n");
	is_int(look(a, f->lib, &set, &e), 0, "one GPU does not answer");
	ok(!set.v[0].nvml.known && set.v[1].nvml.known, "the other does");
	set = (struct gpu_set){ 0 };
	is_int(look(a, f->lib, &set, &e), 0, "no GPU of ours");
}

static void test_mig(struct arena *a, const struct fake *f)
{
	struct gpu_set set = host(a);
	const struct gpu_mig known = { .gi = 2, .ci = 0, .index = -1 };
	const struct gpu_mig *before;
	const struct gpu_mig *m;
	struct err e;

	VEC_PUSH(a, set.v[0].migs, set.v[0].n_migs, set.v[0].cap_migs, known);
	before = set.v[0].migs;
	configure(f->conf, "mig 0\nuser 8\n");
	is_int(look(a, f->lib, &set, &e), 0, "a GPU in MIG mode (%s)", e.msg);
	ok(set.v[0].nvml.mig_mode && !set.v[1].nvml.mig_mode, "MIG mode");
	is_int(set.v[0].n_migs, 2, "two devices");
	m = set.v[0].migs;
	ok(m[0].gi == 1 && m[0].ci == 0 && m[0].index == 0, "in the order of their instances");
	is_str(m[0].uuid, "MIG-4a6bf100-aaaa-5bbb-8ccc-dddddddddddd", "UUID");
	is_str(m[0].profile, "1g.5gb", "profile by the name");
	is_str(m[0].denied, "gi1/ci0: no capability file", "procfs does not have it");
	ok(m[1].gi == 2 && m[1].index == 1 && !m[1].denied, "the one of procfs");
	is_str(m[1].profile, "1c.2g.10gb", "profile by the attributes");
	is_int(set.v[0].nvml.n_users, 1, "who may not see the whole GPU asks each device");
	ok(before->index == -1 && !before->uuid, "what was there was not written to");
	configure(f->conf, "");
	is_int(look(a, f->lib, &set, &e), 0, "MIG mode is off now");
	ok(set.v[0].n_migs == 2 && set.v[0].migs[1].index == -1, "no index any more");
}

static void test_many(struct arena *a, const struct fake *f)
{
	struct gpu_set set = host(a);
	struct err e;

	configure(f->conf, "users 5000\n");
	is_int(look(a, f->lib, &set, &e), 0, "thousands of processes");
	is_int(set.v[0].nvml.n_users, 5000, "each of them");
	configure(f->conf, "users 12000\n");
	is_int(look(a, f->lib, &set, &e), 0, "more than there is room for");
	is_int(set.v[0].nvml.n_users, NVML_USERS_MAX, "as many as there is room for");
	configure(f->conf, "users 20000\n");
	is_int(look(a, f->lib, &set, &e), 0, "more than NVML has room for");
	is_int(set.v[0].nvml.n_users, 1, "those that the other list tells");
}

/* ---- no answers --------------------------------------------------------------------------- */

static void test_errors(struct arena *a, const struct fake *f)
{
	static const struct {
		const char *conf, *said, *hint;
		int error;
	} rows[] = {
		{ "init 4", "does not let this user in (NVML 4", "ls -l /dev/nvidia*", EACCES },
		{ "init 9", "kernel module is not loaded", "modprobe nvidia", ENXIO },
		{ "init 12", "misses another library", "install all libraries", ENOENT },
		{ "init 13", "it is too old", "install all libraries", ENOSYS },
		{ "init 15", "a GPU is lost", "dmesg", EIO },
		{ "gpus 1\nlost 0", "a GPU is lost", "dmesg", EIO },
		{ "init 17", "the operating system refuses", "/dev/nvidiactl", EPERM },
		{ "init 18", "not that of the kernel module (NVML 18: Driver/library version",
		  "reboot", ESTALE },
		{ "init 999", "NVML 999: some error", "dmesg", EIO },
		{ "init 77", "NVML 77: some error", "dmesg", EIO },
		{ "init 77\ntext 1", "NVML 77: ?[31mred??", "", EIO },
		{ "do crash", "the library crashed (signal 11)", "", ECONNABORTED },
		{ "do exit", "the answer makes no sense", "", EBADMSG },
		{ "do nonsense", "the answer makes no sense", "", EBADMSG },
		{ "do flood", "the answer is too long", "", EMSGSIZE },
		{ "text 1", "the answer makes no sense", "", EBADMSG },
	};
	struct gpu_set set = host(a);
	struct err e;

	for (size_t i = 0; i < ELEMENTS(rows); i++) {
		configure(f->conf, rows[i].conf);
		is_int(look(a, f->lib, &set, &e), -rows[i].error, "%s", rows[i].conf);
		ok(str_after(e.msg, f->lib) && strstr(e.msg, rows[i].said) &&
			   strstr(e.hint, rows[i].hint),
		   "%s: %s", e.msg, e.hint);
	}
	is_empty(&set);
	ok(look(a, "/nonexistent/libnvidia-ml.so.1", &set, &e) == -ENOENT, "%s", e.msg);
	ok(look(a, "/etc/passwd", &set, &e) == -ENOENT, "%s", e.msg);
	is_str(e.msg, "/etc/passwd: cannot be loaded: invalid ELF header", "the path once");
	configure(f->conf, "do hang");
	is_int(nvml_look_within(a, f->lib, 1, &set, &e), -ETIMEDOUT, "it hangs");
	configure(f->conf, "do close");
	is_int(nvml_look_within(a, f->lib, 1, &set, &e), -ETIMEDOUT, "it closes our pipe");
	is_empty(&set);
	configure(f->conf, "do orphan");
	is_int(look(a, f->lib, &set, &e), 0, "it leaves a process behind");
	is_int(waitpid(-1, NULL, WNOHANG), -1, "no child is left");
}

static void test_garbage(struct arena *a, const struct fake *f)
{
	struct gpu_set set = host(a);
	const struct gpu_nvml *n = &set.v[0].nvml;
	struct err e;

	configure(f->conf, "garbage 1\nuser 9\n");
	is_int(look(a, f->lib, &set, &e), 0, "figures that cannot be (%s)", e.msg);
	ok(n->known && !n->brand && !n->cc_major && n->memory_total == 0 && n->utilization == -1 &&
		   n->energy == 0,
	   "are unknown");
	is_int(n->n_users, 1, "those that can be are known");
}

/* ---- records ------------------------------------------------------------------------------ */

static int take(struct arena *a, struct gpu_set *set, const struct nvml_record *v, size_t n)
{
	struct nvml_record failed;

	return nvml_take(a, v, n * sizeof(*v), set, &failed);
}

static void test_records(struct arena *a)
{
	struct nvml_record v[4] = { 0 };
	struct gpu_set set = host(a);

	is_int(take(a, &set, v, 0), -EBADMSG, "no record");
	v[0].kind = NVML_END;
	is_int(take(a, &set, v, 1), 0, "no GPU");
	is_int(take(a, &set, v, 2), -EBADMSG, "something behind the end");
	v[0].kind = 77;
	is_int(take(a, &set, v, 1), -EBADMSG, "an unknown kind");
	v[0].kind = NVML_USER;
	v[0].u.user.pid = 1;
	v[1].kind = NVML_END;
	is_int(take(a, &set, v, 2), -EBADMSG, "a process before a GPU");
	memset(v, 0, sizeof(v));
	v[0].kind = v[1].kind = NVML_GPU;
	v[0].u.gpu.pci.bus = v[1].u.gpu.pci.bus = 0x3b;
	v[2].kind = NVML_END;
	is_int(take(a, &set, v, 3), -EBADMSG, "a GPU twice");
	is_empty(&set);
	v[1].kind = NVML_USER;
	is_int(take(a, &set, v, 3), -EBADMSG, "process 0");
	v[1].kind = NVML_MIG;
	v[1].u.mig.index = -1;
	is_int(take(a, &set, v, 3), -EBADMSG, "a MIG device without an index");
	memset(&v[1].u.mig, 0, sizeof(v[1].u.mig));
	is_int(take(a, &set, v, 3), 0, "one without UUID and profile");
	ok(set.v[0].n_migs == 1 && !set.v[0].migs[0].uuid && !set.v[0].migs[0].profile, "is taken");
	memset(v[1].u.mig.uuid, 'M', sizeof(v[1].u.mig.uuid));
	is_int(take(a, &set, v, 3), -EBADMSG, "a text without end");
	is_int(nvml_take(a, v, sizeof(v[0]) + 1, &set, &v[3]), -EBADMSG, "half a record");
}

static void test_cuda(const struct fake *f)
{
	struct err e = { 0 };
	int major = -1, minor = -1;

	configure(f->conf, "");
	is_int(gpu_cuda_ask(f->lib, &major, &minor, &e), 0, "CUDA's version (%s)", e.msg);
	ok(major == 12 && minor == 4, "is 12.4");
	configure(f->conf, "init 3");
	is_int(gpu_cuda_ask(f->lib, &major, &minor, &e), -EIO, "an error of CUDA");
	ok(strstr(e.msg, "CUDA error 3"), "%s", e.msg);
	configure(f->conf, "garbage 1");
	is_int(gpu_cuda_ask(f->lib, &major, &minor, &e), -EBADMSG, "no version");
	configure(f->conf, "do crash");
	is_int(gpu_cuda_ask(f->lib, &major, &minor, &e), -ECONNABORTED, "a crash");
	is_int(gpu_cuda_ask("/nonexistent/libcuda.so.1", &major, &minor, &e), -ENOENT, "none");
	is_str(e.msg,
	       "/nonexistent/libcuda.so.1: cannot be loaded: cannot open shared object file: No "
	       "such file or directory",
	       "in words");
	ok(major == 12 && minor == 4, "a failure returns nothing");
}

int main(void)
{
	struct arena *a = arena_new((size_t)256 << 20);
	struct fake f = { .dir = "" };

	test_records(a);
	if (make_fake(a, &f)) {
		test_figures(a, &f);
		test_old(a, &f);
		test_matching(a, &f);
		test_mig(a, &f);
		test_many(a, &f);
		test_errors(a, &f);
		test_garbage(a, &f);
		test_cuda(&f);
	} else {
		skip("no compiler for a library that stands in for NVML");
	}
	remove_fake(&f);
	return done_testing();
}
