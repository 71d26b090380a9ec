/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvml_take.c - the child's answer, checked record by record, into the set of GPUs (pure).
 *
 * What has no sense as a record makes the whole answer worthless; a figure that cannot be is
 * unknown.  All is done on a copy of the set's GPUs, which replaces them at the end.
 */
#include <errno.h>
#include <stdlib.h>

#include <gpurun/str.h>

#include "backend.h"
#include "nvml.h"

#define MIG_INSTANCE_MAX 255 /* as mig.c takes them */
#define CC_MAX           99

/* enum nvmlBrandType_t, as NVIDIA_REQUIRE_* spells it */
static const char *const brands[] = {
	NULL,        "Quadro",      "Tesla",     "NVS",        "GRID",      "GeForce",
	"TITAN",     "NvidiaVApps", "NvidiaVPC", "NvidiaVCS",  "NvidiaVWS", "NvidiaCloudGaming",
	"QuadroRTX", "NvidiaRTX",   "Nvidia",    "GeForceRTX", "TitanRTX",
};

/* struct taking - an answer that is being read */
struct taking {
	struct arena *a;
	struct gpu *v; /* copy of the set's */
	size_t n;
	struct gpu *now;    /* whom the next records belong to; NULL: a GPU that is not ours */
	bool begun;         /* there was a GPU, ours or not */
	uint64_t on_switch; /* links of those that are on the NVLink switch */
	unsigned int migs;  /* of this GPU so far */
	unsigned int gpus;
};

/* A text of visible ASCII without spaces, ended inside of its array. */
static bool text_is_clean(const char *s, size_t size)
{
	const char *end = memchr(s, '\0', size);

	for (; end && s < end; s++)
		if (*s <= 0x20 || *s > 0x7e)
			return false;
	return end;
}

static bool uuid_is_sane(const char *s, size_t size, const char *prefix)
{
	return text_is_clean(s, size) && (!*s || str_after(s, prefix));
}

/* ---- which GPU ------------------------------------------------------------------------- */

static bool is_at(const struct gpu *g, const struct nvml_address *at)
{
	struct pci_address p;

	return g->pci && pci_parse(g->pci, &p) == 0 && p.domain == at->domain && p.bus == at->bus &&
	       p.slot == at->slot;
}

/* NVML does not tell the function of the device: the first one, where there are several. */
static struct gpu *find_at(const struct taking *t, const struct nvml_address *at)
{
	for (size_t i = 0; i < t->n; i++)
		if (is_at(&t->v[i], at))
			return &t->v[i];
	return NULL;
}

/* By address and minor; else by address, else by minor. */
static struct gpu *find_gpu(const struct taking *t, const struct nvml_address *at, int minor)
{
	struct gpu *found = NULL;

	for (size_t i = 0; minor >= 0 && i < t->n; i++) {
		if (t->v[i].minor != minor)
			continue;
		if (is_at(&t->v[i], at))
			return &t->v[i];
		if (!found)
			found = &t->v[i];
	}
	return find_at(t, at) ? find_at(t, at) : found;
}

/* In gpu_nvml.links: GPUs that cannot be used have no index, and there is room for 64. */
static uint64_t link_bit(const struct gpu *g)
{
	return g->index >= 0 && g->index < 64 ? 1ULL << g->index : 0;
}

/* ---- the records ----------------------------------------------------------------------- */

/* What cannot be is unknown. */
static void take_figures(struct gpu_nvml *n, const struct nvml_record *r)
{
	*n = (struct gpu_nvml){ .known = true, .utilization = -1, .mig_mode = r->u.gpu.mig == 1 };
	if (r->u.gpu.brand < ELEMENTS(brands))
		n->brand = brands[r->u.gpu.brand];
	if (r->u.gpu.cc_major > 0 && r->u.gpu.cc_major <= CC_MAX && r->u.gpu.cc_minor >= 0 &&
	    r->u.gpu.cc_minor <= CC_MAX) {
		n->cc_major = r->u.gpu.cc_major;
		n->cc_minor = r->u.gpu.cc_minor;
	}
	if (r->u.gpu.utilization >= 0 && r->u.gpu.utilization <= 100)
		n->utilization = r->u.gpu.utilization;
	if (r->u.gpu.memory_total <= INT64_MAX && r->u.gpu.memory_used <= r->u.gpu.memory_total) {
		n->memory_total = r->u.gpu.memory_total;
		n->memory_used = r->u.gpu.memory_used;
	}
	if (r->u.gpu.energy <= INT64_MAX)
		n->energy = r->u.gpu.energy;
}

