/* SPDX-License-Identifier: Apache-2.0 */
/*
 * request.c - a bundle in the words of the command line, as far as they are the same.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/sched.h>

#include <gpurun/driver.h>
#include <gpurun/request.h>

#include "bundle.h"

#define ID_MAX 64

/* It names the container to ps, exec and kill. */
static int check_id(const char *id, struct err *e)
{
	if (!*id || strlen(id) > ID_MAX)
		return err_set(e, EINVAL, "oci-run: the id has 1 to %d characters", ID_MAX);
	for (const char *s = id; *s; s++)
		if (!isalnum((unsigned char)*s) && (s == id || !strchr("_.+-", *s)))
			return err_set(e, EINVAL,
				       "oci-run: %s: an id has letters, digits, '.', '_', '+' and "
				       "'-', and starts with a letter or a digit",
				       id);
	return 0;
}

static const char *const compat_words[] = { "auto", "never", "always", NULL };
static const char *const share_words[] = { "step", "none", NULL };

static int check_word(const struct oci_bundle *b, const char *key, const char *value,
		      const char *const *words, struct err *e)
{
	if (!value)
		return 0;
	for (const char *const *w = words; *w; w++)
		if (str_eq(value, *w))
			return 0;
	return err_set(e, EINVAL, "%s: annotations.org.gpurun.%s: %s: not one of %s, %s%s%s",
		       b->file, key, value, words[0], words[1], words[2] ? ", " : "",
		       words[2] ? words[2] : "");
}

/* Options by another name, which choose among what a job allows and add nothing to it. */
static int take_annotations(struct request *q, const struct oci_bundle *b, struct err *e)
{
	uint32_t caps = 0;
	int r = check_word(b, "cuda-compat", b->cuda_compat, compat_words, e);

	if (r >= 0)
		r = check_word(b, "share", b->share, share_words, e);
	if (r >= 0 && b->gpu_caps) {
		r = gpu_caps_parse(b->gpu_caps, &caps, e);
		if (r < 0)
			err_wrap(e, "%s: annotations.org.gpurun.gpu-caps", b->file);
	}
	q->gpus = b->gpus; /* read, and refused, where it is for "run" */
	q->gpu_caps = b->gpu_caps;
	q->cuda_compat = b->cuda_compat;
	q->share = b->share;
	return r;
}

static enum ns_mode ns_mode_of(const struct oci_bundle *b, uint64_t flag)
{
	return b->namespaces & flag ? NS_PRIVATE : NS_HOST;
}

/*
 * A process 1 of its own ends with its rank, so that the ranks of a step cannot share a container
 * whose list has a PID namespace: each gets its own.
 */
int oci_request(const struct oci_bundle *b, const char *id, struct request *q, struct err *e)
{
	int r = check_id(id, e);

	if (r >= 0)
		r = take_annotations(q, b, e);
	if (r < 0)
		return r;
	q->image = b->dir;
	q->name = id;
	q->args = b->args;
	q->root = b->uid == 0;
	q->tty = b->terminal ? TRI_ON : TRI_OFF;
	q->hostname = b->hostname;
	q->pid = ns_mode_of(b, CLONE_NEWPID);
	q->ipc = ns_mode_of(b, CLONE_NEWIPC);
	q->uts = ns_mode_of(b, CLONE_NEWUTS);
	q->net = b->namespaces & CLONE_NEWNET ? NET_NONE : NET_HOST;
	if (!q->share && q->pid == NS_PRIVATE)
		q->share = "none";
	return 0;
}
