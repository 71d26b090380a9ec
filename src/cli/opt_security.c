/* SPDX-License-Identifier: Apache-2.0 */
/*
 * opt_security.c - options of the groups "network", "limits" and "security".
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>

#include <gpurun/profile.h>
#include <gpurun/str.h>

#include "opt.h"

/* ---- network ----------------------------------------------------------------------------- */

static int set_net(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	if (str_eq(value, "host") || str_eq(value, "none")) {
		in->ask->request.net = str_eq(value, "none") ? NET_NONE : NET_HOST;
		return 0;
	}
	if (str_eq(value, "private"))
		return err_set(e, ENOTSUP, "private: not supported by this version");
	if (!str_eq(value, "bridge") && !str_eq(value, "default") && !strchr(value, ':'))
		return opt_unknown(e, value, o->words);
	err_set(e, ENOTSUP, "%s: there are no networks to join", value);
	err_hint(e, "--net host (the default) or --net none");
	return -ENOTSUP;
}

static bool is_address(const char *text)
{
	uint8_t raw[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, text, raw) == 1 || inet_pton(AF_INET6, text, raw) == 1;
}

static int set_dns(const struct opt_in *in, const struct opt *o, const char *value, struct err *e)
{
	(void)o;
	if (!is_address(value))
		return err_set(e, EINVAL, "%s: not an IP address", value);
	return opt_list_add(in, &in->ask->request.dns, value, e);
}

static bool is_host_name(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("._-", s[i]))
			return false;
	return n > 0 && n < 256;
}

/* NAME:ADDRESS, or NAME=ADDRESS as docker also writes it; brackets around IPv6 are taken off. */
static int set_add_host(const struct opt_in *in, const struct opt *o, const char *value,
			struct err *e)
{
	size_t n = strcspn(value, ":="), len;
	const char *address;

	(void)o;
	if (!value[n] || !is_host_name(value, n))
		return err_set(e, EINVAL, "%s: not of the form NAME:ADDRESS", value);
	address = value + n + 1;
	len = strlen(address);
	if (len > 2 && address[0] == '[' && address[len - 1] == ']')
		address = arena_strndup(in->a, address + 1, len - 2);
	if (str_eq(address, "host-gateway")) {
		err_set(e, ENOTSUP, "%s: there is no gateway, the network is the host's", value);
		err_hint(e, "localhost is the host itself");
		return -ENOTSUP;
	}
	if (!is_address(address))
		return err_set(e, EINVAL, "%s: '%s' is not an IP address", value, address);
	return opt_list_add(in, &in->ask->request.add_host,
			    arena_printf(in->a, "%.*s:%s", (int)n, value, address), e);
}

static const struct opt network_rows[] = {
	{ .name = "net",
	  .alias = { "network" },
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "host|none",
	  .help = "the host's network (default) or none",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("host", "none"),
	  .set = set_net },
	{ .name = "dns",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "ADDRESS",
	  .help = "a name server instead of the host's",
	  .set = set_dns },
	{ .name = "add-host",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "NAME:ADDRESS",
	  .help = "a line for /etc/hosts",
	  .set = set_add_host },
	{ .name = "publish",
	  .short_name = 'p',
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "PORTS",
	  .set = opt_set_refused,
	  .reason = "there is no private network",
	  .hint = "the network is the host's: ports of the container are open on the host" },
	{ .name = "publish-all",
	  .short_name = 'P',
	  .verbs = VERB_RUN,
	  .set = opt_set_refused,
	  .reason = "there is no private network",
	  .hint = "the network is the host's: ports of the container are open on the host" },
};
const struct opt_group opt_group_network = { "network", network_rows, ELEMENTS(network_rows) };

/* ---- limits: refused until cgroups are built ---------------------------------------------- */

static const struct opt limits_rows[] = {
	{ .name = "memory",
	  .short_name = 'm',
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "SIZE",
	  .set = opt_set_refused },
	{ .name = "cpus",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "N",
	  .set = opt_set_refused },
	{ .name = "pids-limit",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "N",
	  .set = opt_set_refused },
	{ .name = "cpuset-cpus",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "LIST",
	  .set = opt_set_refused },
};
const struct opt_group opt_group_limits = { "limits", limits_rows, ELEMENTS(limits_rows) };

/* ---- security ------------------------------------------------------------------------------ */

