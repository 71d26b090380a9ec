/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What layers become: in the flattened form as written down here, and in layers under overlayfs
 * the same, down to modes, times and attributes.  Every case says which form it is expected to
 * have: 'L' layers, 'F' flat only, because a layer cannot be told without those below.
 */
#include <errno.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "../../src/store/compose.h"
#include "../../src/store/unpack.h"
#include "../../src/store/userns.h"
#include "layers.h"

#define LAYERS_MAX 6

static const struct form_case {
	const char *what;
	char form;
	const char *want; /* "!text": refused, with this in the message */
	const char *layers[LAYERS_MAX];
} cases[] = {
	/* whiteouts */
	{ "W1 a file", 'L', "d/ d/b=2", { "d d; f d/a 1; f d/b 2", "d d; f d/.wh.a" } },
	{ "W2 a directory", 'L', "k=0", { "d d; d d/e; f d/e/a 1; f k 0", "f .wh.d" } },
	{ "W3 opaque first",
	  'L',
	  "d/ d/n=9",
	  { "d d; f d/a 1", "d d; f d/.wh..wh..opq; f d/n 9" } },
	{ "W4 opaque last", 'L', "d/ d/n=9", { "d d; f d/a 1", "d d; f d/n 9; f d/.wh..wh..opq" } },
	{ "W5 opaque between",
	  'L',
	  "d/ d/m=8 d/n=9",
	  { "d d; f d/a 1", "d d; f d/m 8; f d/.wh..wh..opq; f d/n 9" } },
	{ "W6 opaque twice",
	  'L',
	  "d/ d/n=9",
	  { "d d; f d/a 1", "d d; f d/.wh..wh..opq; f d/n 9; f d/.wh..wh..opq" } },
	{ "W7 opaque in opaque",
	  'L',
	  "d/ d/e/ d/e/n=9",
	  { "d d; d d/e; f d/e/a 1; f d/b 2",
	    "d d; f d/.wh..wh..opq; d d/e; f d/e/.wh..wh..opq; f d/e/n 9" } },
	{ "W8a whiteout, then the file", 'L', "x=new", { "f x old", "f .wh.x; f x new" } },
	{ "W8b the file, then its whiteout", 'L', "x=new", { "f x old", "f x new; f .wh.x" } },
	{ "W9a whiteout, then a directory",
	  'L',
	  "x/ x/n=2",
	  { "d x; f x/o 1", "f .wh.x; d x; f x/n 2" } },
	{ "W9b a directory, then its whiteout",
	  'L',
	  "x/ x/n=2",
	  { "d x; f x/o 1", "d x; f x/n 2; f .wh.x" } },
	{ "W9c a directory, its whiteout, more of it",
	  'L',
	  "x/ x/m=3 x/n=2",
	  { "d x; f x/o 1", "d x; f x/n 2; f .wh.x; f x/m 3" } },
	{ "W9d whiteout of a file, then a directory", 'L', "x/", { "f x 1", "f .wh.x; d x" } },
	{ "W10 whiteout below a whiteout",
	  'L',
	  "k=0",
	  { "d x; f x/b 1; f k 0", "f .wh.x; f x/.wh.b" } },
	{ "W10b below a whiteout first",
	  'F',
	  "k=0",
	  { "d x; f x/b 1; f k 0", "f x/.wh.b; f .wh.x" } },
	{ "W11a whiteout of nothing",
	  'L',
	  "d/ d/a=1",
	  { "d d; f d/a 1", "d d; f d/.wh.q; f .wh.r" } },
	{ "W11b whiteout of nothing in a new directory",
	  'F',
	  "k=0 n/",
	  { "f k 0", "d n; f n/.wh.q" } },
	{ "W11c whiteout in a directory that replaces a file",
	  'F',
	  "n/",
	  { "f n 0", "d n; f n/.wh.q" } },
	{ "W12 whiteout through a link",
	  'F',
	  "bin->usr/bin usr/ usr/bin/ usr/bin/b=2",
	  { "d usr; d usr/bin; f usr/bin/a 1; f usr/bin/b 2; l bin usr/bin", "f bin/.wh.a" } },
	{ "W12b whiteout through a link of the same layer",
	  'L',
	  "bin->usr/bin usr/ usr/bin/ usr/bin/b=2",
	  { "d usr; d usr/bin; f usr/bin/a 1; f usr/bin/b 2",
	    "d usr; d usr/bin; l bin usr/bin; f bin/.wh.a" } },
	{ "W12c whiteout of a link",
	  'L',
	  "usr/ usr/a=1",
	  { "d usr; f usr/a 1; l bin usr", "f .wh.bin" } },
	{ "W13 .wh. alone", 'L', "!a whiteout of nothing", { "f a 1", "f .wh." } },
	{ "W14a .wh...", 'L', "!a whiteout of nothing", { "f a 1", "f .wh..." } },
	{ "W14b .wh..", 'L', "!a whiteout of nothing", { "f a 1", "f .wh.." } },
	{ "W15 leftovers of aufs",
	  'L',
	  "a=1",
	  { "f a 1; d .wh..wh.plnk; f .wh..wh.plnk/1.2 x; f .wh..wh.aufs y" } },
	{ "W16a a link as whiteout", 'L', "b=2", { "f a 1; f b 2", "l .wh.a x" } },
	{ "W16b a directory as whiteout", 'L', "b=2", { "f a 1; f b 2", "d .wh.a" } },
	{ "W16c a whiteout with contents", 'L', "b=2", { "f a 1; f b 2", "f .wh.a something" } },
	{ "W16d below a whiteout", 'L', "!below a whiteout", { "d a", "f .wh.a/b 1" } },
	{ "W17 whiteouts in the bottom layer", 'F', "a=1", { "f a 1; f .wh.b; f .wh.a" } },
	{ "W17b opaque in the bottom layer",
	  'L',
	  "d/ d/a=1",
	  { "d d; f d/a 1; f d/.wh..wh..opq" } },
	{ "W17c opaque root of the bottom layer", 'L', "d/", { "d d; f .wh..wh..opq" } },
	{ "W18 opaque root", 'L', "n=2", { "f a 1; d d; f d/b 1", "f .wh..wh..opq; f n 2" } },
	{ "W18b opaque root in the middle",
	  'L',
	  "n=2 o=3",
	  { "f a 1; d d; f d/b 1", "f n 2; f .wh..wh..opq; f .wh.q", "f o 3" } },
	{ "W18c opaque root, whiteouts above",
	  'L',
	  "o=3",
	  { "f a 1", "f n 2; f .wh..wh..opq", "f o 3; f .wh.n; f .wh.a" } },
	{ "W19 names that only look like whiteouts",
	  'L',
	  ".wh=1 a.wh.b=2 wh.c=3",
	  { "f .wh 1; f a.wh.b 2; f wh.c 3" } },
	{ "W20 device 0:0 in the archive", 'L', "a=1 b=2", { "f a 1", "c a 0 0; f b 2" } },
	{ "W21 attributes of overlayfs in the archive",
	  'L',
	  "d/ d/a=1 d/b=2 e=3",
	  { "d d; f d/a 1",
	    "x SCHILY.xattr.user.overlay.opaque y; d d; f d/b 2;"
	    "x SCHILY.xattr.user.overlay.redirect /d; x SCHILY.xattr.user.overlay.metacopy 1;"
	    "x SCHILY.xattr.trusted.overlay.opaque y; f e 3" } },
	{ "W22 one name of two", 'L', "b=1", { "f a 1; h b a", "f .wh.a" } },
	{ "W24 opaque keeps a directory with something of this layer only",
	  'L',
	  "d/ d/e/ d/e/n=2",
	  { "d d; d d/e; f d/e/o 1", "d d; d d/e; f d/e/n 2; f d/.wh..wh..opq" } },
	{ "W25 whiteout of a directory that has something of this layer",
	  'F',
	  "d/ d/n=2",
	  { "d d; f d/o 1", "f d/n 2; f .wh.d" } },
	{ "W26 opaque of nothing", 'F', "a=1", { "f a 1", "f d/.wh..wh..opq" } },
	{ "W27 opaque and whiteout in one directory",
	  'L',
	  "d/ d/n=2",
	  { "d d; f d/a 1; f d/b 1", "d d; f d/.wh.a; f d/.wh..wh..opq; f d/n 2; f d/.wh.b" } },
	{ "W28 whiteout deep below an opaque directory",
	  'L',
	  "d/ d/e/ d/e/n=2",
	  { "d d; d d/e; f d/e/a 1", "d d; d d/e; f d/e/.wh.a; f d/e/n 2; f d/.wh..wh..opq" } },
	{ "W29 three layers: hidden and back again",
	  'L',
	  "d/ d/a=3",
	  { "d d; f d/a 1; f d/b 1", "f .wh.d", "d d; f d/a 3" } },
	{ "W30 opaque on a link to a directory",
	  'F',
	  "e->d d/ d/n=2",
	  { "d d; f d/a 1; l e d", "f e/.wh..wh..opq; f e/n 2" } },
	/* one thing in the place of another, across layers */
	{ "T1 file by file", 'L', "x=2", { "f x 1", "f x 2" } },
	{ "T2 file by directory", 'L', "x/ x/a=2", { "f x 1", "d x; f x/a 2" } },
	{ "T3 file by link", 'L', "x->y", { "f x 1", "l x y" } },
	{ "T4 file by pipe", 'L', "x|", { "f x 1", "p x" } },
	{ "T5 directory by file", 'L', "x=2", { "d x; f x/a 1", "f x 2" } },
	{ "T6 directory by directory",
	  'L',
	  "x/:0700 x/a=1 x/b=2",
	  { "d x; f x/a 1", "d:0700 x; f x/b 2" } },
	{ "T7 directory by link", 'L', "x->y", { "d x; f x/a 1", "l x y" } },
	{ "T8 directory by pipe", 'L', "x|", { "d x; f x/a 1", "p x" } },
	{ "T9 link by file", 'L', "t=0 x=2", { "f t 0; l x t", "f x 2" } },
	{ "T10 link by directory",
	  'L',
	  "t/ t/a=1 x/ x/b=2",
	  { "d t; f t/a 1; l x t", "d x; f x/b 2" } },
	{ "T11 link by link", 'L', "x->b", { "l x a", "l x b" } },
	{ "T12 link by pipe", 'L', "x|", { "l x a", "p x" } },
	{ "T13 pipe by file", 'L', "x=2", { "p x", "f x 2" } },
	{ "T14 pipe by directory", 'L', "x/", { "p x", "d x" } },
	{ "T15 pipe by link", 'L', "x->a", { "p x", "l x a" } },
	{ "T16 pipe by pipe", 'L', "x|:0600", { "p x", "p:0600 x" } },
	/* and inside one layer; the last word counts */
	{ "T1i file by file", 'L', "x=2", { "f x 1; f x 2" } },
	{ "T2i file by directory", 'L', "x/ x/a=2", { "d x; f x/o 0", "f x 1; d x; f x/a 2" } },
	{ "T3i file by link", 'L', "x->y", { "f x 1; l x y" } },
	{ "T5i directory by file", 'L', "x=2", { "d x; f x/o 0", "d x; f x/a 1; f x 2" } },
	{ "T6i directory by directory", 'L', "x/:0711 x/a=1", { "d x; f x/a 1; d:0711 x" } },
	{ "T7i directory by link", 'L', "x->y", { "d x; f x/a 1; l x y" } },
	{ "T9i link by file", 'L', "t=0 x=2", { "f t 0; l x t; f x 2" } },
	{ "T10i link by directory", 'L', "t/ x/ x/b=2", { "d t; l x t; d x; f x/b 2" } },
	{ "T11i link by link", 'L', "x->b", { "l x a; l x b" } },
	{ "T17 directory, file, directory",
	  'L',
	  "x/ x/n=3",
	  { "d x; f x/o 1", "d x; f x/a 2; f x 0; d x; f x/n 3" } },
	{ "T18 the sequence of CVE-2025-47290",
	  'L',
	  "foo/ foo/n=2",
	  { "d foo; d foo/tmp; f foo/tmp/x 1; l foo /; d foo; f foo/n 2" } },
	{ "T18b and writing through the link",
	  'L',
	  "foo->/ tmp/ tmp/x=1",
	  { "d foo; l foo /; f foo/tmp/x 1" } },
	{ "T19 dir over file over dir",
	  'L',
	  "x/ x/c=3",
	  { "d x; f x/a 1", "f x 2", "d x; f x/c 3" } },
	/* links on the way, and hard links */
	{ "L1 through bin -> usr/bin",
	  'F',
	  "bin->usr/bin usr/ usr/bin/ usr/bin/b=2",
	  { "d usr; d usr/bin; l bin usr/bin", "f bin/b 2" } },
	{ "L1b an entry for bin replaces the link",
	  'L',
	  "bin/ bin/b=2 usr/ usr/bin/ usr/bin/a=1",
	  { "d usr; d usr/bin; f usr/bin/a 1; l bin usr/bin", "d bin; f bin/b 2" } },
	{ "L1c in one layer",
	  'L',
	  "bin->usr/bin usr/ usr/bin/ usr/bin/b=2",
	  { "d usr; d usr/bin; l bin usr/bin; f bin/b 2" } },
	{ "L2 through an absolute link",
	  'F',
	  "bin->/usr/bin usr/ usr/bin/ usr/bin/b=2",
	  { "d usr; d usr/bin; l bin /usr/bin", "f bin/b 2" } },
	{ "L3 through a link out of the root",
	  'L',
	  "a/ a/up->../../../.. x=1",
	  { "d a; l a/up ../../../..; f a/up/x 1" } },
	{ "L3b to the host's /etc",
	  'L',
	  "e->../../../../etc etc/ etc/x=1",
	  { "l e ../../../../etc; f e/x 1" } },
	{ "L4 a loop", 'L', "!Too many", { "l a b; l b a; f a/x 1" } },
	{ "L5 a dangling link as parent",
	  'L',
	  "a->no/where no/ no/where/ no/where/x=1",
	  { "l a no/where; f a/x 1" } },
	{ "L5b a link to a file as parent", 'L', "a->f f/ f/x=1", { "f f 0; l a f; f a/x 1" } },
	{ "L6a hard link", 'L', "a=1 b=1", { "f a 1; h b a" } },
	{ "L6b absolute target", 'L', "a=1 b=1", { "f a 1; h b /a" } },
	{ "L6c ./ target", 'L', "a=1 d/ d/b=1", { "f a 1; d d; h d/b ./a" } },
	{ "L6d .. in the target", 'L', "!no layer may hold", { "f a 1; d d; h d/b ../a" } },
	{ "L6e to a link", 'L', "a=1 b->a c->a", { "f a 1; l b a; h c b" } },
	{ "L6f to a directory", 'L', "!a directory", { "d d; h b d" } },
	{ "L6g to itself", 'L', "!to itself", { "f a 1; h a a" } },
	{ "L6h to nothing", 'F', "!not there", { "h b a" } },
	{ "L6i to what comes later", 'F', "!not there", { "h b a; f a 1" } },
	{ "L6j into a lower layer", 'F', "a=1 b=1", { "f a 1", "h b a" } },
	{ "L6k to what is whiteouted", 'F', "!not there", { "f a 1", "f .wh.a; h b a" } },
	{ "L6l through a link of the lower layer",
	  'F',
	  "e->d d/ d/a=1 d/b=1",
	  { "d d; f d/a 1; l e d", "d d; h d/b e/a" } },
	{ "L6m over a file", 'L', "a=1 b=1", { "f a 1; f b 2; h b a" } },
	{ "L6n over a directory", 'L', "a=1 b=1", { "f a 1; d b; f b/x 2; h b a" } },
	{ "L6o twice", 'L', "a=1 b=1", { "f a 1; h b a; h b a" } },
	{ "L6p the first name is replaced later", 'L', "a=2 b=1", { "f a 1; h b a; f a 2" } },
	{ "L6q the first name is replaced in the next layer",
	  'L',
	  "a=2 b=1",
	  { "f a 1; h b a", "f a 2" } },
	{ "L7 two links and a hard link out",
	  'F',
	  "!not there",
	  { "l a /; l b a/etc; h c b/passwd" } },
	{ "L7b hard link to a link to the host, then writing",
	  'L',
	  "a->/etc/passwd b=1",
	  { "l a /etc/passwd; h b a; f b 1" } },
	{ "L7c a file over a link", 'L', "a=1", { "l a /etc/passwd; f a 1" } },
	/* names */
	{ "N3 bytes that are no text", 'L', "%FE%FF=1", { "f %fe%ff 1" } },
	{ "N3b newline, blank and dash",
	  'L',
	  "-rf/ -rf/a%0Ab c=1",
	  { "d -rf; f -rf/a%0ab%20c 1" } },
	{ "N4 empty name", 'L', "!no layer may hold", { "f %00 1" } },
	{ "N5 the root in many spellings", 'L', "a=1", { "d .; d ./; d /; d //; d /./.; f a 1" } },
	{ "N5b a link called .", 'L', "!must be a directory", { "l . /etc" } },
	{ "N5c a file called /", 'L', "!must be a directory", { "l / /etc" } },
	{ "N6 absolute", 'L', "a/ a/b=1", { "d /a; f /a/b 1" } },
	{ "N6b doubled", 'L', "a/ a/b=1", { "d a//; f .//a/./b 1" } },
	{ "N7 ..", 'L', "!no layer may hold", { "f ../x 1" } },
	{ "N7b .. inside", 'L', "!no layer may hold", { "d a; f a/../x 1" } },
	{ "N9 slash behind a link", 'L', "t/ x->t", { "d t; l x/ t" } },
	/* parents */
	{ "P1 an implied parent at the bottom", 'L', "a/ a/b/ a/b/c=1", { "f a/b/c 1" } },
	{ "P1b an implied parent above", 'F', "a/ a/b=2 a/o=1", { "d a; f a/o 1", "f a/b 2" } },
	{ "P1c an implied parent keeps its mode",
	  'F',
	  "tmp/:1777 tmp/a=1",
	  { "d:1777 tmp", "f tmp/a 1" } },
	{ "P2 the parent is a file", 'L', "a/ a/b=2", { "f a 1; f a/b 2" } },
	{ "P2b the parent is a file of a lower layer", 'F', "a/ a/b=2", { "f a 1", "f a/b 2" } },
	{ "P3 modes 0000 and 0555",
	  'L',
	  "a/:0700 a/x=1 b/ b/y=2",
	  { "d:0000 a; f a/x 1; d:0555 b; f b/y 2" } },
	{ "P4 a file of mode 0000", 'L', "a=1:0600 b=2:0755", { "f:0000 a 1; f:0555 b 2" } },
	{ "P5 an implied directory is described later",
	  'L',
	  "a/:0711 a/b=1",
	  { "f a/b 1; d:0711 a" } },
	{ "P7 the root has a mode", 'L', "a=1", { "d:0700 .; f a 1" } },
	/* attributes */
	{ "A1 set-id bits",
	  'L',
	  "a=1:0755 d/:1755 s=2:0755",
	  { "f:4755 a 1; d:7755 d; f:6755 s 2" } },
	{ "A6 device nodes", 'L', "d/ d/z=1", { "d d; c d/null 1 3; f d/z 1" } },
	{ "A8 attributes",
	  'L',
	  "a=1 d/ l->a",
	  { "x SCHILY.xattr.user.one value; x SCHILY.xattr.security.selinux no;"
	    "x SCHILY.xattr.system.posix_acl_access no; f a 1;"
	    "x SCHILY.xattr.user.two deux; d d; x SCHILY.xattr.user.three trois; l l a" } },
	{ "A9 a directory's attributes are replaced",
	  'L',
	  "d/",
	  { "x SCHILY.xattr.user.one value; d d", "x SCHILY.xattr.user.two deux; d d" } },
	{ "A10b the same layer twice, nothing hidden",
	  'L',
	  "a=1 b=2",
	  { "f a 1", "f b 2", "f a 1" } },
	{ "A10 the same layer twice", 'F', "a=1 b=2", { "f a 1", "f b 2; f .wh.a", "f a 1" } },
};

