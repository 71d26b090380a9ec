#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh NAME OUT HOST [MKIMAGE-OPTION]... - the hostile image that the recipe NAME beside this
# script describes.  HOST is the path of a directory of the host at which its links aim; a file
# "secret" is in it.  A recipe is sourced in the root directory of the image, adds options of
# mkimage.sh to "$@", and puts what a second layer holds below ../2, or at ../2.tar.
# BASE names the root file system to start from (default: busybox); EVIL a directory of programs,
# each of which goes to /bin.  Without options a "docker save" archive is made.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 3 ] && [ -f "$here/$1" ] || { sed -n '3,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
recipe=$here/$1 out=$2 host=$3
shift 3
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
umask 022
if [ -n "${BASE-}" ]; then
	cp -a "$BASE" "$tmp/1"
else
	ROOTFS_ONLY=1 sh "$here/../busybox/build.sh" "$tmp/1"
fi
[ -z "${EVIL-}" ] || cp "$EVIL"/* "$tmp/1/bin/"
[ $# -gt 0 ] || set -- --docker
cd "$tmp/1"
# what a recipe needs to climb out of any directory
up=../../../../../../../../../../../..
: "$host" "$up"
# shellcheck source=/dev/null
. "$recipe"
cd /
for layer in "$tmp/2" "$tmp/2.tar"; do
	[ ! -e "$layer" ] || set -- --layer "$layer" "$@"
done
sh "$here/../mkimage.sh" "$tmp/1" --env PATH=/bin:/usr/bin --tag evil:latest "$@" "$out"
