/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_mount.c - the grammars of --volume, --bind, --mount and --tmpfs (pure).
 *
 *	--volume SRC[:DST[:OPT,...]]	docker's; a SRC without a slash would be a named volume
 *	--bind   the same, and a comma list of it; a word of the option table belongs to the
 *		 specification before it
 *	--mount  type=bind|tmpfs,key=value,...	docker's CSV: a field may be quoted to hold a comma
 *	--tmpfs  DST[:OPT,...]
 */
#include <errno.h>

#include <gpurun/str.h>

#include "opt.h"

#define MOUNTS_MAX 1024

/* What an option word does to a mount; PLAIN says what is so anyway. */
enum word_effect { PLAIN, RO, RW, NOSUID, NODEV, NOEXEC, EXEC, SINGLE, REFUSED };

static const struct mount_word {
	const char *word;
	enum word_effect effect;
} mount_words[] = {
	{ "ro", RO },
	{ "readonly", RO },
	{ "rw", RW },
	{ "nosuid", NOSUID },
	{ "suid", REFUSED }, /* no_new_privs is always set */
	{ "nodev", NODEV },
	{ "dev", REFUSED }, /* nodes come by --device */
	{ "noexec", NOEXEC },
	{ "exec", EXEC },
	{ "bind", SINGLE },
	{ "rbind", PLAIN },
	{ "private", PLAIN },
	{ "rprivate", PLAIN },
	{ "z", PLAIN },
	{ "Z", PLAIN },
	{ "nocopy", PLAIN },
	{ "consistent", PLAIN },
	{ "cached", PLAIN },
	{ "delegated", PLAIN },
	{ "shared", REFUSED },
	{ "rshared", REFUSED },
	{ "slave", REFUSED },
	{ "rslave", REFUSED },
	{ "unbindable", REFUSED },
	{ "runbindable", REFUSED },
	{ "U", REFUSED },
	{ "O", REFUSED },
	{ "idmap", REFUSED },
};

static const struct mount_word *word_find(const char *word)
{
	for (size_t i = 0; i < ELEMENTS(mount_words); i++)
		if (str_eq(mount_words[i].word, word))
			return &mount_words[i];
	return NULL;
}

static int word_unknown(const char *word, struct err *e)
{
	const char *names[ELEMENTS(mount_words) + 1] = { NULL };
	const char *near;

	for (size_t i = 0; i < ELEMENTS(mount_words); i++)
		names[i] = mount_words[i].word;
	near = str_nearest(word, names);
	err_set(e, EINVAL, "%s: no such mount option", word);
	if (near)
		err_hint(e, "did you mean %s?", near);
	else
		err_hint(e, "ro, rw, nosuid, nodev, noexec and bind are known");
	return -EINVAL;
}

static int word_apply(struct req_mount *m, const char *word, struct err *e)
{
	const struct mount_word *w = word_find(word);

	if (!w)
		return word_unknown(word, e);
	switch (w->effect) {
	case PLAIN:
		break;
	case RO:
	case RW:
		m->read_only = w->effect == RO;
		break;
	case NOSUID:
		m->nosuid = true;
		break;
	case NODEV:
		m->nodev = true;
		break;
	case NOEXEC:
	case EXEC:
		m->noexec = w->effect == NOEXEC;
		break;
	case SINGLE:
		m->non_recursive = true;
		break;
	case REFUSED:
		return err_set(e, ENOTSUP, "%s: a mount option that is not supported", word);
	}
	return 0;
}

static int mount_add(const struct opt_in *in, struct req_mount m, struct err *e)
{
	struct request *q = &in->ask->request;

	if (q->n_mounts >= MOUNTS_MAX)
		return err_set(e, E2BIG, "more than %d mounts", MOUNTS_MAX);
	VEC_PUSH(in->a, q->mounts, q->n_mounts, q->cap_mounts, m);
	return 0;
}

static int set_source(const struct opt_in *in, struct req_mount *m, const char *text, struct err *e)
{
	if (!text[0])
		return err_set(e, EINVAL, "the source is empty");
	return opt_path_abs(in, text, &m->src, e);
}