/* "CAP_X", "x" or "ALL", also a comma list; kept in capitals with the prefix. */
static int cap_add(const struct opt_in *in, struct strv *list, const char *value, struct err *e)
{
	struct strv f = { 0 };

	str_split(in->a, value, ',', &f);
	for (size_t i = 0; i < f.n; i++) {
		int cap = profile_cap(f.v[i]), r;
		const char *name = cap >= 0 ? profile_cap_name(cap) : NULL;

		if (strcasecmp(f.v[i], "all") == 0)
			name = "ALL";
		if (!name) {
			err_set(e, EINVAL, "%s: no such capability", f.v[i]);
			err_hint(e, "capabilities(7) lists them");
			return -EINVAL;
		}
		r = opt_list_add(in, list, name, e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_cap_add(const struct opt_in *in, const struct opt *o, const char *value,
		       struct err *e)
{
	(void)o;
	return cap_add(in, &in->ask->request.cap_add, value, e);
}

static int set_cap_drop(const struct opt_in *in, const struct opt *o, const char *value,
			struct err *e)
{
	(void)o;
	return cap_add(in, &in->ask->request.cap_drop, value, e);
}

/* mask= and unmask=: absolute paths, several with ':' between; unmask also takes ALL. */
static int paths_add(const struct opt_in *in, struct strv *list, const char *value, bool all_ok,
		     struct err *e)
{
	struct strv f = { 0 };

	if (all_ok && strcasecmp(value, "all") == 0)
		return opt_list_add(in, list, "ALL", e);
	str_split(in->a, value, ':', &f);
	for (size_t i = 0; i < f.n; i++) {
		int r;

		if (f.v[i][0] != '/')
			return err_set(e, EINVAL, "'%s': not an absolute path", f.v[i]);
		r = opt_list_add(in, list, path_clean(in->a, f.v[i]), e);
		if (r < 0)
			return r;
	}
	return 0;
}

static int security_seccomp(const struct opt_in *in, const char *value, struct err *e)
{
	if (str_eq(value, "unconfined")) {
		in->ask->request.seccomp = value;
		return 0;
	}
	if (str_eq(value, "builtin") || str_eq(value, "default")) {
		in->ask->request.seccomp = NULL;
		return 0;
	}
	return opt_path_abs(in, value, &in->ask->request.seccomp, e);
}

static int security_landlock(const struct opt_in *in, const char *value, struct err *e)
{
	bool on = false;

	if (opt_bool_parse(value, &on) < 0)
		return err_set(e, EINVAL, "%s: neither on nor off", value);
	in->ask->request.landlock = on ? TRI_ON : TRI_OFF;
	return 0;
}

static int security_mask(const struct opt_in *in, const char *value, struct err *e)
{
	return paths_add(in, &in->ask->request.mask, value, false, e);
}

static int security_unmask(const struct opt_in *in, const char *value, struct err *e)
{
	return paths_add(in, &in->ask->request.unmask, value, true, e);
}

static int security_systempaths(const struct opt_in *in, const char *value, struct err *e)
{
	if (!str_eq(value, "unconfined"))
		return err_set(e, EINVAL, "%s: not unconfined", value);
	return opt_list_add(in, &in->ask->request.unmask, "ALL", e);
}

/* Always so: no_new_privs is set on every process. */
static int security_nnp(const struct opt_in *in, const char *value, struct err *e)
{
	bool on = false;

	(void)in;
	if (opt_bool_parse(value, &on) < 0)
		return err_set(e, EINVAL, "%s: neither true nor false", value);
	return on ? 0 : err_set(e, ENOTSUP, "%s: no_new_privs is always set", value);
}

/* Nothing of ours is relabelled or put under a profile, so that asking for none is granted. */
static int security_lsm(const struct opt_in *in, const char *value, struct err *e)
{
	(void)in;
	if (str_eq(value, "unconfined") || str_eq(value, "disable"))
		return 0;
	return err_set(e, ENOTSUP, "%s: profiles and labels are not applied", value);
}

static const struct security_key {
	const char *key;
	int (*set)(const struct opt_in *in, const char *value, struct err *e);
	bool alone;
} security_keys[] = {
	{ "seccomp", security_seccomp, false },
	{ "landlock", security_landlock, false },
	{ "mask", security_mask, false },
	{ "unmask", security_unmask, false },
	{ "systempaths", security_systempaths, false },
	{ "no-new-privileges", security_nnp, true },
	{ "apparmor", security_lsm, false },
	{ "label", security_lsm, false },
};

static int set_security(const struct opt_in *in, const struct opt *o, const char *value,
			struct err *e)
{
	const char *names[ELEMENTS(security_keys) + 1] = { NULL };
	size_t n = strcspn(value, "=:");
	const char *key = arena_strndup(in->a, value, n);

	(void)o;
	for (size_t i = 0; i < ELEMENTS(security_keys); i++) {
		const struct security_key *k = &security_keys[i];
		const char *text = value[n] ? value + n + 1 : k->alone ? "true" : "";
		int r;

		names[i] = k->key;
		if (!str_eq(k->key, key))
			continue;
		if (!text[0])
			return err_set(e, EINVAL, "%s: wants a value, %s=...", key, key);
		r = k->set(in, text, e);
		if (r < 0)
			err_wrap(e, "%s", key);
		return r;
	}
	return opt_unknown(e, key, names);
}

static const struct opt security_rows[] = {
	{ .name = "security-opt",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "KEY=VALUE",
	  .help = "seccomp=FILE|unconfined, landlock=on|off, mask=PATH, unmask=PATH|ALL",
	  .complete = COMPLETE_WORDS,
	  .words = OPT_WORDS("seccomp=unconfined", "landlock=off", "landlock=on", "unmask=ALL"),
	  .set = set_security },
	{ .name = "cap-add",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN | VERB_EXEC,
	  .metavar = "CAP",
	  .help = "a capability inside the container's own user namespace",
	  .complete = COMPLETE_CAP,
	  .set = set_cap_add },
	{ .name = "cap-drop",
	  .arg = OPT_VALUE,
	  .verbs = VERB_RUN,
	  .metavar = "CAP",
	  .help = "take one away from what --root keeps",
	  .complete = COMPLETE_CAP,
	  .set = set_cap_drop },
	{ .name = "nested",
	  .verbs = VERB_RUN,
	  .help = "containers inside the container: no masks, mounts and namespaces are allowed",
	  .set = opt_set_flag,
	  OPT_REQ(nested) },
};
const struct opt_group opt_group_security = { "security", security_rows, ELEMENTS(security_rows) };