static int take_gpu(struct taking *t, const struct nvml_record *r)
{
	const char *uuid = r->u.gpu.uuid;
	struct gpu *g = find_gpu(t, &r->u.gpu.pci, r->u.gpu.minor);

	if (++t->gpus > NVML_GPUS_MAX || !uuid_is_sane(uuid, sizeof(r->u.gpu.uuid), "GPU-"))
		return -EBADMSG;
	if (g && g->nvml.known) /* one GPU twice */
		return -EBADMSG;
	t->begun = true;
	t->migs = 0;
	t->now = g;
	if (!g)
		return 0;
	take_figures(&g->nvml, r);
	if (!g->uuid && *uuid)
		g->uuid = arena_strdup(t->a, uuid);
	if (r->u.gpu.to_switch == 1)
		t->on_switch |= link_bit(g);
	return 0;
}

/* A process may be told twice: as computing and as drawing, or by several MIG devices. */
static int take_user(struct taking *t, const struct nvml_record *r)
{
	struct gpu_nvml *n = t->now ? &t->now->nvml : NULL;
	struct gpu_user user = { .pid = r->u.user.pid, .memory = r->u.user.memory };

	if (!t->begun || r->u.user.pid <= 0)
		return -EBADMSG;
	if (user.memory > INT64_MAX)
		user.memory = 0;
	if (n)
		VEC_PUSH(t->a, n->users, n->n_users, n->cap_users, user);
	return 0;
}

static int take_link(struct taking *t, const struct nvml_record *r)
{
	const struct gpu *other = find_at(t, &r->u.link);

	if (!t->begun)
		return -EBADMSG;
	if (t->now && other && other != t->now)
		t->now->nvml.links |= link_bit(other);
	return 0;
}

static struct gpu_mig *find_mig(struct gpu *g, int gi, int ci)
{
	for (size_t i = 0; i < g->n_migs; i++)
		if (g->migs[i].gi == gi && g->migs[i].ci == ci)
			return &g->migs[i];
	return NULL;
}

/* One that procfs does not have cannot be opened: the driver shows the files of those that are. */
static struct gpu_mig *add_mig(struct taking *t, const struct nvml_record *r)
{
	struct gpu *g = t->now;
	const struct gpu_mig m = {
		.gi = r->u.mig.gi,
		.ci = r->u.mig.ci,
		.index = -1,
		.access = { { .path = "", .why = "" }, { .path = "", .why = "" } },
		.denied = arena_printf(t->a, "gi%d/ci%d: no capability file", r->u.mig.gi,
				       r->u.mig.ci),
		.denied_errno = ENOENT,
	};

	VEC_PUSH(t->a, g->migs, g->n_migs, g->cap_migs, m);
	return &g->migs[g->n_migs - 1];
}

static int take_mig(struct taking *t, const struct nvml_record *r)
{
	struct gpu_mig *m;

	if (!t->begun || ++t->migs > NVML_MIGS_MAX || r->u.mig.gi < 0 || r->u.mig.ci < 0 ||
	    r->u.mig.gi > MIG_INSTANCE_MAX || r->u.mig.ci > MIG_INSTANCE_MAX ||
	    r->u.mig.index < 0 || r->u.mig.index >= (int)NVML_MIGS_MAX ||
	    !uuid_is_sane(r->u.mig.uuid, sizeof(r->u.mig.uuid), "MIG-") ||
	    !text_is_clean(r->u.mig.profile, sizeof(r->u.mig.profile)))
		return -EBADMSG;
	if (!t->now)
		return 0;
	m = find_mig(t->now, r->u.mig.gi, r->u.mig.ci);
	if (!m)
		m = add_mig(t, r);
	if (m->index >= 0) /* one device twice */
		return -EBADMSG;
	m->index = r->u.mig.index;
	if (r->u.mig.uuid[0])
		m->uuid = arena_strdup(t->a, r->u.mig.uuid);
	if (r->u.mig.profile[0])
		m->profile = arena_strdup(t->a, r->u.mig.profile);
	return 0;
}

