/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The grammars of --volume, --bind, --mount and --tmpfs.
 */
#include "../../src/cli/opt.h"
#include "tap.h"

static struct arena *arena;
static struct ask asked;
static struct err err;

static int set(const char *option, const char *value)
{
	const struct opt_in in = {
		.a = arena, .ask = &asked, .cwd = "/proj/dir", .home = "/home/me"
	};
	const struct opt *o = opt_find(option, strlen(option), VERB_RUN);

	memset(&asked, 0, sizeof(asked));
	memset(&err, 0, sizeof(err));
	return opt_apply_value(&in, o, value, &err);
}

/* All mounts as "bind SRC DST flags; tmpfs - DST flags size=N mode=N" or "error: message". */
static const char *mounts(const char *option, const char *value)
{
	const char *s = "";

	if (set(option, value) < 0)
		return arena_printf(arena, "error: %s", err.msg);
	for (size_t i = 0; i < asked.request.n_mounts; i++) {
		const struct req_mount *m = &asked.request.mounts[i];

		s = arena_printf(arena, "%s%s%s %s %s%s%s%s%s%s", s, i ? "; " : "",
				 m->type == REQ_BIND ? "bind" : "tmpfs", m->src ? m->src : "-",
				 m->dst, m->read_only ? " ro" : "", m->nosuid ? " nosuid" : "",
				 m->nodev ? " nodev" : "", m->noexec ? " noexec" : "",
				 m->non_recursive ? " single" : "");
		if (m->size)
			s = arena_printf(arena, "%s size=%llu", s, (unsigned long long)m->size);
		if (m->mode)
			s = arena_printf(arena, "%s mode=%o", s, m->mode);
	}
	return s;
}

