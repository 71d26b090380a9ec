/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose GPUs: what Slurm 22.05 and 26.05 leave in a task's environment and device cgroup, and
 * what comes of it in a container of one's own and in one that the ranks of a step share.
 */
#include <errno.h>
#include <sys/sysmacros.h>

#include <gpurun/allot.h>
#include <gpurun/str.h>

#include "../../src/gpu/backend.h"
#include "tap.h"

#define GPUS  4
#define UNSET (-1)

/* GPU number I by PCI address has the minor I; @open: "23" are the minors that open. */
static struct gpu_set machine(struct arena *a, const char *open)
{
	struct gpu_set set = { .on_bus = true };
	int index = 0;

	for (int i = 0; i < GPUS; i++) {
		struct gpu g = {
			.backend = "nvidia",
			.minor = i,
			.index = -1,
			.uuid = arena_printf(a, "GPU-%d%d%d%d0000", i, i, i, i),
			.pci = arena_printf(a, "0000:%d0:00.0", i + 1),
			.node = { .path = arena_printf(a, "/dev/nvidia%d", i),
				  .rdev = makedev(195, (unsigned int)i),
				  .why = "" },
		};

		if (strchr(open, '0' + i)) {
			g.index = index++;
		} else {
			g.denied = arena_printf(a, "/dev/nvidia%d: Operation not permitted", i);
			g.denied_errno = EPERM;
		}
		g.number = g.index;
		VEC_PUSH(a, set.v, set.n, set.cap, g);
	}
	return set;
}

/* "23": minors of the usable ones, by their indexes */
static const char *usable(struct arena *a, const struct gpu_set *set)
{
	const char *s = "";
	int index = 0;

	for (size_t i = 0; i < set->n; i++) {
		if (set->v[i].index < 0)
			continue;
		if (set->v[i].index != index++ || set->v[i].denied)
			return "indexes have a gap";
		s = arena_printf(a, "%s%d", s, set->v[i].minor);
	}
	return s;
}

static const char *minors(struct arena *a, const struct gpu_choices *c)
{
	const char *s = "";

	for (size_t i = 0; i < c->n; i++)
		s = arena_printf(a, "%s%d", s, c->v[i].gpu->minor);
	return s;
}

/* One start of "gpurun --gpus TEXT" */
struct start {
	struct gpu_visible visible;
	struct gpu_set all, ours;
	const char *note;
	int r;
	struct err e;
	struct gpu_choices chosen;
	struct strv warn;
	const char *choose_note;
};

static struct start start(struct arena *a, struct gpu_set set, struct gpu_visible v,
			  const char *gpus)
{
	struct start s = { .visible = v, .all = gpu_set_copy(a, &set), .ours = set };
	struct gpu_sel sel;

	s.r = gpu_allot(a, &s.ours, &v, &s.note, &s.e);
	if (s.r >= 0)
		s.r = gpu_sel_parse(a, gpus, &sel, &s.e);
	if (s.r >= 0)
		s.r = gpu_select(a, &s.ours, &sel, &v, &s.chosen, &s.warn, &s.choose_note, &s.e);
	return s;
}

/* ---- the measured table ---- */

#define NO_LIST NULL

/*
 * @open, @list, @on_node, @local_size: what was measured with GPUs 2 and 3 allocated (a dash in
 * the name: without ConstrainDevices).  What we make of it:
 * @ours: minors; @own: CUDA_VISIBLE_DEVICES in a container of our own; @held: minors in a shared
 * one, @shared: the list there; @parted: is the warning about peer-to-peer given?
 */