static int set_target(const struct opt_in *in, struct req_mount *m, const char *text, struct err *e)
{
	if (text[0] != '/')
		return err_set(e, EINVAL, "'%s': the place inside is not an absolute path", text);
	m->dst = path_clean(in->a, text);
	if (str_eq(m->dst, "/"))
		return err_set(e, EINVAL, "'%s': nothing can be mounted over the root", text);
	return 0;
}

/* Would docker take @src for the name of a volume? */
static bool is_volume_name(const char *src)
{
	return src[0] && !strchr(src, '/') && src[0] != '.' && src[0] != '~';
}

static int bind_add(const struct opt_in *in, const struct opt *o, const char *spec, struct err *e)
{
	struct req_mount m = { .type = REQ_BIND };
	struct strv f = { 0 }, words = { 0 };
	int r;

	str_split(in->a, spec, ':', &f);
	if (f.n > 3) {
		err_set(e, EINVAL, "%s: more than SRC:DST:OPTIONS", spec);
		err_hint(e, "a path with a colon: --mount type=bind,src=SRC,dst=DST");
		return -EINVAL;
	}
	if (is_volume_name(f.v[0])) {
		err_set(e, ENOTSUP, "%s: named volumes are not supported", spec);
		err_hint(e, "a directory is written with a slash: ./%s", spec);
		return -ENOTSUP;
	}
	r = set_source(in, &m, f.v[0], e);
	if (r >= 0)
		r = set_target(in, &m, f.n > 1 ? f.v[1] : m.src, e);
	if (r >= 0 && f.n > 2)
		str_split(in->a, f.v[2], ',', &words);
	for (size_t i = 0; i < words.n && r >= 0; i++)
		r = word_apply(&m, words.v[i], e);
	if (r < 0)
		return r;
	m.why = arena_printf(in->a, "--%s %s", o->name, spec);
	return mount_add(in, m, e);
}

int opt_set_volume(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	return bind_add(in, o, value, e);
}

int opt_set_bind(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	struct strv pieces = { 0 };
	const char *spec = NULL;

	str_split(in->a, value, ',', &pieces);
	for (size_t i = 0; i < pieces.n; i++) {
		int r;

		if (spec && word_find(pieces.v[i])) {
			spec = arena_printf(in->a, "%s,%s", spec, pieces.v[i]);
			continue;
		}
		r = spec ? bind_add(in, o, spec, e) : 0;
		if (r < 0)
			return r;
		spec = pieces.v[i];
	}
	return bind_add(in, o, spec, e);
}

/* ---- tmpfs ------------------------------------------------------------------------------ */

static int set_tmpfs_size(struct req_mount *m, const char *text, struct err *e)
{
	if (num_size(text, &m->size) < 0 || m->size == 0)
		return err_set(e, EINVAL, "size=%s: not a size, such as 512m or 8g", text);
	return 0;
}

static int set_tmpfs_mode(struct req_mount *m, const char *text, struct err *e)
{
	uint32_t mode = 0;
	size_t n = strspn(text, "01234567");

	if (n == 0 || n > 5 || text[n])
		return err_set(e, EINVAL, "mode=%s: not an octal mode, such as 1777", text);
	for (size_t i = 0; i < n; i++)
		mode = mode * 8 + (uint32_t)(text[i] - '0');
	if (mode == 0 || mode > 07777)
		return err_set(e, EINVAL, "mode=%s: not between 1 and 7777", text);
	m->mode = mode;
	return 0;
}

static int tmpfs_option(struct req_mount *m, const char *word, struct err *e)
{
	const char *size = str_after(word, "size="), *mode = str_after(word, "mode=");

	if (size)
		return set_tmpfs_size(m, size, e);
	if (mode)
		return set_tmpfs_mode(m, mode, e);
	return word_apply(m, word, e);
}

int opt_set_tmpfs(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	struct req_mount m = { .type = REQ_TMPFS, .nosuid = true, .nodev = true, .noexec = true };
	const char *colon = strchr(value, ':');
	const char *dst = colon ? arena_strndup(in->a, value, (size_t)(colon - value)) : value;
	struct strv words = { 0 };
	int r = set_target(in, &m, dst, e);

	if (colon)
		str_split(in->a, colon + 1, ',', &words);
	for (size_t i = 0; i < words.n && r >= 0; i++)
		r = tmpfs_option(&m, words.v[i], e);
	if (r < 0)
		return r;
	m.why = arena_printf(in->a, "--%s %s", o->name, value);
	return mount_add(in, m, e);
}