static const struct {
	const char *option, *value, *want;
} cases[] = {
	{ "volume", "/a:/b", "bind /a /b" },
	{ "volume", "/a", "bind /a /a" },
	{ "volume", "/a/../c//d/:/b/./x", "bind /c/d /b/x" },
	{ "volume", "./data:/b", "bind /proj/dir/data /b" },
	{ "volume", "data/sub:/b", "bind /proj/dir/data/sub /b" },
	{ "volume", ".:/b", "bind /proj/dir /b" },
	{ "volume", ".", "bind /proj/dir /proj/dir" },
	{ "volume", "../x", "bind /proj/x /proj/x" },
	{ "volume", "~/x:/b", "bind /home/me/x /b" },
	{ "volume", "~:/b", "bind /home/me /b" },
	{ "volume", "/a:/b:ro", "bind /a /b ro" },
	{ "volume", "/a:/b:rw,nosuid,nodev,noexec", "bind /a /b nosuid nodev noexec" },
	{ "volume", "/a:/b:ro,rw", "bind /a /b" },
	{ "volume", "/a:/b:z,rprivate,rbind", "bind /a /b" },
	{ "volume", "/a:/b:bind", "bind /a /b single" },
	{ "volume", "data:/b", "error: data:/b: named volumes are not supported" },
	{ "volume", "data", "error: data: named volumes are not supported" },
	{ "volume", "/a:", "error: '': the place inside is not an absolute path" },
	{ "volume", ":/b", "error: the source is empty" },
	{ "volume", "/a:b", "error: 'b': the place inside is not an absolute path" },
	{ "volume", "/a:/", "error: '/': nothing can be mounted over the root" },
	{ "volume", "/a:/..", "error: '/..': nothing can be mounted over the root" },
	{ "volume", "/a:/b:ro:x", "error: /a:/b:ro:x: more than SRC:DST:OPTIONS" },
	{ "volume", "/a:/b:", "error: : no such mount option" },
	{ "volume", "/a:/b:rO", "error: rO: no such mount option" },
	{ "volume", "/a:/b:rshared", "error: rshared: a mount option that is not supported" },
	{ "volume", "/a:/b:suid", "error: suid: a mount option that is not supported" },
	{ "tmpfs", "/b:dev", "error: dev: a mount option that is not supported" },
	{ "volume", "", "error: the value is empty" },

	{ "bind", "/a,/b:/c:ro,nosuid,/d", "bind /a /a; bind /b /c ro nosuid; bind /d /d" },
	{ "bind", "/a:/b", "bind /a /b" },
	{ "bind", "/a,,/b", "error: the source is empty" },

	{ "mount", "type=bind,src=/a,dst=/b", "bind /a /b" },
	{ "mount", "type=bind,source=./x,target=/b,readonly", "bind /proj/dir/x /b ro" },
	{ "mount", "type=bind,source=/a,destination=/b,ro=true,nosuid", "bind /a /b ro nosuid" },
	{ "mount", "type=bind,src=/a,dst=/b,ro=false", "bind /a /b" },
	{ "mount", "type=bind,src=/a,dst=/b,bind-recursive=disabled", "bind /a /b single" },
	{ "mount", "type=bind,src=/a,dst=/b,bind-propagation=rprivate", "bind /a /b" },
	{ "mount", "type=bind,\"src=/a,b\",dst=/b", "bind /a,b /b" },
	{ "mount", "type=bind,\"src=/a\"\"b\",dst=/b", "bind /a\"b /b" },
	{ "mount", "dst=/b,src=/a,type=bind", "bind /a /b" },
	{ "mount", "type=bind,src=/a:c,dst=/b", "bind /a:c /b" },
	{ "mount", "type=tmpfs,dst=/t", "tmpfs - /t nosuid nodev noexec" },
	{ "mount", "tmpfs-size=64m,type=tmpfs,dst=/t,tmpfs-mode=0700",
	  "tmpfs - /t nosuid nodev noexec size=67108864 mode=700" },
	{ "mount", "type=tmpfs,dst=/t,noexec=false", "tmpfs - /t nosuid nodev" },
	{ "mount", "src=/a,dst=/b", "error: the type is missing" },
	{ "mount", "type=volume,src=v,dst=/b",
	  "error: type=volume: named volumes are not supported" },
	{ "mount", "type=npipe,src=v,dst=/b", "error: type=npipe: neither bind nor tmpfs" },
	{ "mount", "type=bind,src=/a", "error: the destination is missing (dst=)" },
	{ "mount", "type=bind,dst=/a", "error: the source is missing (src=)" },
	{ "mount", "type=bind,src=,dst=/a", "error: the source is empty" },
	{ "mount", "type=bind,src=/a,dst", "error: dst: wants a value" },
	{ "mount", "type=bind,src=/a,dst=/b,tmpfs-size=1m",
	  "error: tmpfs-size: not for type=bind" },
	{ "mount", "type=tmpfs,src=/a,dst=/b", "error: src: not for type=tmpfs" },
	{ "mount", "type=bind,src=/a,dst=/b,sorce=/c", "error: sorce: no such key" },
	{ "mount", "type=bind,src=/a,dst=/b,ro=maybe", "error: maybe: neither true nor false" },
	{ "mount", "type=bind,\"src=/a,dst=/b", "error: a quote is not closed" },
	{ "mount", "type=bind,src=/a,dst=/b,bind-propagation=shared",
	  "error: bind-propagation=shared: only rprivate is supported" },

	{ "tmpfs", "/t", "tmpfs - /t nosuid nodev noexec" },
	{ "tmpfs", "/t:size=1g,mode=1777,exec",
	  "tmpfs - /t nosuid nodev size=1073741824 mode=1777" },
	{ "tmpfs", "/t:rw,exec", "tmpfs - /t nosuid nodev" },
	{ "tmpfs", "/t:ro", "tmpfs - /t ro nosuid nodev noexec" },
	{ "tmpfs", "t", "error: 't': the place inside is not an absolute path" },
	{ "tmpfs", "/", "error: '/': nothing can be mounted over the root" },
	{ "tmpfs", "/t:size=", "error: size=: not a size, such as 512m or 8g" },
	{ "tmpfs", "/t:size=50%", "error: size=50%: not a size, such as 512m or 8g" },
	{ "tmpfs", "/t:mode=9", "error: mode=9: not an octal mode, such as 1777" },
	{ "tmpfs", "/t:mode=77777", "error: mode=77777: not between 1 and 7777" },
	{ "tmpfs", "/t:uid=1", "error: uid=1: no such mount option" },
};

int main(void)
{
	const struct opt_in lost = { .a = arena = arena_new(0), .ask = &asked };
	const struct opt *volume = opt_find("volume", 6, VERB_RUN);

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_str(mounts(cases[i].option, cases[i].value), cases[i].want, "--%s %s",
		       cases[i].option, cases[i].value);
	set("volume", "/a:/b:ro");
	is_str(asked.request.mounts[0].why, "--volume /a:/b:ro", "why a mount is there");
	memset(&err, 0, sizeof(err));
	ok(opt_apply_value(&lost, volume, "./x", &err) < 0, "relative, and the directory is gone");
	is_str(err.msg, "./x: the current directory is gone", "its message");
	memset(&asked, 0, sizeof(asked));
	ok(opt_apply_value(&lost, volume, "/x", NULL) == 0, "an absolute path needs no directory");
	arena_free(arena);
	return done_testing();
}