static const struct row {
	const char *what, *open, *list;
	int on_node, local_size;
	enum gpu_allotted by;
	int error;
	const char *ours, *own, *held, *shared;
	bool parted;
} rows[] = {
	{ "batch step", "23", "0,1", 2, UNSET, GPU_ALLOTTED_FILTER, 0, "23", "0,1", "23", "0,1",
	  false },
	{ "step, two tasks", "23", "0,1", 2, 2, GPU_ALLOTTED_FILTER, 0, "23", "0,1", "23", "0,1",
	  false },
	{ "--gpus-per-task=1, task 0", "2", "0", 2, 2, GPU_ALLOTTED_FILTER, 0, "2", "0", "0123",
	  "0", true },
	{ "--gpus-per-task=1, task 1", "3", "0", 2, 2, GPU_ALLOTTED_FILTER, 0, "3", "0", "0123",
	  "0", true },
	{ "--gpu-bind=map_gpu:1,0, task 0", "3", "0", 2, 2, GPU_ALLOTTED_FILTER, 0, "3", "0",
	  "0123", "0", true },
	{ "--gres=gpu:1 of two", "2", "0", 1, 1, GPU_ALLOTTED_FILTER, 0, "2", "0", "2", "0",
	  false },
	{ "--gres=gpu:0", "", NO_LIST, UNSET, 2, GPU_ALLOTTED_FILTER, 0, "", NULL, "", NULL,
	  false },
	{ "gres order reversed, --gres=gpu:1", "2", "0", 1, 1, GPU_ALLOTTED_FILTER, 0, "2", "0",
	  "2", "0", false },
	{ "allow-task-sharing, task 0", "23", "0", 2, 2, GPU_ALLOTTED_FILTER, 0, "23", "0", "23",
	  "0", false },
	{ "allow-task-sharing, task 1", "23", "1", 2, 2, GPU_ALLOTTED_FILTER, 0, "23", "1", "23",
	  "1", false },
	{ "env_uuid", "23", "GPU-33330000,GPU-22220000", 2, 2, GPU_ALLOTTED_FILTER, 0, "23",
	  "GPU-33330000,GPU-22220000", "23", "GPU-33330000,GPU-22220000", false },
	{ "all GPUs of the machine", "0123", "0,1,2,3", 4, 2, GPU_ALLOTTED_LIST, 0, "0123",
	  "0,1,2,3", "0123", "0,1,2,3", false },
	{ "-, batch step", "0123", "2,3", 2, UNSET, GPU_ALLOTTED_LIST, 0, "23", "0,1", "23", "0,1",
	  false },
	{ "-, step, two tasks", "0123", "2,3", 2, 2, GPU_ALLOTTED_LIST, 0, "23", "0,1", "23", "0,1",
	  false },
	{ "-, --gpus-per-task=1, task 0", "0123", "2", 2, 2, GPU_ALLOTTED_LIST, 0, "2", "0", "0123",
	  "2", false },
	{ "-, --gpus-per-task=1, task 1", "0123", "3", 2, 2, GPU_ALLOTTED_LIST, 0, "3", "0", "0123",
	  "3", false },
	{ "-, --gres=gpu:1 of two", "0123", "2", 1, 1, GPU_ALLOTTED_LIST, 0, "2", "0", "2", "0",
	  false },
	{ "-, --gres=gpu:0", "0123", NO_LIST, UNSET, 2, GPU_ALLOTTED_NONE, 0, "", NULL, "", NULL,
	  false },
	{ "-, UUIDs", "0123", "GPU-3333,GPU-2222", 2, 2, GPU_ALLOTTED_LIST, 0, "23",
	  "GPU-3333,GPU-2222", "23", "GPU-3333,GPU-2222", false },
	{ "-, order shuffled", "0123", "3,1,2", 3, 2, GPU_ALLOTTED_LIST, 0, "123", "2,0,1", "123",
	  "2,0,1", false },
	/* and what was not measured */
	{ "the user hides one", "23", "1", 2, 1, GPU_ALLOTTED_FILTER, 0, "23", "1", "23", "1",
	  false },
	{ "the user hides all", "23", "", 2, 1, GPU_ALLOTTED_FILTER, 0, "23", "", "23", "", false },
	{ "the user's order", "123", "2,0", 3, 1, GPU_ALLOTTED_FILTER, 0, "123", "2,0", "123",
	  "2,0", false },
	{ "numbers of the machine", "13", "3,1", 2, 1, GPU_ALLOTTED_FILTER, 0, "13", "1,0", "13",
	  "1,0", false },
	{ "numbers of nothing", "13", "7,8,9", 2, 1, GPU_ALLOTTED_FILTER, 0, "13", "0,1", "13",
	  "0,1", false },
	{ "a list that is too long", "13", "0,1,2", 2, 1, GPU_ALLOTTED_FILTER, 0, "13", "0,1", "13",
	  "0,1", false },
	{ "no list, but a filter", "13", NO_LIST, 2, 1, GPU_ALLOTTED_FILTER, 0, "13", NULL, "13",
	  NULL, false },
	{ "given, and none opens", "", "0", 1, 1, GPU_ALLOTTED_FILTER, ENODEV, "", NULL, "", NULL,
	  false },
	{ "given by number alone", "", NO_LIST, 1, 1, GPU_ALLOTTED_FILTER, ENODEV, "", NULL, "",
	  NULL, false },
	{ "-, given, and none is there", "0123", "7", 1, 1, GPU_ALLOTTED_LIST, ENODEV, "", NULL, "",
	  NULL, false },
	{ "-, the list is lost", "0123", NO_LIST, 2, 1, GPU_ALLOTTED_NONE, ENODEV, "", NULL, "",
	  NULL, false },
	{ "-, NoDevFiles", "0123", "NoDevFiles", UNSET, 1, GPU_ALLOTTED_LIST, 0, "", NULL, "", NULL,
	  false },
	{ "a rank without one", "", NO_LIST, UNSET, 2, GPU_ALLOTTED_FILTER, 0, "", NULL, "", NULL,
	  false },
};

