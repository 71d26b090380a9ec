// SPDX-License-Identifier: Apache-2.0
/*
 * oci_platform.c - from the entries of index.json through nested indexes to one manifest.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "oci.h"

#define OCI_DEPTH_MAX       8
#define OCI_MANIFESTS_MAX   1000
#define OCI_PLATFORMS_SHOWN 400 /* bytes in a message */

#define RANK_NO_PLATFORM 100

/*
 * The variants of an architecture, the one that runs everywhere first; what is not listed comes
 * behind.  "" stands for none.
 */
static const struct {
	const char *arch, *variant;
	int rank;
} variants[] = {
	{ "amd64", "", 0 },   { "amd64", "v1", 0 }, { "amd64", "v2", 1 }, { "amd64", "v3", 2 },
	{ "amd64", "v4", 3 }, { "arm64", "", 0 },   { "arm64", "v8", 0 },
};
#define RANK_OTHER_VARIANT 10

int oci_platform_rank(const struct oci_desc *d, const char *arch)
{
	const char *os = json_str(d->platform, "os"), *have = json_str(d->platform, "architecture");
	const char *variant = json_str(d->platform, "variant");

	if (!d->platform)
		return RANK_NO_PLATFORM;
	if (!os || !str_eq(os, "linux") || !have || !str_eq(have, arch))
		return -1;
	for (size_t i = 0; i < ELEMENTS(variants); i++)
		if (str_eq(variants[i].arch, arch) &&
		    str_eq(variants[i].variant, variant ? variant : ""))
			return variants[i].rank;
	return variant ? RANK_OTHER_VARIANT : 0;
}

struct search {
	struct image_source *s;
	const char *arch;
	const struct oci_desc *top;      /* the entry of index.json that is looked into */
	size_t seen;                     /* descriptors looked at */
	struct strv indexes;             /* digests of indexes that were read */
	const char *others;              /* platforms that are there, for the message */
	const struct oci_desc *best_top; /* the entry above @best; NULL: nothing found */
	struct oci_desc best;
	int rank;
	bool ambiguous; /* another entry has one that is as good */
};

/* Of equal platform, zstd is preferred: it unpacks faster. */
static int search_rank(const struct search *f, const struct oci_desc *d)
{
	const char *zstd = json_str(d->annotations, "io.github.containers.compression.zstd");
	int rank = oci_platform_rank(d, f->arch);

	return rank < 0 ? -1 : 2 * rank + !(zstd && str_eq(zstd, "true"));
}

static void search_note_other(struct search *f, const struct oci_desc *d)
{
	const char *os = json_str(d->platform, "os"), *arch = json_str(d->platform, "architecture");

	if (f->others && strlen(f->others) > OCI_PLATFORMS_SHOWN)
		return;
	f->others = arena_printf(f->s->a, "%s%s%.32s/%.32s", f->others ? f->others : "",
				 f->others ? ", " : "", os ? os : "?", arch ? arch : "?");
}

/* The first of the best wins; across entries of index.json that would be a guess. */
static void search_take(struct search *f, const struct oci_desc *d)
{
	int rank = search_rank(f, d);

	if (rank < 0) {
		search_note_other(f, d);
		return;
	}
	if (f->best_top && rank > f->rank)
		return;
	if (f->best_top && rank == f->rank) {
		if (f->top != f->best_top && !str_eq(d->digest, f->best.digest))
			f->ambiguous = true;
		return;
	}
	f->best = *d;
	f->best_top = f->top;
	f->rank = rank;
	f->ambiguous = false;
}

/* Has this index been read?  If not, it has been now. */
static bool search_seen(struct search *f, const char *digest)
{
	for (size_t i = 0; i < f->indexes.n; i++)
		if (str_eq(f->indexes.v[i], digest))
			return true;
	strv_push(f->s->a, &f->indexes, digest);
	return false;
}

static int search_desc(struct search *f, const struct oci_desc *d, int depth, struct err *e);

static int search_index(struct search *f, const struct oci_desc *index, int depth, struct err *e)
{
	const struct json *doc, *list;
	struct oci_desc d;
	const char *text, *what;
	size_t len;
	int r;

	if (depth > OCI_DEPTH_MAX)
		return err_set(e, ELOOP, "%s: indexes nested deeper than %d", f->s->label,
			       OCI_DEPTH_MAX);
	if (search_seen(f, index->digest))
		return 0;
	r = oci_read(f->s, index, &text, &len, &doc, e);
	if (r < 0)
		return r;
	what = arena_printf(f->s->a, "%s: index sha256:%.12s", f->s->label, index->digest);
	list = json_get(doc, "manifests");
	if (!list || list->type != JSON_ARRAY)
		return err_set(e, EINVAL, "%s: manifests is not an array", what);
	for (const struct json *v = list->child; v; v = v->next) {
		r = oci_desc_parse(v, what, &d, e);
		if (r == 0)
			r = search_desc(f, &d, depth, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int search_desc(struct search *f, const struct oci_desc *d, int depth, struct err *e)
{
	if (++f->seen > OCI_MANIFESTS_MAX)
		return err_set(e, E2BIG, "%s: more than %d manifests", f->s->label,
			       OCI_MANIFESTS_MAX);
	if (oci_desc_is_attestation(d))
		return 0;
	if (d->kind == OCI_MANIFEST)
		search_take(f, d);
	if (d->kind != OCI_INDEX)
		return 0;
	/* an index for another platform may well be there without its blob */
	if (oci_platform_rank(d, f->arch) < 0) {
		search_note_other(f, d);
		return 0;
	}
	return search_index(f, d, depth + 1, e);
}

static int search_result(struct search *f, const struct oci_desc **ret, struct err *e)
{
	struct choice first = { 0 };

	if (!f->best_top && f->others)
		return err_set(e, ENOTSUP, "%s: no image for linux/%s; it holds %s", f->s->label,
			       f->arch, f->others);
	if (!f->best_top)
		return err_set(e, EINVAL, "%s: holds no image", f->s->label);
	if (f->ambiguous) {
		first.position = f->best_top->position;
		err_set(e, EINVAL,
			"%s: holds several images for linux/%s, name one by its position",
			f->s->label, f->arch);
		choose_hint(f->s, &first, e);
		return -EINVAL;
	}
	*ret = &f->best;
	return 0;
}

int oci_find_manifest(struct image_source *s, const struct oci_desc *top, size_t n,
		      const char *arch, const struct oci_desc **ret, struct err *e)
{
	struct search *f = ARENA_NEW(s->a, struct search);
	int r;

	f->s = s;
	f->arch = arch;
	for (size_t i = 0; i < n; i++) {
		f->top = &top[i];
		r = search_desc(f, &top[i], 0, e);
		if (r < 0)
			return r;
	}
	return search_result(f, ret, e);
}
