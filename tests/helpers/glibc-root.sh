#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# glibc-root.sh bullseye|bookworm|trixie DIR - the C library of that Debian (glibc 2.31, 2.36, 2.41)
# in DIR and nothing else: no shell, no ldconfig, no ld.so.cache, as in a "distroless" image.
# Exit status 77 and a reason: it cannot be had here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 2 ] || { sed -n '3,5s/^# //p' "$0" >&2; exit 2; }
suite=$1 dir=$2
deb=$(bash "$here/debs.sh" "$suite" main libc6)
mkdir -p "$dir/usr"
files='./lib*'
if [ "$suite" = trixie ]; then
	files='./usr/lib*'
	ln -s usr/lib usr/lib64 "$dir"
fi
dpkg-deb --fsys-tarfile "$deb" |
	tar -x -C "$dir" --keep-directory-symlink --no-same-owner --wildcards --exclude '*/gconv' \
		--exclude '*/audit' "$files"