/* ---- --mount ------------------------------------------------------------------------------ */

/* One line of CSV: fields between commas; "..." may hold commas, "" inside is a quote. */
static int csv_split(struct arena *a, const char *s, struct strv *ret, struct err *e)
{
	char *field = arena_alloc(a, strlen(s) + 1);
	size_t n = 0;
	bool quoted = false;

	for (;; s++) {
		if (*s == '"' && quoted && s[1] == '"') {
			field[n++] = *s++;
		} else if (*s == '"') {
			quoted = !quoted;
		} else if (*s && (quoted || *s != ',')) {
			field[n++] = *s;
		} else if (*s && !quoted) {
			strv_push(a, ret, arena_strndup(a, field, n));
			n = 0;
		} else {
			break;
		}
	}
	if (quoted)
		return err_set(e, EINVAL, "a quote is not closed");
	strv_push(a, ret, arena_strndup(a, field, n));
	return 0;
}

struct mount_spec {
	const struct opt_in *in;
	struct req_mount m;
	const char *src, *dst, *type;
};

typedef int mount_key_fn(struct mount_spec *s, const char *value, struct err *e);

static int key_type(struct mount_spec *s, const char *value, struct err *e)
{
	if (str_eq(value, "volume")) {
		err_set(e, ENOTSUP, "type=volume: named volumes are not supported");
		err_hint(e, "type=bind,src=DIR,dst=DIR keeps files in a directory of yours");
		return -ENOTSUP;
	}
	if (!str_eq(value, "bind") && !str_eq(value, "tmpfs"))
		return err_set(e, EINVAL, "type=%s: neither bind nor tmpfs", value);
	s->type = value;
	return 0;
}

static int key_src(struct mount_spec *s, const char *value, struct err *e)
{
	(void)e;
	s->src = value;
	return 0;
}

static int key_dst(struct mount_spec *s, const char *value, struct err *e)
{
	(void)e;
	s->dst = value;
	return 0;
}

static int key_bool(bool *member, bool if_true, const char *value, struct err *e)
{
	bool on = false;

	if (opt_bool_parse(value, &on) < 0)
		return err_set(e, EINVAL, "%s: neither true nor false", value);
	*member = on == if_true;
	return 0;
}

static int key_ro(struct mount_spec *s, const char *value, struct err *e)
{
	return key_bool(&s->m.read_only, true, value, e);
}

static int key_rw(struct mount_spec *s, const char *value, struct err *e)
{
	return key_bool(&s->m.read_only, false, value, e);
}

static int key_single(struct mount_spec *s, const char *value, struct err *e)
{
	return key_bool(&s->m.non_recursive, true, value, e);
}

static int key_recursive(struct mount_spec *s, const char *value, struct err *e)
{
	if (!str_eq(value, "enabled") && !str_eq(value, "disabled"))
		return err_set(e, ENOTSUP, "bind-recursive=%s: neither enabled nor disabled",
			       value);
	s->m.non_recursive = str_eq(value, "disabled");
	return 0;
}

static int key_propagation(struct mount_spec *s, const char *value, struct err *e)
{
	(void)s;
	if (!str_eq(value, "private") && !str_eq(value, "rprivate"))
		return err_set(e, ENOTSUP, "bind-propagation=%s: only rprivate is supported",
			       value);
	return 0;
}

static int key_nosuid(struct mount_spec *s, const char *value, struct err *e)
{
	return key_bool(&s->m.nosuid, true, value, e);
}

static int key_nodev(struct mount_spec *s, const char *value, struct err *e)
{
	return key_bool(&s->m.nodev, true, value, e);
}

static int key_noexec(struct mount_spec *s, const char *value, struct err *e)
{
	return key_bool(&s->m.noexec, true, value, e);
}

static int key_size(struct mount_spec *s, const char *value, struct err *e)
{
	return set_tmpfs_size(&s->m, value, e);
}

static int key_mode(struct mount_spec *s, const char *value, struct err *e)
{
	return set_tmpfs_mode(&s->m, value, e);
}

static int key_nothing(struct mount_spec *s, const char *value, struct err *e)
{
	(void)s;
	(void)value;
	(void)e;
	return 0;
}

