#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# source.sh PACKAGE - print the directory of the unpacked upstream source of a Debian 12 source
# package, downloaded once with apt from the mirror that this machine uses already; it stays in
# $GPURUN_TEST_CACHE (default: $BUILD/cache, build/cache).  apt checks the signature of the list and
# the digest of the file.  Exit status 77 and a reason: it cannot be had here.
set -eu
repo=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$repo/$build
cache=${GPURUN_TEST_CACHE:-$build/cache}/sources
[ $# = 1 ] || { sed -n '3,6s/^# //p' "$0" >&2; exit 2; }

. "$repo/tests/helpers/apt.bash"

[ -d "$cache/$1" ] && echo "$cache/$1" && exit
apt_mirror
mkdir -p "$cache" 2> /dev/null && [ -w "$cache" ] || cannot "$cache cannot be written"
exec 9> "$cache/lock"
flock 9
[ -d "$cache/$1" ] && echo "$cache/$1" && exit

tmp=$(mktemp -d "$cache/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir "$tmp/out"
apt_private "$tmp" "deb-src [signed-by=$keyring] $mirror bookworm main"
apt_bounded -o APT::Update::Error-Mode=any update || cannot "$mirror: $(grep -m 1 '^[EW]:' "$tmp/log")"
(cd "$tmp/new" && apt_bounded source --download-only "$1") || cannot "$1: $(grep -m 1 '^E:' "$tmp/log")"
tar -xf "$tmp/new"/*.orig.tar.?z -C "$tmp/out" --strip-components=1 --no-same-owner
mv "$tmp/out" "$cache/$1"
echo "$cache/$1"
