/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device filter: its program, run here, answers as the rules say, for each kind of rule and each
 * (type, major, minor, access).
 */
#include <linux/bpf.h>

#include "../../src/run/child.h"
#include "ebpf.h"
#include "tap.h"

/* Neighbours of the numbers in the rules, and the ends of what a number may be. */
static const uint32_t majors[] = { 0, 1, 2, 4, 5, 8, 135, 136, 137, 195, 511, 4095 };
static const uint32_t minors[] = { 0, 1, 2, 3, 4, 5, 7, 8, 254, 255, 256, 1048574, 1048575 };

static const struct set {
	const char *name;
	struct device_rule rules[4];
	size_t n;
} sets[] = {
	{ "no rule at all", { { 0 } }, 0 },
	{ "one node", { { 'c', 1, 3, DEVICE_RW } }, 1 },
	{ "to read only", { { 'c', 1, 3, DEVICE_READ } }, 1 },
	{ "to write only", { { 'c', 195, 255, DEVICE_WRITE } }, 1 },
	{ "to be made only", { { 'c', 195, 0, DEVICE_MKNOD } }, 1 },
	{ "a block device", { { 'b', 8, 0, DEVICE_RW } }, 1 },
	{ "any minor", { { 'c', 136, DEVICE_ANY, DEVICE_RW } }, 1 },
	{ "the same number twice", { { 'c', 8, 1, DEVICE_READ }, { 'b', 8, 1, DEVICE_WRITE } }, 2 },
	{ "rights of two rules do not add up",
	  { { 'c', 5, 2, DEVICE_READ }, { 'c', 5, DEVICE_ANY, DEVICE_WRITE } },
	  2 },
	{ "the largest numbers", { { 'b', 4095, 1048575, DEVICE_RW | DEVICE_MKNOD } }, 1 },
	{ "several",
	  { { 'c', 1, 3, DEVICE_RW },
	    { 'c', 195, 0, DEVICE_RW },
	    { 'c', 136, DEVICE_ANY, DEVICE_RW },
	    { 'b', 8, 0, DEVICE_READ } },
	  4 },
};

static bool answer(const struct bpf_insn *prog, size_t len, struct device_rule node)
{
	const struct bpf_cgroup_dev_ctx ctx = {
		.access_type = node.access << 16 |
			       (node.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR),
		.major = node.major,
		.minor = node.minor,
	};

	return ebpf_run(prog, len, &ctx);
}

/* How many answers differ from the rules, of all nodes with this access. */
static int compare(const struct set *s, const struct bpf_insn *prog, size_t len, uint32_t type,
		   uint32_t access)
{
	int wrong = 0;

	for (size_t i = 0; i < sizeof(majors) / sizeof(majors[0]); i++)
		for (size_t k = 0; k < sizeof(minors) / sizeof(minors[0]); k++) {
			const struct device_rule node = { type, majors[i], minors[k], access };

			wrong += answer(prog, len, node) != devices_allow(s->rules, s->n, node);
		}
	return wrong;
}

static void test_sets(void)
{
	static struct bpf_insn prog[DEVFILTER_INSNS_MAX];

	for (size_t i = 0; i < sizeof(sets) / sizeof(sets[0]); i++) {
		size_t len = devfilter_build(sets[i].rules, sets[i].n, prog);
		int wrong = 0;

		for (uint32_t access = 0; access < 8; access++)
			wrong += compare(&sets[i], prog, len, 'c', access) +
				 compare(&sets[i], prog, len, 'b', access);
		is_int(wrong, 0, "%s: the program answers as the rules do", sets[i].name);
	}
}

/* The oracle itself, by hand. */
static void test_rules(void)
{
	static struct bpf_insn prog[DEVFILTER_INSNS_MAX];
	const struct set *s = &sets[sizeof(sets) / sizeof(sets[0]) - 1];
	size_t len = devfilter_build(s->rules, s->n, prog);

	ok(answer(prog, len, (struct device_rule){ 'c', 1, 3, DEVICE_RW }), "null");
	ok(!answer(prog, len, (struct device_rule){ 'b', 1, 3, DEVICE_READ }),
	   "a disk of its number");
	ok(!answer(prog, len, (struct device_rule){ 'c', 1, 3, DEVICE_MKNOD }), "null is not made");
	ok(answer(prog, len, (struct device_rule){ 'c', 195, 0, DEVICE_RW }), "the chosen GPU");
	ok(!answer(prog, len, (struct device_rule){ 'c', 195, 1, DEVICE_READ }),
	   "not the other one");
	ok(answer(prog, len, (struct device_rule){ 'c', 136, 77, DEVICE_RW }), "a terminal");
	ok(answer(prog, len, (struct device_rule){ 'b', 8, 0, DEVICE_READ }), "a disk, to be read");
	ok(!answer(prog, len, (struct device_rule){ 'b', 8, 0, DEVICE_RW }), "but not written");
}

static void test_largest(void)
{
	static struct device_rule rules[DEVICE_RULES_MAX];
	static struct bpf_insn prog[DEVFILTER_INSNS_MAX];
	size_t len;
	int wrong = 0;

	for (uint32_t i = 0; i < DEVICE_RULES_MAX; i++)
		rules[i] = (struct device_rule){ i % 2 ? 'b' : 'c', 100 + i, i, DEVICE_RW };
	len = devfilter_build(rules, DEVICE_RULES_MAX, prog);
	ok(len <= DEVFILTER_INSNS_MAX, "the most rules fit: %zu instructions", len);
	for (uint32_t i = 0; i < DEVICE_RULES_MAX; i++) {
		struct device_rule node = rules[i];

		wrong += !answer(prog, len, node);
		node.minor++;
		wrong += answer(prog, len, node);
	}
	is_int(wrong, 0, "each of them counts");
}

int main(void)
{
	test_sets();
	test_rules();
	test_largest();
	return done_testing();
}
