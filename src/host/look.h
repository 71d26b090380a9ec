/* SPDX-License-Identifier: Apache-2.0 */
/*
 * look.h - the parts of host_probe(); private to src/host/.
 */
#ifndef GPURUN_HOST_LOOK_H
#define GPURUN_HOST_LOOK_H

#include <gpurun/host.h>

#define HOST_TEXT_MAX    (256U << 10) /* any text file of procfs, and /etc/hosts */
#define HOST_PASSWD_MAX  (4U << 20)   /* /etc/passwd and /etc/group of a large site */
#define HOST_CGROUP_LEN  4096         /* longest cgroup path that is followed */
#define HOST_ENVIRON_MAX (2U << 20)   /* proc/self/environ of a test's directory */

/* Is this the machine itself, or a directory that stands for it in a test? */
static inline bool look_is_real(const struct sysroot *root)
{
	return root->label[0] == '\0';
}

/** look_text - the text of a file below @root; -errno */
int look_text(struct arena *a, const struct sysroot *root, const char *path, size_t max, char **ret,
	      size_t *ret_len);

/** look_line - the first line of a file below @root, or NULL */
const char *look_line(struct arena *a, const struct sysroot *root, const char *path);

/** look_value - value of the line "KEY SEPARATOR value" in @text, trimmed, or NULL */
const char *look_value(struct arena *a, const char *text, const char *key, char separator);

/** self_look - ids, cwd, environment, terminals (self.c) */
int self_look(struct arena *a, const struct sysroot *root, const char *const *env, struct host *h,
	      struct err *e);

/** ids_look - names and home of h->uid and h->gid (ids.c) */
void ids_look(struct arena *a, const struct sysroot *root, struct host *h);

/** ids_find - the line of @text (passwd or group) whose third field is @id, split; NULL: none */
const struct strv *ids_find(struct arena *a, const char *text, uint64_t id);

/** cgroup_look - the smallest memory limit on the way from our cgroup to the top, and h->cgroup */
void cgroup_look(struct arena *a, const struct sysroot *root, struct host *h);

/** kernel_look - architecture and what only a system call can tell (kernel.c) */
int kernel_look(struct arena *a, const struct sysroot *root, struct host *h, struct err *e);

/** job_look - in which job we run, from h->environ and h->hostname (job.c) */
void job_look(struct arena *a, const struct sysroot *root, struct host *h);

/** job_tasks_on - tasks on the node of number @node, of Slurm's "4(x2),3"; -1: not to be had */
int job_tasks_on(struct arena *a, const char *text, int node);

#endif
