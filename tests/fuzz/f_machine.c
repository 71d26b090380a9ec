/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine of text files from the bytes: what is looked at below its root (procfs, cgroups,
 * passwd, subordinate ids, PCI, the driver and its GPUs, CDI files, the audit's figures) is in
 * its range or not there, and a refusal says why.  A letter names the file, 0xff ends its text.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gpurun/driver.h>
#include <gpurun/fd.h>
#include <gpurun/host.h>
#include <gpurun/job.h>

#include "../../src/audit/look.h"
#include "../../src/host/look.h"
#include "../../src/store/remove.h"
#include "fuzz.h"

#define GPUS   "/proc/driver/nvidia/gpus/0000:3b:00.0"
#define GPUS_2 "/proc/driver/nvidia/gpus/0000:86:00.0"
#define MIG    "/proc/driver/nvidia/capabilities/gpu0/mig"
#define PCI    "/sys/bus/pci/devices/0000:3b:00.0"

static const char *const files[] = {
	"/proc/self/status",
	"/proc/self/cgroup",
	"/proc/self/limits",
	"/proc/self/environ",
	"/proc/meminfo",
	"/proc/sys/kernel/hostname",
	"/proc/sys/kernel/arch",
	"/etc/passwd",
	"/etc/group",
	"/etc/subuid",
	"/etc/subgid",
	"/etc/hosts",
	"/sys/fs/cgroup/memory.max",
	"/sys/fs/cgroup/a/memory.max",
	"/sys/fs/cgroup/a/b/cpu.stat",
	"/sys/fs/cgroup/a/b/memory.peak",
	"/sys/fs/cgroup/memory/a/memory.limit_in_bytes",
	"/sys/fs/cgroup/memory/a/memory.max_usage_in_bytes",
	"/sys/fs/cgroup/cpuacct/a/cpuacct.usage",
	"/sys/fs/cgroup/cpuacct/a/cpuacct.stat",
	"/proc/sys/kernel/random/boot_id",
	"/proc/driver/nvidia/version",
	"/proc/driver/nvidia/params",
	"/proc/devices",
	GPUS "/information",
	GPUS_2 "/information",
	"/dev/nvidiactl",
	"/dev/nvidia0",
	"/dev/nvidia1",
	"/dev/nvidia-uvm",
	MIG "/gi1/access",
	MIG "/gi1/ci0/access",
	"/dev/nvidia-caps/nvidia-cap12",
	"/dev/nvidia-caps/nvidia-cap13",
	"/proc/bus/pci/devices",
	PCI "/vendor",
	PCI "/class",
	"/etc/ld.so.cache",
	"/usr/lib/x86_64-linux-gnu/libcuda.so.550.163.01",
	"/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.550.163.01",
	"/etc/cdi/a.json",
	"/etc/cdi/b.yaml",
	"/etc/gpurun/site.d/a.json",
	"/gpurun-kernel", /* of our own, see kernel.c: what only a system call can tell */
};

static void put_file(struct arena *a, int root, const char *path, const char *text, size_t n)
{
	_cleanup_fd_ int dir = root_mkdirs(root, path_dir(a, path), 0755);
	_cleanup_fd_ int fd =
		openat(dir, path_base(path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	must(fd >= 0 && fd_write_all(fd, text, n) == 0);
}

static void make_machine(struct feed *f, int root)
{
	put_file(f->a, root, "/gpurun-kernel", "overlay=1\n", strlen("overlay=1\n"));
	while (f->n > 1) {
		const char *path = files[(unsigned int)(*f->p - '0') % ELEMENTS(files)];
		const uint8_t *end;
		size_t n;

		f->p++;
		f->n--;
		end = memchr(f->p, 0xff, f->n);
		n = end ? (size_t)(end - f->p) : f->n;
		put_file(f->a, root, path, (const char *)f->p, n);
		f->p += n + (end != NULL);
		f->n -= n + (end != NULL);
	}
}

/* ---- what may come of it ---------------------------------------------------------------- */

static void check_gpus(const struct gpu_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct gpu *g = &set->v[i];

		must(g->index >= -1 && g->index < (int)set->n && g->minor >= -1 && g->pci);
		must(g->index < 0 || !g->denied);
		for (size_t k = 0; k < g->n_migs; k++)
			must(g->migs[k].gi >= 0 && g->migs[k].ci >= 0);
	}
}

static void check_subids(const struct host_subids *s)
{
	must(s->n_uids <= HOST_SUBIDS_MAX && s->n_gids <= HOST_SUBIDS_MAX);
	for (size_t i = 0; i < s->n_uids; i++)
		must(s->uids[i].count && s->uids[i].start + s->uids[i].count > s->uids[i].start);
}

static void look_host(struct arena *a, const struct sysroot *root, struct host *h)
{
	static const char *const none[] = { NULL };
	struct err e = { 0 };
	int r = host_probe(a, root, none, h, &e);

	must((r < 0) == (err_is_set(&e) != 0));
	if (r < 0) {
		*h = (struct host){ .user = "x", .environ = none };
		return;
	}
	must(h->user && h->group && h->home && h->hostname && h->arch && h->environ);
	must(!h->cwd || h->cwd[0] == '/');
	check_gpus(&h->gpus);
	host_limits(a, root, h);
	host_read_hosts(a, root, h);
	e = (struct err){ 0 };
	r = host_subids(a, root, h, &e);
	must((r < 0) == (err_is_set(&e) != 0));
	check_subids(&h->subids);
}

static void look_gpus(struct arena *a, const struct sysroot *root, const struct host *h)
{
	static const char *const cdi[] = { "nvidia.com/gpu=all" };
	const struct gpu_options o = { .ask = "--gpus all",
				       .caps = GPU_CAP_ALL,
				       .look_only = true };
	struct gpu_choices chosen = { 0 };
	struct gpu_driver driver = { 0 };
	struct gpu_sight sight = { 0 };
	struct strv warn = { 0 }, names = { 0 };
	struct err e = { 0 };
	int r = gpu_driver_look(a, root, h->gpus.driver_version, GPU_CAP_ALL, &driver, &e);

	for (size_t i = 0; i < h->gpus.n; i++) {
		struct gpu_choice c = { .gpu = &h->gpus.v[i] };

		if (c.gpu->index >= 0)
			VEC_PUSH(a, chosen.v, chosen.n, chosen.cap, c);
	}
	must((r < 0) == (err_is_set(&e) != 0));
	if (r == 0)
		r = gpu_look(a, root, &chosen, &driver, &o, &sight, &warn, &e);
	must((r < 0) == (err_is_set(&e) != 0));
	e = (struct err){ 0 };
	strv_push(a, &names, cdi[0]);
	r = cdi_look(a, root, NULL, &names, &o, &sight, &warn, &e);
	must((r < 0) == (err_is_set(&e) != 0));
	for (size_t i = 0; i < sight.files.n; i++)
		must(sight.files.v[i].dst[0] == '/');
}

static void look_job(struct arena *a, const struct sysroot *root, const struct host *h)
{
	const struct job_options o = { .contain = false };
	struct edits ed = { 0 };
	struct strv warn = { 0 };
	struct err e = { 0 };
	int r = job_edits(a, root, h, &o, &ed, &warn, &e);

	must((r < 0) == (err_is_set(&e) != 0));
	for (size_t i = 0; i < ed.ops.n; i++)
		must(ed.ops.v[i].dst[0] == '/' && ed.ops.v[i].why);
}

static void look_figures(struct arena *a, const struct sysroot *root)
{
	struct look_usage u;
	struct look l;

	look_open(a, root->fd, &l);
	look_read(a, &l, &u);
	must(!l.cgroup || l.cgroup[0] == '/');
	look_close(&l);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new((size_t)256 << 20);
	struct feed f = { a, data, size };
	char dir[] = "/dev/shm/gpurun-fuzz.XXXXXX";
	struct sysroot root = { .fd = -1, .label = mkdtemp(dir) };
	_cleanup_fd_ int top = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct host h = { 0 };

	root.fd = top;
	must(top >= 0);
	make_machine(&f, top);
	look_host(a, &root, &h);
	look_gpus(a, &root, &h);
	look_job(a, &root, &h);
	look_figures(a, &root);
	must(remove_contents(top, NULL) == 0 && rmdir(dir) == 0);
	return 0;
}
