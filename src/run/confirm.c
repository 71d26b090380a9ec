// SPDX-License-Identifier: Apache-2.0
/*
 * confirm.c - steps seccomp and confirm: install the filter, then ask the kernel what holds.
 *
 * Two runtimes shipped releases in which a confinement was silently not applied
 * (CVE-2025-65105, CVE-2025-64750).  What we claim is read back and must match, or the command
 * is not started.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>
#include <gpurun/sys.h>

#include "child.h"

#define STATUS_MAX 8192 /* /proc/self/status with all supplementary groups */

int step_seccomp(struct child *c, struct err *e)
{
	const struct plan_process *p = &c->plan->process;
	int r;

	if (!p->seccomp)
		return 0;
	r = sys_seccomp_filter(p->seccomp, p->seccomp_len);
	return r < 0 ? err_sys(e, -r, "profile %s", p->seccomp_name) : 0;
}

/* The next line that starts with @key, a newline in front; NULL when there is none. */
static const char *status_find(const char *p, const char *key)
{
	size_t n = strlen(key);

	/* not strstr(3): that part of libc's text would be paged in for this alone */
	while (p && strncmp(p, key, n) != 0)
		p = *p ? strchr(p + 1, '\n') : NULL;
	return p;
}

/*
 * The number behind "\nKEY:\t" in the rest of the text, which is read once: fields are asked for
 * in the kernel's order.  -ENOENT when it does not tell.
 */
static int status_field(const char **text, const char *key, unsigned int base, uint64_t *ret)
{
	const char *p = status_find(*text, key);
	uint64_t v = 0;

	if (!p)
		return -ENOENT;
	for (p += strlen(key); *p && *p != '\n'; p++) {
		unsigned int digit;

		if (*p >= '0' && *p <= '9')
			digit = (unsigned int)(*p - '0');
		else if (base == 16 && *p >= 'a' && *p <= 'f')
			digit = (unsigned int)(*p - 'a') + 10;
		else
			return -EINVAL;
		v = v * base + digit;
	}
	*text = p;
	*ret = v;
	return 0;
}

static int expect(const char **text, const char *key, unsigned int base, uint64_t want,
		  struct err *e)
{
	uint64_t got = 0;
	int r = status_field(text, key, base, &got);

	if (r < 0)
		return err_set(e, EIO, "/proc/self/status: no %.*s", (int)strlen(key) - 3, key + 1);
	if (got != want)
		return err_set(e, EPERM, "%.*s is %llx, should be %llx", (int)strlen(key) - 3,
			       key + 1, (unsigned long long)got, (unsigned long long)want);
	return 0;
}

/* "\nKEY:\t" and four times the same id */
static int expect_ids(const char **text, const char *key, unsigned int id, struct err *e)
{
	const char *p = status_find(*text, key);
	char ids[4 * (NUM_DIGITS_MAX + 1) + 1];
	struct text want = text_into(ids, sizeof(ids));

	for (int i = 0; i < 4; i++) {
		text_add(&want, i ? "\t" : "");
		text_add_number(&want, id, 10);
	}
	text_add(&want, "\n");
	if (!p)
		return err_set(e, EIO, "/proc/self/status: no %.*s", (int)strlen(key) - 3, key + 1);
	p += strlen(key);
	if (strncmp(p, ids, strlen(ids)) != 0)
		return err_set(e, EPERM, "%.*s is %.*s, should be %u", (int)strlen(key) - 3,
			       key + 1, (int)strcspn(p, "\n"), p, id);
	*text = p;
	return 0;
}

static unsigned int id_outside(unsigned int id, unsigned int one, const struct plan_idrange *ranges,
			       size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (id >= ranges[i].inside && id - ranges[i].inside < ranges[i].count)
			return ranges[i].outside + (id - ranges[i].inside);
	return one;
}

/* A rank's file was opened before it came into the container, and tells the ids of outside. */
static int confirm_ids(struct child *c, const char **text, struct err *e)
{
	const struct plan_container *k = &c->plan->container;
	const struct plan_process *p = &c->plan->process;
	unsigned int uid = p->switch_ids ? p->uid : k->uid_inside;
	unsigned int gid = p->switch_ids ? p->gid : k->gid_inside;
	int r;

	if (c->driver == DRIVER_ENTER) {
		uid = id_outside(uid, k->uid_outside, k->uid_ranges, k->n_uid_ranges);
		gid = id_outside(gid, k->gid_outside, k->gid_ranges, k->n_gid_ranges);
	}
	r = expect_ids(text, "\nUid:\t", uid, e);
	/* of a container that runs already the record says no more */
	return r < 0 || c->driver == DRIVER_JOIN ? r : expect_ids(text, "\nGid:\t", gid, e);
}

static int confirm_status(struct child *c, struct err *e)
{
	const struct plan_process *p = &c->plan->process;
	const uint64_t set = p->caps.keep | p->caps.ambient;
	char status[STATUS_MAX];
	const char *text = status;
	uint64_t fds = 0;
	ssize_t n = pread(c->status, status, sizeof(status) - 1, 0);
	int r;

	if (n <= 0)
		return err_sys(e, n < 0 ? errno : EIO, "/proc/self/status");
	status[n] = '\0';
	r = confirm_ids(c, &text, e);
	if (status_field(&text, "\nFDSize:\t", 10, &fds) < 0 || fds > INT_MAX)
		return err_set(e, EIO, "/proc/self/status: no FDSize");
	c->fd_end = (int)fds;
	if (status_field(&text, "\nSigIgn:\t", 16, &c->ignores) < 0)
		return err_set(e, EIO, "/proc/self/status: no SigIgn");
	if (r == 0)
		r = expect(&text, "\nCapInh:\t", 16, p->caps.ambient, e);
	if (r == 0)
		r = expect(&text, "\nCapPrm:\t", 16, set, e);
	if (r == 0)
		r = expect(&text, "\nCapEff:\t", 16, set, e);
	if (r == 0)
		r = expect(&text, "\nCapBnd:\t", 16, p->caps.bounding, e);
	if (r == 0)
		r = expect(&text, "\nCapAmb:\t", 16, p->caps.ambient, e);
	if (r == 0 && p->no_new_privs)
		r = expect(&text, "\nNoNewPrivs:\t", 10, 1, e);
	if (r == 0 && p->seccomp)
		r = expect(&text, "\nSeccomp:\t", 10, 2, e);
	return r;
}

int step_confirm(struct child *c, struct err *e)
{
	int r = confirm_status(c, e);

	if (r == 0 && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 0)
		r = err_set(e, EPERM, "our process can be traced");
	if (r == 0 && c->driver == DRIVER_CREATE)
		r = confirm_mounts(c, e);
	return r;
}