/* ---- unpacking -------------------------------------------------------------------------- */

struct result {
	int r;
	struct err e;
	uint32_t flags;
};

static int make_dir(int at, const char *name)
{
	int fd;

	if (mkdirat(at, name, 0755) < 0 && errno != EEXIST)
		die(name);
	fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		die(name);
	return fd;
}

static int make_file(int at, const char *name)
{
	int fd = openat(at, name, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		die(name);
	return fd;
}

/*
 * @n layers into the directory @name; piece by piece, so that no header arrives whole.  The
 * worker's umask is 0, but the modes must be right with any.
 */
static struct result unpack(int top, const char *name, const char *const *specs, size_t n,
			    bool overlay)
{
	struct arena *a = arena_new(0);
	int root = make_dir(top, name), trash = make_dir(top, "trash");
	int list = make_file(top, text_of("%s.list", name));
	struct unpack_skipped skipped = { 0 };
	struct result res = { 0 };
	_Atomic uint64_t entries = 0;
	struct tree t;
	mode_t mask = umask(overlay ? 0 : 027);

	res.r = tree_begin(&t, a, root, trash, list, overlay);
	for (size_t i = 0; res.r == 0 && i < n; i++) {
		struct memory m = { .b = layer_of(specs[i]), .step = 700 };
		const struct tar_input in = { memory_read, &m };

		if (i > 0)
			tree_layer(&t);
		res.r = unpack_layer(a, &t, &in, &entries, &skipped, &res.e);
	}
	if (res.r == 0 && !(t.flags & LAYER_NEEDS_LOWER))
		res.r = tree_end(&t, a);
	res.flags = t.flags;
	tree_close(&t);
	(void)umask(mask);
	close(root);
	close(trash);
	close(list);
	arena_free(a);
	return res;
}

static const char *text_at(int top, const char *name, bool full)
{
	int fd = make_dir(top, name);
	const char *text = tree_text(fd, full);

	close(fd);
	return text;
}

/* ---- the overlay form ------------------------------------------------------------------- */

/* In a child: mount and write down what is seen. */
static void mount_and_dump(int top, const char *lowers)
{
	const char *text;
	int out = make_file(top, "dump"), merged;

	make_dir(top, "m");
	make_dir(top, "u");
	make_dir(top, "w");
	if (userns_enter(top) != 0)
		_exit(2);
	if (mount("overlay", "m", "overlay", 0,
		  text_of("lowerdir=%s,upperdir=u,workdir=w,userxattr", lowers)) < 0)
		_exit(3);
	merged = open("m", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	text = tree_text(merged, true);
	if (write(out, text, strlen(text)) != (ssize_t)strlen(text))
		_exit(4);
	_exit(0);
}

static const char *overlay_text(int top, const char *lowers)
{
	char *buf = arena_alloc(images_arena(), 1 << 16);
	int status, fd;
	ssize_t n;
	pid_t pid = fork();

	if (pid == 0)
		mount_and_dump(top, lowers);
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		die("fork");
	if (status)
		return text_of("mount failed: %d", WEXITSTATUS(status));
	fd = openat(top, "dump", O_RDONLY | O_CLOEXEC);
	n = read(fd, buf, (1 << 16) - 1);
	close(fd);
	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

/* Each layer by itself; the directories to stack, or NULL: flat only. */
static const char *unpack_layers(int top, const struct form_case *c, size_t n, struct result *res)
{
	struct arena *a = arena_new(0);
	struct layer layers[LAYERS_MAX];
	struct listing_reader reader;
	size_t chosen[IMAGE_LAYERS_MAX], n_chosen;
	const char *lowers = NULL;
	int r = 1;

	for (size_t i = 0; i < n; i++) {
		*res = unpack(top, text_of("l%zu", i), &c->layers[i], 1, true);
		if (res->r < 0)
			return NULL;
		if (res->flags & LAYER_NEEDS_LOWER)
			return NULL;
		/* equal layers are one layer, as equal digests make them */
		layers[i].diff_id = c->layers[i];
		layers[i].fs = make_dir(top, text_of("l%zu", i));
		layers[i].list = openat(top, text_of("l%zu.list", i), O_RDONLY | O_CLOEXEC);
		r = listing_open(a, layers[i].list, &reader, &layers[i].header);
		if (r < 0)
			die("listing_open");
	}
	r = compose(a, layers, n, chosen, &n_chosen);
	for (size_t i = 0; r == 1 && i < n_chosen; i++)
		lowers = text_of("%s%sl%zu", lowers ? lowers : "", lowers ? ":" : "", chosen[i]);
	for (size_t i = 0; i < n; i++) {
		close(layers[i].fs);
		close(layers[i].list);
	}
	arena_free(a);
	return lowers;
}

/* ---- cases ------------------------------------------------------------------------------ */

/* What is expected is sorted and unescaped here, so that the table may be written for people. */
static const char *sorted(const char *text)
{
	const char *words[128];
	char *copy = text_of("%s", text), *w;
	struct bytes out = { 0 };
	size_t n = 0;

	while (*(w = word(&copy))) {
		unescape(w);
		words[n++] = w;
	}
	qsort(words, n, sizeof(*words), by_text);
	for (size_t i = 0; i < n; i++) {
		bytes_add(&out, words[i], strlen(words[i]));
		if (i + 1 < n)
			bytes_add(&out, " ", 1);
	}
	return out.n ? (const char *)out.p : "";
}

static void test_refused(const struct form_case *c, int top, size_t n)
{
	struct result flat = unpack(top, "flat", c->layers, n, false);
	struct result alone;

	ok(flat.r < 0 && strstr(flat.e.msg, c->want + 1), "%s: refused: %s", c->what, flat.e.msg);
	unpack_layers(top, c, n, &alone);
	ok(alone.r < 0 || (c->form == 'F' && (alone.flags & LAYER_NEEDS_LOWER)),
	   "%s: refused as a layer, too, or left to the flat form", c->what);
}

static void test_case(const struct form_case *c, bool overlay)
{
	char *path = quick_dir();
	int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *lowers;
	struct result res;
	size_t n = 0;

	while (n < LAYERS_MAX && c->layers[n])
		n++;
	if (*c->want == '!') {
		test_refused(c, top, n);
	} else {
		res = unpack(top, "flat", c->layers, n, false);
		if (res.r < 0)
			diag("%s", res.e.msg);
		is_str(text_at(top, "flat", false), sorted(c->want), "%s", c->what);
		lowers = unpack_layers(top, c, n, &res);
		ok((lowers != NULL) == (c->form == 'L'), "%s: %s", c->what,
		   lowers ? "layers" : "flat only");
		if (lowers && overlay)
			is_str(overlay_text(top, lowers), text_at(top, "flat", true),
			       "%s: the same under overlayfs", c->what);
		else if (lowers)
			skip("%s: no overlay in user namespaces here", c->what);
	}
	close(top);
	temp_remove(path);
}

/* Can this place have overlays at all? */
static bool overlay_works(void)
{
	static const char *const one[] = { "f a 1" };
	char *path = quick_dir();
	int top = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool works;

	unpack(top, "l0", one, 1, true);
	works = strstr(overlay_text(top, "l0"), "a=1") != NULL;
	close(top);
	temp_remove(path);
	return works;
}

int main(void)
{
	struct err e = { 0 };
	bool overlay;

	umask(0);
	if (unpack_load(&e) < 0) {
		diag("%s", e.msg);
		return 1;
	}
	overlay = overlay_works();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		test_case(&cases[i], overlay);
	return done_testing();
}