static const struct mount_key {
	const char *key;
	mount_key_fn *set;
	const char *type; /* only for this type, or NULL */
	bool alone;       /* "ro" says "ro=true" */
} mount_keys[] = {
	{ "type", key_type, NULL, false },
	{ "source", key_src, "bind", false },
	{ "src", key_src, "bind", false },
	{ "target", key_dst, NULL, false },
	{ "destination", key_dst, NULL, false },
	{ "dst", key_dst, NULL, false },
	{ "readonly", key_ro, NULL, true },
	{ "ro", key_ro, NULL, true },
	{ "rw", key_rw, NULL, true },
	{ "nosuid", key_nosuid, NULL, true },
	{ "nodev", key_nodev, NULL, true },
	{ "noexec", key_noexec, NULL, true },
	{ "bind-nonrecursive", key_single, "bind", true },
	{ "bind-recursive", key_recursive, "bind", false },
	{ "bind-propagation", key_propagation, "bind", false },
	{ "consistency", key_nothing, NULL, false },
	{ "tmpfs-size", key_size, "tmpfs", false },
	{ "tmpfs-mode", key_mode, "tmpfs", false },
};

static int key_unknown(const char *key, struct err *e)
{
	const char *names[ELEMENTS(mount_keys) + 1] = { NULL };
	const char *near;

	for (size_t i = 0; i < ELEMENTS(mount_keys); i++)
		names[i] = mount_keys[i].key;
	near = str_nearest(key, names);
	err_set(e, EINVAL, "%s: no such key", key);
	if (near)
		err_hint(e, "did you mean %s?", near);
	return -EINVAL;
}

static int mount_field(struct mount_spec *s, const char *field, struct err *e)
{
	const char *eq = strchr(field, '=');
	const char *key = eq ? arena_strndup(s->in->a, field, (size_t)(eq - field)) : field;

	for (size_t i = 0; i < ELEMENTS(mount_keys); i++) {
		const struct mount_key *k = &mount_keys[i];

		if (!str_eq(k->key, key))
			continue;
		if (!eq && !k->alone)
			return err_set(e, EINVAL, "%s: wants a value", key);
		if (k->type && s->type && !str_eq(k->type, s->type))
			return err_set(e, EINVAL, "%s: not for type=%s", key, s->type);
		return k->set(s, eq ? eq + 1 : "true", e);
	}
	return key_unknown(key, e);
}

/* Docker's defaults: type is volume when it is left out, so it has to be said here. */
static int mount_finish(struct mount_spec *s, struct err *e)
{
	int r;

	if (!s->type) {
		err_set(e, EINVAL, "the type is missing");
		err_hint(e, "--mount type=bind,src=SRC,dst=DST or type=tmpfs,dst=DST");
		return -EINVAL;
	}
	if (!s->dst)
		return err_set(e, EINVAL, "the destination is missing (dst=)");
	r = set_target(s->in, &s->m, s->dst, e);
	if (r < 0 || str_eq(s->type, "tmpfs")) {
		s->m.type = REQ_TMPFS;
		return r;
	}
	if (!s->src)
		return err_set(e, EINVAL, "the source is missing (src=)");
	return set_source(s->in, &s->m, s->src, e);
}

/* type= comes first, wherever it stands: it decides which other keys are right. */
static int mount_type(struct mount_spec *s, const struct strv *fields, struct err *e)
{
	for (size_t i = 0; i < fields->n; i++)
		if (str_after(fields->v[i], "type="))
			return key_type(s, str_after(fields->v[i], "type="), e);
	return 0;
}

int opt_set_mount(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	struct mount_spec s = { .in = in, .m = { .type = REQ_BIND } };
	struct strv fields = { 0 };
	int r = csv_split(in->a, value, &fields, e);

	if (r >= 0)
		r = mount_type(&s, &fields, e);
	if (r >= 0 && s.type && str_eq(s.type, "tmpfs"))
		s.m.nosuid = s.m.nodev = s.m.noexec = true;
	for (size_t i = 0; i < fields.n && r >= 0; i++)
		r = mount_field(&s, fields.v[i], e);
	if (r >= 0)
		r = mount_finish(&s, e);
	if (r < 0)
		return r;
	s.m.why = arena_printf(in->a, "--%s %s", o->name, value);
	return mount_add(in, s.m, e);
}
