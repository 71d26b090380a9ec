/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bpf.h - runs a seccomp filter in a test: the instructions that filters are made of, anything
 * else ends the test program.
 */
#ifndef GPURUN_TEST_BPF_H
#define GPURUN_TEST_BPF_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline _Noreturn void bpf_bad(const char *what, size_t at)
{
	printf("Bail out! filter instruction %zu: %s\n", at, what);
	exit(1);
}

static inline uint32_t bpf_alu(uint16_t code, uint32_t a, uint32_t k, size_t at)
{
	if (BPF_OP(code) == BPF_AND)
		return a & k;
	if (BPF_OP(code) == BPF_OR)
		return a | k;
	bpf_bad("unknown arithmetic", at);
}

static inline int bpf_test(uint16_t code, uint32_t a, uint32_t k, size_t at)
{
	switch (BPF_OP(code)) {
	case BPF_JEQ:
		return a == k;
	case BPF_JGT:
		return a > k;
	case BPF_JGE:
		return a >= k;
	case BPF_JSET:
		return (a & k) != 0;
	default:
		bpf_bad("unknown jump", at);
	}
}

/** bpf_run - what the filter answers for one call: SECCOMP_RET_* with its data */
static inline uint32_t bpf_run(const struct sock_filter *prog, size_t len,
			       const struct seccomp_data *data)
{
	uint32_t a = 0;

	for (size_t i = 0; i < len; i++) {
		const struct sock_filter *f = &prog[i];

		switch (BPF_CLASS(f->code)) {
		case BPF_LD:
			if (f->k + sizeof(a) > sizeof(*data))
				bpf_bad("load outside of the data", i);
			memcpy(&a, (const char *)data + f->k, sizeof(a));
			break;
		case BPF_ALU:
			a = bpf_alu(f->code, a, f->k, i);
			break;
		case BPF_JMP:
			if (BPF_OP(f->code) == BPF_JA)
				i += f->k;
			else
				i += bpf_test(f->code, a, f->k, i) ? f->jt : f->jf;
			break;
		case BPF_RET:
			return f->k;
		default:
			bpf_bad("unknown class", i);
		}
	}
	bpf_bad("ran off the end", len);
}

#endif