static void check_row(struct arena *a, const struct row *row)
{
	const struct gpu_visible v = { .devices = row->list,
				       .job = true,
				       .slurm = true,
				       .node_gpus = row->on_node,
				       .local_size = row->local_size };
	struct start s = start(a, machine(a, row->open), v, "auto");
	struct gpu_choices held = { 0 };

	is_int(s.r, -row->error, "%s: %s", row->what, s.r < 0 ? s.e.msg : "it starts");
	is_int((long long)s.ours.allotted, (long long)row->by, "who says it");
	is_str(usable(a, &s.ours), row->ours, "ours");
	ok(!gpu_step_warning(a, &s.ours, &v) == !row->parted, "peer-to-peer");
	if (s.r < 0)
		return;
	is_str(minors(a, &s.chosen), row->ours, "auto takes them all");
	is_str(gpu_list_inside(a, &s.chosen, &s.chosen, &v), row->own, "a container of our own");
	is_int(gpu_step_union(a, &s.all, &s.ours, &v, &held), 0, "the step's");
	is_str(minors(a, &held), row->held, "a shared one holds");
	is_str(gpu_list_inside(a, &s.chosen, &held, &v), row->shared, "the list there");
}

static void test_rows(struct arena *a)
{
	for (size_t i = 0; i < ELEMENTS(rows); i++)
		check_row(a, &rows[i]);
}

/* ---- nothing reaches outside ---- */