static int take_record(struct taking *t, const struct nvml_record *r)
{
	switch (r->kind) {
	case NVML_GPU:
		return take_gpu(t, r);
	case NVML_USER:
		return take_user(t, r);
	case NVML_LINK:
		return take_link(t, r);
	case NVML_MIG:
		return take_mig(t, r);
	default:
		return -EBADMSG;
	}
}

/* ---- the whole ------------------------------------------------------------------------- */

static int compare_users(const void *x, const void *y)
{
	const struct gpu_user *a = x, *b = y;

	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return a->memory < b->memory ? 1 : a->memory > b->memory ? -1 : 0;
}

/* By process, each once, with the most memory that was told of it. */
static void sort_users(struct gpu_nvml *n)
{
	size_t kept = 0;

	if (n->n_users)
		qsort(n->users, n->n_users, sizeof(*n->users), compare_users);
	for (size_t i = 0; i < n->n_users; i++)
		if (!kept || n->users[kept - 1].pid != n->users[i].pid)
			n->users[kept++] = n->users[i];
	n->n_users = kept;
}

static int compare_migs(const void *x, const void *y)
{
	const struct gpu_mig *a = x, *b = y;

	if (a->gi != b->gi)
		return a->gi < b->gi ? -1 : 1;
	return a->ci < b->ci ? -1 : a->ci > b->ci;
}

static void finish(struct taking *t)
{
	for (size_t i = 0; i < t->n; i++) {
		struct gpu *g = &t->v[i];
		uint64_t self = link_bit(g);

		sort_users(&g->nvml);
		if (g->n_migs)
			qsort(g->migs, g->n_migs, sizeof(*g->migs), compare_migs);
		if (t->on_switch & self)
			g->nvml.links |= t->on_switch & ~self;
	}
}

static void begin(struct taking *t, const struct gpu_set *set)
{
	t->n = set->n;
	t->v = arena_grow(t->a, set->v, set->n, set->n + 1, sizeof(*set->v));
	for (size_t i = 0; i < t->n; i++) {
		struct gpu *g = &t->v[i];

		g->nvml = (struct gpu_nvml){ .known = false };
		g->migs = arena_grow(t->a, g->migs, g->n_migs, g->n_migs + 1, sizeof(*g->migs));
		g->cap_migs = g->n_migs + 1;
		for (size_t m = 0; m < g->n_migs; m++)
			g->migs[m].index = -1;
	}
}

/* The next record; false: there is no whole one any more. */
static bool next_record(const char **p, size_t *len, struct nvml_record *ret)
{
	if (*len < sizeof(*ret))
		return false;
	memcpy(ret, *p, sizeof(*ret));
	*p += sizeof(*ret);
	*len -= sizeof(*ret);
	return true;
}

/* What a library says may go to a terminal. */
static void clean_failed(struct nvml_record *r)
{
	char *s = r->u.failed.text;

	s[sizeof(r->u.failed.text) - 1] = '\0';
	for (; *s; s++)
		if (*s < 0x20 || *s > 0x7e)
			*s = '?';
}

int nvml_take(struct arena *a, const void *answer, size_t len, struct gpu_set *set,
	      struct nvml_record *ret_failed)
{
	struct taking t = { .a = a };
	const char *p = answer;
	struct nvml_record r;

	begin(&t, set);
	while (next_record(&p, &len, &r)) {
		int e;

		if (r.kind == NVML_FAILED && !t.begun && len == 0) {
			clean_failed(&r);
			*ret_failed = r;
			return -EREMOTEIO;
		}
		if (r.kind == NVML_END && len == 0) {
			finish(&t);
			if (t.n)
				memcpy(set->v, t.v, t.n * sizeof(*t.v));
			return 0;
		}
		e = take_record(&t, &r);
		if (e < 0)
			return e;
	}
	return -EBADMSG;
}
