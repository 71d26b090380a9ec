/* SPDX-License-Identifier: Apache-2.0 */
/*
 * choose.h - the parts of choosing: what one word means, which GPUs count=N takes, what messages
 * say is there.  All pure; private to src/gpu/.
 */
#ifndef GPURUN_GPU_CHOOSE_H
#define GPURUN_GPU_CHOOSE_H

#include "backend.h"

/* ---- one word of a list (select_item.c) ---- */

enum sel_item_kind {
	SEL_INDEX,      /* 0 */
	SEL_UUID,       /* GPU-8a..., or the start of it */
	SEL_PCI,        /* [dddd:]bb:dd.f */
	SEL_MIG_PAIR,   /* 0:1, both as NVML counts */
	SEL_MIG_UUID,   /* MIG-8a..., or the start of it */
	SEL_MIG_LEGACY, /* MIG-GPU-8a.../1/0: GPU, GPU instance, compute instance */
	SEL_CDI,        /* vendor/class=name */
};

struct sel_item {
	enum sel_item_kind kind;
	const char *text; /* as typed */
	const char *uuid; /* UUID and both of MIG: from "GPU-" or "MIG-" on */
	size_t uuid_len;
	uint64_t gpu, mig; /* INDEX, PAIR; LEGACY: the instances */
	struct pci_address pci;
};

/** sel_item_parse - what @text means; -EINVAL */
int sel_item_parse(const char *text, struct sel_item *ret);

/* ---- the GPUs of a set (choose_find.c) ---- */

bool gpu_usable(const struct gpu *g);
size_t gpu_count_usable(const struct gpu_set *set);

/** gpu_why_not - NULL when the choice can be used, else why not; @ret_error: for the exit */
const char *gpu_why_not(const struct gpu_choice *c, int *ret_error);

/**
 * gpu_find - what the item means on this host, whether it can be used or not
 * Return: 0, -ENOENT, -ENOTUNIQ (the start of several UUIDs), -EAGAIN: NVML would know
 */
int gpu_find(const struct gpu_set *set, const struct sel_item *item, struct gpu_choice *ret);

/** gpu_candidates - the UUIDs that the item is the start of, for messages */
const char *gpu_candidates(struct arena *a, const struct gpu_set *set, const struct sel_item *item);

/** gpu_inventory - what there is, and why the rest cannot be used; for messages */
const char *gpu_inventory(struct arena *a, const struct gpu_set *set);

/* ---- choosing (choose.c) ---- */

struct chooser {
	struct arena *a;
	const struct gpu_set *set;
	const struct gpu_sel *sel;
	struct gpu_choices chosen;
	struct strv *warn;
	const char *note;
	struct err *e;
};

/** choose_add - -EEXIST: it is chosen already, or its GPU is, or a part of it */
int choose_add(struct chooser *c, const struct gpu_choice *new);

/** choose_marked - the usable GPUs that have a mark; without @marks all that are usable */
void choose_marked(struct chooser *c, const bool *marks);

/** choose_warn_broken - say what "all" and "auto" leave out because something is missing */
void choose_warn_broken(struct chooser *c);

/* ---- CUDA_VISIBLE_DEVICES (visible.c) ---- */

#define VISIBLE_WORD_MAX 128 /* UUIDs have 40 characters */

/** visible_gives - does the list, which may be NULL, say that there are GPUs? */
bool visible_gives(const char *devices);

/** visible_next - the next word at *@list, without the blanks around it; false at the end */
bool visible_next(const char **list, char word[VISIBLE_WORD_MAX]);

/** visible_item - what the word means to CUDA, which knows less than --gpus */
bool visible_item(const char *word, struct sel_item *ret);

/** visible_needs_nvml - does the list name what only NVML knows? */
bool visible_needs_nvml(const struct gpu_set *set, const char *devices);

/**
 * struct visible_list - what a list means: the first word that means no device ends it
 * @named:   in the order of the list
 * @indexes: there was a number among them
 * @bad:     the word that ended it, or NULL; @unknown: NVML would know it
 */
struct visible_list {
	struct gpu_choices named;
	bool indexes, unknown;
	const char *bad;
};

void visible_read(struct arena *a, const struct gpu_set *set, const char *devices,
		  struct visible_list *ret);

/** visible_complaint - about @word of the list, for people */
const char *visible_complaint(struct arena *a, const char *devices, const char *word);

/* ---- auto (choose_auto.c) ---- */

int choose_auto(struct chooser *c, const struct gpu_visible *v);

/* ---- count=N (choose_count.c) ---- */

/**
 * gpu_pick - @n usable GPUs of the more that there are: idle ones, linked to each other
 * @marks: set for those taken, as long as the set
 * Return: a note that says which and why
 */
const char *gpu_pick(struct arena *a, const struct gpu_set *set, const struct gpu_sel *sel,
		     bool *marks);

#endif