static void test_outside(struct arena *a)
{
	static const char *const asked[] = { "all", "0", "2", "GPU-2222", "20:00.0", "count=1" };
	struct gpu_visible v = { .job = true, .slurm = true, .node_gpus = -1, .local_size = 1 };
	struct start s;

	for (size_t i = 0; i < ELEMENTS(asked); i++) {
		s = start(a, machine(a, "0123"), v, asked[i]);
		ok(s.r < 0 && strstr(s.e.msg, "CUDA_VISIBLE_DEVICES is not set"),
		   "no list: --gpus %s: %s", asked[i], s.e.msg);
		ok(strstr(s.e.hint, "CUDA_VISIBLE_DEVICES=0"), "and what helps: %s", s.e.hint);
	}
	s = start(a, machine(a, "0123"), v, "auto");
	ok(s.r == 0 && s.choose_note && strstr(s.choose_note, "Slurm gave this job none"), "%s",
	   s.choose_note);
	is_int(start(a, machine(a, "0123"), v, "none").r, 0, "none is none");
	v.devices = "2,3";
	s = start(a, machine(a, "0123"), v, "all");
	is_str(minors(a, &s.chosen), "23", "a list: --gpus all");
	s = start(a, machine(a, "0123"), v, "0");
	is_str(minors(a, &s.chosen), "2", "--gpus 0 is the first of ours");
	s = start(a, machine(a, "0123"), v, "2");
	ok(s.r < 0 && strstr(s.e.msg, "usable: 0, 1;"), "%s", s.e.msg);
	s = start(a, machine(a, "0123"), v, "GPU-0000");
	ok(s.r < 0 && strstr(s.e.msg, "not in the job's CUDA_VISIBLE_DEVICES"), "%s", s.e.msg);
	v.devices = "2,9";
	s = start(a, machine(a, "0123"), v, "auto");
	is_str(minors(a, &s.chosen), "2", "a word that is nothing ends the list");
	ok(s.note && strstr(s.note, "'9'"), "and it is said: %s", s.note);
	v.slurm = false;
	v.devices = NULL;
	s = start(a, machine(a, "0123"), v, "auto");
	is_str(minors(a, &s.chosen), "0123", "ranks of mpirun, no list: all that open");
	is_int((long long)s.ours.allotted, GPU_ALLOTTED_ALL, "nobody says less");
	v.devices = "1";
	s = start(a, machine(a, "0123"), v, "auto");
	is_str(minors(a, &s.chosen), "1", "and with one: its");
	v.job = false;
	s = start(a, machine(a, "0123"), v, "all");
	is_str(minors(a, &s.chosen), "0123", "outside of jobs --gpus all is all");
}

/* Once is enough: what is denied by the list does not look like a filter afterwards. */
static void test_twice(struct arena *a)
{
	const struct gpu_visible v = {
		.devices = "3,1", .job = true, .slurm = true, .node_gpus = 2
	};
	struct start s = start(a, machine(a, "0123"), v, "auto");

	is_int(gpu_allot(a, &s.ours, &v, &s.note, &s.e), 0, "again");
	is_str(usable(a, &s.ours), "13", "the same");
	is_int((long long)s.ours.allotted, GPU_ALLOTTED_LIST, "by the same");
	is_str(usable(a, &s.all), "0123", "the copy is what it was");
}

/* What is broken stays broken, and for that reason. */
static void test_broken(struct arena *a)
{
	struct gpu_visible v = {
		.devices = "1", .job = true, .slurm = true, .node_gpus = 2, .local_size = 2
	};
	struct gpu_set set = machine(a, "023");
	struct gpu_choices held = { 0 };
	struct start s;

	set.v[1].denied = "/dev/nvidia1: node missing";
	set.v[1].denied_errno = ENOENT;
	set.v[1].node.rdev = 0;
	s = start(a, set, v, "auto");
	is_str(usable(a, &s.ours), "2", "number 1 is the second that opens");
	is_str(s.ours.v[1].denied, "/dev/nvidia1: node missing", "why it is not usable");
	gpu_step_union(a, &s.all, &s.ours, &v, &held);
	is_str(minors(a, &held), "023", "a node that is not there is not held");
	is_str(gpu_list_inside(a, &s.chosen, &held, &v), "1", "nor counted");
	ok(s.warn.n == 1 && strstr(s.warn.v[0], "node missing"), "and it is said");
}

/* What the user asks for by name is taken whatever the list says. */
static void test_explicit(struct arena *a)
{
	struct gpu_visible v = {
		.devices = "0", .job = true, .slurm = true, .node_gpus = 2, .local_size = 2
	};
	struct start s = start(a, machine(a, "23"), v, "1");
	struct gpu_choices held = { 0 };

	v.devices = NULL;
	is_str(minors(a, &s.chosen), "3", "--gpus 1");
	gpu_step_union(a, &s.all, &s.ours, &v, &held);
	is_str(gpu_list_inside(a, &s.chosen, &held, &v), "1", "in a shared container");
	is_str(gpu_list_inside(a, &s.chosen, &s.chosen, &v), NULL, "alone it is the only one");
	is_str(gpu_list_inside(a, &s.chosen, &(struct gpu_choices){ 0 }, &v), NULL, "none held");
	is_str(gpu_list_inside(a, &(struct gpu_choices){ 0 }, &held, &v), "",
	       "held for others only");
	/* GPUs of which others have one: ours is the second of those that we can open */
	s = start(a, machine(a, "13"), v, "1");
	v.node_gpus = 3;
	gpu_step_union(a, &s.all, &s.ours, &v, &held);
	is_str(minors(a, &held), "0123", "the union");
	is_str(gpu_list_inside(a, &s.chosen, &held, &v), "1", "the position among those that open");
}

