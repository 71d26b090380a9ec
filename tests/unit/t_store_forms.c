/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What layers become: in the flattened form as written down here, and in layers under overlayfs
 * the same, down to modes, times and attributes.  Every case says which form it is expected to
 * have: 'L' layers, 'F' flat only, because a layer cannot be told without those below.
 */
#include "forms.h"

#define FORMS_AT_LEAST 150

static const struct form_case cases[] = {
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
	{ "W18d a directory that is only implied below an opaque root",
	  'F',
	  "x/:0700 x/n=2",
	  { "d:0700 x; f x/o 1", "f x/n 2; f .wh..wh..opq" } },
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
	{ "T4i file by pipe", 'L', "x|", { "f x 1; p x" } },
	{ "T8i directory by pipe", 'L', "x|", { "d x; f x/a 1; p x" } },
	{ "T12i link by pipe", 'L', "x|", { "l x a; p x" } },
	{ "T13i pipe by file", 'L', "x=2", { "p x; f x 2" } },
	{ "T14i pipe by directory", 'L', "x/ x/a=1", { "d x; f x/o 0", "p x; d x; f x/a 1" } },
	{ "T15i pipe by link", 'L', "x->a", { "p x; l x a" } },
	{ "T16i pipe by pipe", 'L', "x|:0600", { "p x; p:0600 x" } },
	{ "T17b a link to a directory, then the directory",
	  'L',
	  "t/ t/a=1 x/ x/n=2",
	  { "d t; f t/a 1; l x t; d x; f x/n 2" } },
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
	{ "T18c CVE-2021-31566 time and mode of a directory that became a link",
	  'L',
	  "a->$OUT",
	  { "d:0711:7 a; d:0711:7 a/canary; l a $OUT" } },
	{ "T18d CVE-2021-31566 the same through a link above it",
	  'L',
	  "a->$OUT/..",
	  { "d a; d:0711:7 a/outside; f:0777:7 a/outside/canary 1; l a $OUT/.." } },
	{ "T18e CVE-2021-32760 the mode of a hard link to a link",
	  'L',
	  "a->$OUT/canary b->$OUT/canary",
	  { "l a $OUT/canary; h:0777:7 b a" } },
	{ "T18f CVE-2021-32760 a directory's mode where a link is",
	  'L',
	  "a/:0711",
	  { "l a $OUT; d:0711:7 a" } },
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
	{ "L2b CVE-2025-45582 through a link of the layer below to a host directory",
	  'F',
	  "a->$OUT $DIRS $IN/x=1",
	  { "l a $OUT", "f a/x 1" } },
	{ "L2c the same in one layer", 'L', "a->$OUT $DIRS $IN/x=1", { "l a $OUT; f a/x 1" } },
	{ "L2d CVE-2025-45582 over a host file",
	  'L',
	  "a->$OUT $DIRS $IN/canary=1",
	  { "l a $OUT; f a/canary 1" } },
	{ "L2e a whiteout of a host file", 'F', "a->$OUT", { "l a $OUT; f a/.wh.canary" } },
	{ "L2f a host directory made opaque",
	  'F',
	  "a->$OUT",
	  { "l a $OUT", "f a/.wh..wh..opq; f .wh.b" } },
	{ "L3 through a link out of the root",
	  'L',
	  "a/ a/up->../../../.. x=1",
	  { "d a; l a/up ../../../..; f a/up/x 1" } },
	{ "L3b to the host's /etc",
	  'L',
	  "e->../../../../etc etc/ etc/x=1",
	  { "l e ../../../../etc; f e/x 1" } },
	{ "L3c CVE-2007-4559 beside the tree",
	  'L',
	  "a->../outside outside/ outside/x=1",
	  { "l a ../outside; f a/x 1" } },
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
	{ "L7d CVE-2026-26960 two links and a hard link to a host file",
	  'F',
	  "!not there",
	  { "d d; l d/up $OUT; l e d/up; h c e/canary" } },
	{ "L7e CVE-2026-23745 a hard link to a host file",
	  'F',
	  "!not there",
	  { "h c $OUT/canary" } },
	{ "L7f CVE-2026-23745 a file over a link to a host file",
	  'L',
	  "a=1",
	  { "l a $OUT/canary; f a 1" } },
	{ "L7g CVE-2026-23745 a file over a hard link to a link to a host file",
	  'L',
	  "a->$OUT/canary b=1",
	  { "l a $OUT/canary; h b a; f b 1" } },
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
	{ "N5b CVE-2021-29136 a link called .", 'L', "!must be a directory", { "l . /etc" } },
	{ "N5c a file called /", 'L', "!must be a directory", { "l / /etc" } },
	{ "N6 absolute", 'L', "a/ a/b=1", { "d /a; f /a/b 1" } },
	{ "N6b doubled", 'L', "a/ a/b=1", { "d a//; f .//a/./b 1" } },
	{ "N7 CVE-2007-4559 ..", 'L', "!no layer may hold", { "f ../x 1" } },
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

/* ---- the judge is judged ---------------------------------------------------------------- */

static void plant(int top)
{
	close(form_file(top, FORM_OUTSIDE "/planted"));
}

static void touch(int top)
{
	if (fchmodat(top, FORM_OUTSIDE "/canary", 0777, 0) < 0)
		die("canary");
}

static void forget_whiteout(int top)
{
	if (unlinkat(top, "l1/a", 0) < 0)
		die("l1/a");
}

static void change_mode(int top)
{
	if (fchmodat(top, "l0/b", 0700, 0) < 0)
		die("l0/b");
}

static struct form_verdict spoiled(const struct form_case *c, void (*spoil)(int top))
{
	struct forms_run run;

	forms_begin(&run);
	run.spoil = spoil;
	return form_try(c, &run);
}

static void test_controls(const struct forms_run *run)
{
	struct form_case c = { "control", 'L', "b=2", { "f a 1; f b 2", "f .wh.a" } };
	struct form_verdict v = spoiled(&c, NULL);

	ok(v.tree_ok && v.form_ok && v.same_ok && v.outside_ok, "nothing is found fault with");
	ok(!spoiled(&c, plant).outside_ok, "a file that is planted outside is found");
	ok(!spoiled(&c, touch).outside_ok, "and a mode that is changed there");
	if (run->overlay) {
		ok(!spoiled(&c, forget_whiteout).same_ok, "a whiteout that is not there is found");
		ok(!spoiled(&c, change_mode).same_ok, "a mode that differs is found");
	} else {
		skip("no overlay in user namespaces here");
	}
	c.form = 'F';
	ok(!spoiled(&c, NULL).form_ok, "the wrong form is found");
	c.want = "a=1 b=2";
	ok(!spoiled(&c, NULL).tree_ok, "a wrong tree is found");
	c.want = "!a whiteout";
	ok(!spoiled(&c, NULL).tree_ok, "an error that does not come is found");
	c.layers[0] = "f .wh. x";
	c.want = "!another error";
	v = spoiled(&c, NULL);
	ok(!v.tree_ok && !v.form_ok, "other words are found: %s", v.tree);
	ok(form_has_id(&c, 1, "control") && !form_has_id(&c, 1, "contr0l"), "ids are told apart");
}

int main(void)
{
	const size_t n = sizeof(cases) / sizeof(cases[0]);
	struct forms_run run;

	forms_begin(&run);
	forms_check(cases, n, &run);
	forms_complete(cases, n, 'W', 1, 22, "");
	forms_complete(cases, n, 'T', 1, 18, "");
	forms_complete(cases, n, 'L', 1, 7, "");
	printf("# %d generated archives in both forms\n", run.archives);
	ok(run.archives >= FORMS_AT_LEAST, "%d images, at least %d", run.archives, FORMS_AT_LEAST);
	test_controls(&run);
	return done_testing();
}
