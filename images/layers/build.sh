#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh OUT [MKIMAGE-OPTION]... - busybox with everything that layers can do to each other:
# files replaced and deleted, directories deleted, made opaque and replaced by other types,
# hardlinks.  `expected` beside this script is what list.sh prints of the merged tree below /t.
# FLAT=1 adds a layer that cannot stand alone (`expected-flat`): its tar lacks the parents of
# its entries, of which one is a symbolic link below, and links to a file of a lower layer.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUT [MKIMAGE-OPTION]...}
shift
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
umask 022

# put PATH TEXT - a file with its directories
put() {
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "$2" > "$1"
}

# 1: the base
ROOTFS_ONLY=1 sh "$here/../busybox/build.sh" "$tmp/1"
t=$tmp/1/t
for f in keep replaced deleted onlymode; do put "$t/$f" "1 $f"; done
for f in gone/a gone/sub/b opaque/old1 opaque/old2 opaque/sub/old merged/below; do put "$t/$f" "1 $f"; done
put "$t/dir-to-file/x" 1
put "$t/file-to-dir" 1
put "$t/real/inside" 1
ln -s real "$t/link"
ln -s keep "$t/symlink-to-file"
put "$t/hard/a" 1
ln "$t/hard/a" "$t/hard/b"
put "$t/hard/deleted-name" 1
ln "$t/hard/deleted-name" "$t/hard/kept-name"

# 2: deletions and replacements
t=$tmp/2/t
put "$t/replaced" "2 replaced"
put "$t/.wh.deleted" ''
put "$t/.wh.gone" ''
put "$t/.wh.never-there" ''
put "$t/opaque/.wh..wh..opq" ''
put "$t/opaque/new" "2 opaque/new"
put "$t/merged/above" "2 merged/above"
put "$t/dir-to-file" 2
put "$t/file-to-dir/x" 2
put "$t/hard/.wh.deleted-name" ''
put "$t/deleted-again" 2
put "$t/back" 2
put "$t/a.wh.b" "not a whiteout"
put "$t/.wh" "not a whiteout either"
ln -s /t/keep "$t/absolute"

# 3: what was deleted comes back; an opaque directory inside; a mode change; a hardlink
t=$tmp/3/t
put "$t/gone/new" "3 gone/new"
put "$t/.wh.deleted-again" ''
put "$t/.wh.back" ''
put "$t/opaque/sub/new" "3 opaque/sub/new"
put "$t/onlymode" "1 onlymode"
chmod 600 "$t/onlymode"
put "$t/hard3/x" 3
ln "$t/hard3/x" "$t/hard3/y"
put "$t/merged/.wh.below" ''

# 4: once more
t=$tmp/4/t
put "$t/back" "4 back"
mkdir -p "$t/empty"
chmod 750 "$t/empty"

set -- "$@" "$out"
if [ -n "${FLAT-}" ]; then
	put "$tmp/5/t/link/through" 5
	put "$tmp/5/t/hard/a" 5
	ln "$tmp/5/t/hard/a" "$tmp/5/t/hard/c"
	tar -C "$tmp/5" --format=posix --owner=0 --group=0 --numeric-owner --mtime=@0 \
		-cf "$tmp/5.tar" t/link/through t/hard/a t/hard/c
	tar --delete -f "$tmp/5.tar" t/hard/a
	set -- --layer "$tmp/5.tar" "$@"
fi
case "$*" in *--oci* | *--docker*) ;; *) set -- --docker --tag layers:latest "$@" ;; esac
sh "$here/../mkimage.sh" "$tmp/1" --layer "$tmp/2" --layer "$tmp/3" --layer "$tmp/4" \
	--env PATH=/bin:/usr/bin --cmd sh "$@"
