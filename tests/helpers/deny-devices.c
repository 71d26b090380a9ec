// SPDX-License-Identifier: Apache-2.0
/*
 * deny-devices.c - deny-devices [-o] CGROUP MAJOR:MINOR...: no process below the cgroup (v2) may read
 * or write these character devices, for as long as the cgroup is there; -o: unless a program is
 * attached below it (BPF_F_ALLOW_OVERRIDE).
 *
 * What a job manager does to a step that was not given a GPU (bpf(2), BPF_PROG_TYPE_CGROUP_DEVICE).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define DEVICES_MAX 16

#define INSN(c, d, s, o, i)                                                                        \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })

static long bpf(int cmd, union bpf_attr *attr)
{
	return syscall(SYS_bpf, cmd, attr, sizeof(*attr));
}

static int fail(const char *what)
{
	fprintf(stderr, "deny-devices: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct bpf_insn p[8 + 4 * DEVICES_MAX];
	char log[4096] = "";
	uint32_t flags = BPF_F_ALLOW_MULTI;
	size_t n = 0;
	long prog;
	int cgroup;

	if (argc > 1 && strcmp(argv[1], "-o") == 0) {
		flags = BPF_F_ALLOW_OVERRIDE;
		argc--;
		argv++;
	}

	if (argc < 3 || argc - 2 > DEVICES_MAX)
		return 2;
	/* r4 = access: mknod alone, return 1 */
	p[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_4, BPF_REG_1,
		      offsetof(struct bpf_cgroup_dev_ctx, access_type), 0);
	p[n++] = INSN(BPF_JMP | BPF_JSET | BPF_K, BPF_REG_4, 0, 2,
		      (BPF_DEVCG_ACC_READ | BPF_DEVCG_ACC_WRITE) << 16);
	p[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
	p[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	/* r2 = major, r3 = minor; each device: if both are its own, return 0 */
	p[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_2, BPF_REG_1,
		      offsetof(struct bpf_cgroup_dev_ctx, major), 0);
	p[n++] = INSN(BPF_LDX | BPF_MEM | BPF_W, BPF_REG_3, BPF_REG_1,
		      offsetof(struct bpf_cgroup_dev_ctx, minor), 0);
	for (int i = 2; i < argc; i++) {
		int major, minor;

		if (sscanf(argv[i], "%d:%d", &major, &minor) != 2)
			return 2;
		p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_2, 0, 3, major);
		p[n++] = INSN(BPF_JMP | BPF_JNE | BPF_K, BPF_REG_3, 0, 2, minor);
		p[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0);
		p[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	p[n++] = INSN(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 1);
	p[n++] = INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);

	prog = bpf(BPF_PROG_LOAD, &(union bpf_attr){
					  .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
					  .insns = (uintptr_t)p,
					  .insn_cnt = (uint32_t)n,
					  .license = (uintptr_t) "Apache-2.0",
					  .log_buf = (uintptr_t)log,
					  .log_size = sizeof(log),
					  .log_level = 1,
				  });
	if (prog < 0)
		return fail(log[0] ? log : "BPF_PROG_LOAD");
	cgroup = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cgroup < 0)
		return fail(argv[1]);
	if (bpf(BPF_PROG_ATTACH, &(union bpf_attr){
					 .target_fd = (uint32_t)cgroup,
					 .attach_bpf_fd = (uint32_t)prog,
					 .attach_type = BPF_CGROUP_DEVICE,
					 .attach_flags = flags,
				 }))
		return fail("BPF_PROG_ATTACH");
	return 0;
}