/* Of whom is nothing known, or who is alone. */
static void test_union(struct arena *a)
{
	struct gpu_visible v = { .job = true, .node_gpus = -1, .local_size = -1 };
	struct start s = start(a, machine(a, "2"), v, "auto");
	struct gpu_choices held = { 0 };

	gpu_step_union(a, &s.all, &s.ours, &v, &held);
	is_str(minors(a, &held), "0123", "nothing is known: all nodes");
	v.local_size = 1;
	gpu_step_union(a, &s.all, &s.ours, &v, &held);
	is_str(minors(a, &held), "2", "one rank on the node: its own");
	s = start(a, machine(a, ""), v, "auto");
	v.local_size = 2;
	v.slurm = true;
	v.node_gpus = 2;
	gpu_step_union(a, &s.all, &s.ours, &v, &held);
	is_str(minors(a, &held), "0123", "we have none, others have: theirs");
	is_str(gpu_list_inside(a, &s.chosen, &held, &v), "", "CUDA sees none");
	ok(!gpu_step_warning(a, &s.ours, &v), "and nothing is parted");
}

static void test_warning(struct arena *a)
{
	struct gpu_visible v = {
		.devices = "0", .job = true, .slurm = true, .node_gpus = 4, .local_size = 4
	};
	struct start s = start(a, machine(a, "2"), v, "auto");
	const char *text = gpu_step_warning(a, &s.ours, &v);

	ok(text && strstr(text, "1 of the step's 4 GPUs") && strstr(text, "--gpus-per-node=4") &&
		   strstr(text, "LOCAL_RANK") && strstr(text, "--gres-flags=allow-task-sharing"),
	   "%s", text);
	v.local_size = 1;
	ok(!gpu_step_warning(a, &s.ours, &v), "not for one rank");
	v.local_size = 4;
	v.node_gpus = -1;
	ok(!gpu_step_warning(a, &s.ours, &v), "not without the number");
	v.node_gpus = 4;
	v.slurm = false;
	ok(!gpu_step_warning(a, &s.ours, &v), "the remedies are Slurm's");
}

/* ---- MIG ---- */

/* GPU 3 with two devices, of which @open opens; NVML was asked or not. */
static struct gpu_set mig_machine(struct arena *a, const char *gpus, const char *open, bool asked)
{
	struct gpu_set set = machine(a, gpus);
	struct gpu *g = &set.v[3];

	for (int i = 0; i < 2; i++) {
		struct gpu_mig m = { .gi = i + 1, .index = asked ? i : -1 };

		m.uuid = asked ? arena_printf(a, "MIG-%d%d-00", i, i) : NULL;
		for (unsigned int k = 0; k < 2; k++)
			m.access[k] = (struct gpu_node){ .path = "/dev/nvidia-caps/x",
							 .rdev = makedev(236, k + 3) };
		if (!strchr(open, '0' + i)) {
			m.denied = "/dev/nvidia-caps/x: Operation not permitted";
			m.denied_errno = EPERM;
		}
		VEC_PUSH(a, g->migs, g->n_migs, g->cap_migs, m);
	}
	return set;
}

static size_t count_migs(const struct gpu *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n_migs; i++)
		n += !g->migs[i].denied;
	return n;
}

