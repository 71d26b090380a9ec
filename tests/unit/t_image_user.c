// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include <gpurun/image.h>

#include "tap.h"

static const char passwd[] = "root:x:0:0:root:/root:/bin/bash\n"
			     "# a remark: 1:2\n"
			     "+::::::\n"
			     "broken\n"
			     "nouid:x::7:::\n"
			     "huge:x:2147483648:7::/huge:\n"
			     "www:x:33:34:www:/var/www:/usr/sbin/nologin\n"
			     "www:x:99:99:second::\n"
			     "alias:x:33:35::/alias:/bin/sh\n"
			     "1000:x:7:8::/seven:\n"
			     "max:x:2147483647:5::/max:/bin/sh\n"
			     "last:x:50:51";
static const char group[] =
	"root:x:0:\nwww-data:x:33:www,x\nstaff:x:50:\n100:x:7:\nbad:x:z:\nbig:x:"
	"4294967296:\nend:x:60";

static const struct {
	const char *text;
	int r;
	uid_t uid;
	gid_t gid;
	const char *name, *home;
} cases[] = {
	{ "", 0, 0, 0, "root", "/root" },
	{ "root", 0, 0, 0, "root", "/root" },
	{ "0", 0, 0, 0, "root", "/root" },
	{ "www", 0, 33, 34, "www", "/var/www" },
	{ "33", 0, 33, 34, "www", "/var/www" },
	{ "alias", 0, 33, 35, "alias", "/alias" },
	{ "www:staff", 0, 33, 50, "www", "/var/www" },
	{ "www:44", 0, 33, 44, "www", "/var/www" },
	{ "33:staff", 0, 33, 50, "www", "/var/www" },
	{ "4242", 0, 4242, 0, NULL, NULL },
	{ "4242:staff", 0, 4242, 50, NULL, NULL },
	{ "4242:4343", 0, 4242, 4343, NULL, NULL },
	{ "www:", 0, 33, 34, "www", "/var/www" },
	{ ":staff", 0, 0, 50, "root", "/root" },
	{ ":", 0, 0, 0, "root", "/root" },
	{ "last", 0, 50, 51, "last", NULL },
	{ "0:end", 0, 0, 60, "root", "/root" },
	{ "max", 0, 2147483647, 5, "max", "/max" },
	{ "2147483647", 0, 2147483647, 5, "max", "/max" },
	/* digits are an id, also when a user or a group is called so */
	{ "1000", 0, 1000, 0, NULL, NULL },
	{ "www:100", 0, 33, 100, "www", "/var/www" },
	{ "007", 0, 7, 8, "1000", "/seven" },
	{ "nobody", -ENOENT, 0, 0, NULL, NULL },
	{ "www:nogroup", -ENOENT, 0, 0, NULL, NULL },
	{ "www:bad", -ENOENT, 0, 0, NULL, NULL },
	{ "www:big", -ENOENT, 0, 0, NULL, NULL },
	{ "nouid", -ENOENT, 0, 0, NULL, NULL },
	{ "huge", -ENOENT, 0, 0, NULL, NULL },
	{ "+", -ENOENT, 0, 0, NULL, NULL },
	{ "broken", -ENOENT, 0, 0, NULL, NULL },
	{ "-1", -ENOENT, 0, 0, NULL, NULL },
	{ "Root", -ENOENT, 0, 0, NULL, NULL },
	{ "ww", -ENOENT, 0, 0, NULL, NULL },
	{ "2147483648", -ERANGE, 0, 0, NULL, NULL },
	{ "4294967296", -ERANGE, 0, 0, NULL, NULL },
	{ "99999999999999999999999", -ERANGE, 0, 0, NULL, NULL },
	{ "0:2147483648", -ERANGE, 0, 0, NULL, NULL },
	{ "a:b:c", -EINVAL, 0, 0, NULL, NULL },
};

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

int main(void)
{
	struct arena *a = arena_new(0);
	static char longest[4096];
	struct image_user u;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct err e = { 0 };
		int r = image_user_lookup(a, cases[i].text, passwd, group, &u, &e);

		ok(r == cases[i].r && (r < 0 ? err_is_set(&e)
					     : u.uid == cases[i].uid && u.gid == cases[i].gid &&
						       same(u.name, cases[i].name) &&
						       same(u.home, cases[i].home)),
		   "user \"%s\" %s", cases[i].text, e.msg);
	}
	is_int(image_user_lookup(a, "root", "", "", &u, NULL), -ENOENT, "a name without a passwd");
	is_int(image_user_lookup(a, "0", "", "", &u, NULL), 0, "an id without a passwd");
	is_int(image_user_lookup(a, "", "", "", &u, NULL), 0, "nobody said, no passwd: root");
	is_int((int)u.uid, 0, "and that is 0");
	is_int(image_user_lookup(a, "www", passwd, group, &u, NULL), 0, "www again");
	is_str(u.shell, "/usr/sbin/nologin", "its shell");
	memset(longest, 'u', sizeof(longest) - 1);
	is_int(image_user_lookup(a, longest, passwd, group, &u, NULL), -EINVAL, "a name of 4 KiB");
	arena_free(a);
	return done_testing();
}
