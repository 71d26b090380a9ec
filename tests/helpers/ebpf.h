/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ebpf.h - runs a program of a device filter in a test: the instructions that it is made of, anything
 * else ends the test program, as does a program that the kernel's verifier would refuse for what it
 * reads or where it jumps.
 */
#ifndef GPURUN_TEST_EBPF_H
#define GPURUN_TEST_EBPF_H

#include <linux/bpf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ebpf {
	uint64_t r[6];
	bool set[6];  /* only what was written is read */
	bool context; /* r1 still points to it */
};

static inline _Noreturn void ebpf_bad(const char *what, size_t at)
{
	printf("Bail out! instruction %zu: %s\n", at, what);
	exit(1);
}

static inline uint64_t ebpf_get(const struct ebpf *m, unsigned int reg, size_t at)
{
	if (reg >= 6 || !m->set[reg] || (reg == 1 && m->context))
		ebpf_bad("reads a register that holds no number", at);
	return m->r[reg];
}

static inline void ebpf_set(struct ebpf *m, unsigned int reg, uint64_t v, size_t at)
{
	if (reg >= 6)
		ebpf_bad("writes a register that is not there", at);
	m->r[reg] = v;
	m->set[reg] = true;
	m->context &= reg != 1;
}

static inline void ebpf_load(struct ebpf *m, const struct bpf_insn *i,
			     const struct bpf_cgroup_dev_ctx *ctx, size_t at)
{
	uint32_t v;

	if (i->code != (BPF_LDX | BPF_MEM | BPF_W) || i->src_reg != 1 || !m->context ||
	    i->off < 0 || (size_t)i->off + sizeof(v) > sizeof(*ctx))
		ebpf_bad("a load of something else than the context", at);
	memcpy(&v, (const char *)ctx + i->off, sizeof(v));
	ebpf_set(m, i->dst_reg, v, at);
}

static inline void ebpf_alu(struct ebpf *m, const struct bpf_insn *i, size_t at)
{
	uint64_t by =
		BPF_SRC(i->code) == BPF_X ? ebpf_get(m, i->src_reg, at) : (uint64_t)(int64_t)i->imm;

	switch (BPF_OP(i->code)) {
	case BPF_MOV:
		ebpf_set(m, i->dst_reg, by, at);
		return;
	case BPF_RSH:
		ebpf_set(m, i->dst_reg, ebpf_get(m, i->dst_reg, at) >> by, at);
		return;
	case BPF_LSH:
		ebpf_set(m, i->dst_reg, ebpf_get(m, i->dst_reg, at) << by, at);
		return;
	case BPF_OR:
		ebpf_set(m, i->dst_reg, ebpf_get(m, i->dst_reg, at) | by, at);
		return;
	case BPF_AND:
		ebpf_set(m, i->dst_reg, ebpf_get(m, i->dst_reg, at) & by, at);
		return;
	default:
		ebpf_bad("unknown arithmetic", at);
	}
}

/** ebpf_run - the answer of the program, of @len instructions: may the node be opened? */
static inline bool ebpf_run(const struct bpf_insn *prog, size_t len,
			    const struct bpf_cgroup_dev_ctx *ctx)
{
	struct ebpf m = { .context = true };

	for (size_t at = 0; at < len; at++) {
		const struct bpf_insn *i = &prog[at];

		if (i->code == (BPF_JMP | BPF_EXIT))
			return ebpf_get(&m, 0, at) != 0;
		if (BPF_CLASS(i->code) == BPF_LDX)
			ebpf_load(&m, i, ctx, at);
		else if (BPF_CLASS(i->code) == BPF_ALU64)
			ebpf_alu(&m, i, at);
		else if (i->off < 0)
			ebpf_bad("a loop", at);
		else if (i->code == (BPF_JMP32 | BPF_JEQ | BPF_K))
			at += (uint32_t)ebpf_get(&m, i->dst_reg, at) == (uint32_t)i->imm
				      ? (size_t)i->off
				      : 0;
		else if (i->code != (BPF_JMP | BPF_JNE | BPF_K))
			ebpf_bad("unknown instruction", at);
		else if (ebpf_get(&m, i->dst_reg, at) != (uint64_t)(int64_t)i->imm)
			at += (size_t)i->off;
	}
	ebpf_bad("ran off the end", len);
}

#endif