static void test_mig(struct arena *a)
{
	struct gpu_visible v = {
		.devices = "MIG-11-00", .job = true, .slurm = true, .node_gpus = 2, .local_size = 2
	};
	struct gpu_choices held = { 0 };
	struct start s = start(a, mig_machine(a, "3", "1", true), v, "auto");

	is_int((long long)s.ours.allotted, GPU_ALLOTTED_FILTER, "each task a MIG device, filtered");
	is_int((long long)count_migs(s.chosen.v[0].gpu), 1, "one opens");
	gpu_step_union(a, &s.all, &s.ours, &v, &held);
	is_int((long long)held.n, 4, "the nodes of all");
	is_int((long long)count_migs(held.v[3].gpu), 2, "and of the other task's MIG device");
	is_int((long long)count_migs(&s.all.v[3]), 1, "in a copy");
	is_str(gpu_list_inside(a, &s.chosen, &held, &v), "MIG-11-00", "the UUID stays");
	ok(!gpu_step_warning(a, &s.ours, &v), "MIG devices have no peers");

	s = start(a, mig_machine(a, "0123", "01", true), v, "auto");
	is_int((long long)s.ours.allotted, GPU_ALLOTTED_LIST, "without a filter the list says it");
	is_str(usable(a, &s.ours), "3", "its GPU");
	is_int((long long)count_migs(&s.ours.v[3]), 1, "without its other devices");
	is_int(s.ours.v[3].migs[0].denied_errno, EPERM, "which are the job's no more");
	is_int((long long)count_migs(&s.all.v[3]), 2, "the copy is what it was");
	s = start(a, mig_machine(a, "0123", "01", true), v, "0:0");
	is_int(s.r, -EPERM, "the other device is refused: %s", s.e.msg);

	ok(gpu_allot_needs_nvml(&s.all, &v) == false, "NVML has answered");
	s.all = mig_machine(a, "0123", "01", false);
	ok(gpu_allot_needs_nvml(&s.all, &v), "it has not, and must");
	is_int(gpu_allot(a, &s.all, &v, &s.note, &s.e), -ENODEV, "without it: %s", s.e.msg);
	s.all = mig_machine(a, "3", "01", false);
	ok(!gpu_allot_needs_nvml(&s.all, &v), "not where a filter decides");
	v.job = false;
	s.all = mig_machine(a, "0123", "01", false);
	ok(!gpu_allot_needs_nvml(&s.all, &v), "not outside of jobs");
}

/* A MIG device that was chosen by name, in a container that holds more of them. */
static void test_mig_choice(struct arena *a)
{
	struct gpu_visible v = { .job = true, .node_gpus = -1, .local_size = 2 };
	struct start s = start(a, mig_machine(a, "0123", "01", true), v, "3:1");
	struct gpu_choices held = { 0 };

	gpu_step_union(a, &s.all, &s.ours, &v, &held);
	is_str(gpu_list_inside(a, &s.chosen, &held, &v), "MIG-11-00", "by its UUID");
	is_str(gpu_list_inside(a, &s.chosen, &s.chosen, &v), NULL, "alone it needs none");
	s = start(a, mig_machine(a, "0123", "01", true), v, "0,3:0,3:1");
	is_str(gpu_list_inside(a, &s.chosen, &held, &v), "0,MIG-00-00,MIG-11-00", "all of them");
}

/* NVLinks are told by index. */
static void test_links(struct arena *a)
{
	const struct gpu_visible v = {
		.devices = "3,1", .job = true, .slurm = true, .node_gpus = 2
	};
	struct gpu_set set = machine(a, "0123");
	const char *note;
	struct err e = { 0 };

	set.v[1].nvml.links = 1 << 3 | 1 << 0;
	set.v[3].nvml.links = 1 << 1;
	is_int(gpu_allot(a, &set, &v, &note, &e), 0, "two of four");
	is_int((long long)set.v[1].nvml.links, 1 << 1, "to the one that is now 1");
	is_int((long long)set.v[3].nvml.links, 1 << 0, "to the one that is now 0");
}

int main(void)
{
	_cleanup_arena_ struct arena *a = arena_new(0);

	test_rows(a);
	test_outside(a);
	test_twice(a);
	test_broken(a);
	test_explicit(a);
	test_union(a);
	test_warning(a);
	test_mig(a);
	test_mig_choice(a);
	test_links(a);
	return done_testing();
}
