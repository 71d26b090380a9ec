// SPDX-License-Identifier: Apache-2.0
/*
 * devfilter.c - the rules of a device filter as a program of the kernel's (BPF_PROG_TYPE_CGROUP_DEVICE),
 * and the program on a cgroup.
 *
 * It is attached by a link: it holds as long as somebody has the link open, and together with the
 * programs of all cgroups above, each of which may deny.  One case is different: a single program
 * attached with BPF_F_ALLOW_OVERRIDE gives way to any program below it.  Who attaches must find out.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gpurun/fd.h>

#include "child.h"

_Static_assert(DEVICE_MKNOD == (int)BPF_DEVCG_ACC_MKNOD && DEVICE_READ == (int)BPF_DEVCG_ACC_READ &&
		       DEVICE_WRITE == (int)BPF_DEVCG_ACC_WRITE,
	       "rules have the kernel's numbers");

/* Registers: the kernel hands over the context in r1; what is read of it; the answer goes into r0. */
enum {
	ANSWER = BPF_REG_0,
	CONTEXT = BPF_REG_1,
	TYPE = BPF_REG_2,
	ACCESS = BPF_REG_3,
	MAJOR = BPF_REG_4,
	NODE = BPF_REG_5,    /* major and minor as one number */
	SCRATCH = BPF_REG_1, /* when all of the context is read */
};

#define MINOR_BITS   20
#define SECTION_HEAD 4

#define IS_EQUAL   (BPF_JMP32 | BPF_JEQ | BPF_K) /* go to the end that allows */
#define IS_ANOTHER (BPF_JMP | BPF_JNE | BPF_K)

struct program {
	struct bpf_insn *v;
	size_t n;
};

static void emit(struct program *p, unsigned int code, unsigned int dst, unsigned int src,
		 size_t off, uint32_t imm)
{
	p->v[p->n++] = (struct bpf_insn){ .code = (uint8_t)code,
					  .dst_reg = (uint8_t)(dst & 0xf),
					  .src_reg = (uint8_t)(src & 0xf),
					  .off = (int16_t)off,
					  .imm = (int32_t)imm };
}

/* access_type is (access << 16) | type */
static void emit_head(struct program *p)
{
	const unsigned int load = BPF_LDX | BPF_MEM | BPF_W;

	emit(p, load, TYPE, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	emit(p, load, MAJOR, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	emit(p, load, SCRATCH, CONTEXT, offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, NODE, MAJOR, 0, 0);
	emit(p, BPF_ALU64 | BPF_LSH | BPF_K, NODE, 0, 0, MINOR_BITS);
	emit(p, BPF_ALU64 | BPF_OR | BPF_X, NODE, SCRATCH, 0, 0);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, ACCESS, TYPE, 0, 0);
	emit(p, BPF_ALU64 | BPF_RSH | BPF_K, ACCESS, 0, 0, 16);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, TYPE, 0, 0, 0xffff);
}

static void emit_rule(struct program *p, const struct device_rule *r)
{
	if (r->minor == DEVICE_ANY)
		emit(p, IS_EQUAL, MAJOR, 0, 0, r->major);
	else
		emit(p, IS_EQUAL, NODE, 0, 0, r->major << MINOR_BITS | r->minor);
}

/*
 * The rules of one type that grant the same.  One comparison for each, all from the same state: a
 * chain of several for each rule is checked by the kernel in the square of their number.
 */
static void emit_section(struct program *p, const struct device_rule *rules, size_t n,
			 uint32_t type, uint32_t access)
{
	size_t first = p->n;

	emit(p, IS_ANOTHER, TYPE, 0, 0, type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR);
	emit(p, BPF_ALU64 | BPF_MOV | BPF_X, SCRATCH, ACCESS, 0, 0);
	emit(p, BPF_ALU64 | BPF_AND | BPF_K, SCRATCH, 0, 0, ~access & 0xffff);
	emit(p, IS_ANOTHER, SCRATCH, 0, 0, 0);
	for (size_t i = 0; i < n; i++)
		if (rules[i].type == type && rules[i].access == access)
			emit_rule(p, &rules[i]);
	if (p->n == first + SECTION_HEAD) {
		p->n = first;
		return;
	}
	p->v[first].off = (int16_t)(p->n - first - 1);
	p->v[first + SECTION_HEAD - 1].off = (int16_t)(p->n - first - SECTION_HEAD);
}

/* The end that allows is left out where nothing leads there: the kernel takes no dead code. */
static void emit_end(struct program *p)
{
	bool reached = false;

	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, ANSWER, 0, 0, 0);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (size_t i = 0; i < p->n; i++) {
		if (p->v[i].code != IS_EQUAL)
			continue;
		p->v[i].off = (int16_t)(p->n - i - 1);
		reached = true;
	}
	if (!reached)
		return;
	emit(p, BPF_ALU64 | BPF_MOV | BPF_K, ANSWER, 0, 0, 1);
	emit(p, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/**
 * devfilter_build - the program (pure)
 * @n:   at most DEVICE_RULES_MAX
 * @ret: room for DEVFILTER_INSNS_MAX instructions
 * Return: how many there are.
 */
size_t devfilter_build(const struct device_rule *rules, size_t n, struct bpf_insn *ret)
{
	struct program p = { .v = ret };

	emit_head(&p);
	for (uint32_t access = 1; access <= (DEVICE_RW | DEVICE_MKNOD); access++) {
		emit_section(&p, rules, n, 'c', access);
		emit_section(&p, rules, n, 'b', access);
	}
	emit_end(&p);
	return p.n;
}

static int bpf(int cmd, union bpf_attr *attr)
{
	long r = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return r < 0 ? -errno : (int)r;
}

int devfilter_load(const struct device_rule *rules, size_t n)
{
	static const char license[] = "Apache-2.0", name[] = "gpurun_devices";
	struct bpf_insn insns[DEVFILTER_INSNS_MAX];
	union bpf_attr attr;

	if (n > DEVICE_RULES_MAX)
		return -E2BIG;
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)insns;
	attr.insn_cnt = (uint32_t)devfilter_build(rules, n, insns);
	attr.license = (uint64_t)(uintptr_t)license;
	memcpy(attr.prog_name, name, sizeof(name));
	return bpf(BPF_PROG_LOAD, &attr);
}

int devfilter_attach(int prog, int cgroup)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.link_create.prog_fd = (uint32_t)prog;
	attr.link_create.target_fd = (uint32_t)cgroup;
	attr.link_create.attach_type = BPF_CGROUP_DEVICE;
	return bpf(BPF_LINK_CREATE, &attr);
}

static int query(int cgroup, uint32_t flags, uint32_t *ret_attached)
{
	union bpf_attr attr;
	int r;

	memset(&attr, 0, sizeof(attr));
	attr.query.target_fd = (uint32_t)cgroup;
	attr.query.attach_type = BPF_CGROUP_DEVICE;
	attr.query.query_flags = flags;
	r = bpf(BPF_PROG_QUERY, &attr);
	if (r == 0 && ret_attached)
		*ret_attached = attr.query.attach_flags;
	return r < 0 ? r : (int)attr.query.prog_cnt;
}

int devfilter_count(int cgroup, bool effective)
{
	return query(cgroup, effective ? BPF_F_QUERY_EFFECTIVE : 0, NULL);
}

/* What cannot be asked counts as yes. */
bool devfilter_is_replaced(int cgroup)
{
	uint32_t flags = 0;
	int n = query(cgroup, 0, &flags);

	return n < 0 || (n > 0 && !(flags & BPF_F_ALLOW_MULTI));
}
