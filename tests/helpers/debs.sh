#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# debs.sh SUITE COMPONENT NAME... - print the paths of Debian's packages NAME of SUITE for amd64,
# downloaded with apt from the mirror that this machine uses already, once: they stay in
# $GPURUN_TEST_CACHE (default: $BUILD/cache, build/cache).  Nothing else on the machine changes and
# no rights are needed.  Exit status 77 and a reason: they cannot be had here.
set -eu
repo=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$repo/$build
cache=${GPURUN_TEST_CACHE:-$build/cache}
[ $# -ge 3 ] || { sed -n '3,6s/^# //p' "$0" >&2; exit 2; }
suite=$1 component=$2
shift 2

. "$repo/tests/helpers/apt.bash"

# cached NAME - its file in the cache
cached() {
	local f
	for f in "$cache/debs/$suite/$1"_*.deb; do
		[ -e "$f" ] && echo "$f" && return
	done
	return 1
}

all_cached() {
	local n
	for n; do
		cached "$n" || return
	done
}

all_cached "$@" && exit
[ "$(uname -m)" = x86_64 ] || cannot "NVIDIA's packages are fetched for amd64 only"
command -v dpkg-deb > /dev/null || cannot "no dpkg-deb here"
apt_mirror
mkdir -p "$cache/debs/$suite" 2> /dev/null && [ -w "$cache/debs/$suite" ] ||
	cannot "$cache cannot be written"

exec 9> "$cache/lock"
flock 9
all_cached "$@" && exit # somebody else was downloading
# A network that swallows packets costs its timeout once, not once a test.
tried=$cache/unreachable
[ -z "$(find "$tried" -mmin -10 2> /dev/null)" ] || cannot "$(cat "$tried")"

tmp=$(mktemp -d "$cache/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
apt_private "$tmp" "deb [arch=amd64 signed-by=$keyring] $mirror $suite $component"
if ! apt_bounded -o APT::Update::Error-Mode=any update; then
	echo "$suite: $mirror cannot be read: $(grep -m 1 '^[EW]:' "$tmp/log")" | tee "$tried" >&2
	exit 77
fi
missing=()
for n; do
	cached "$n" > /dev/null || missing+=("$n")
done
(cd "$tmp/new" && apt_bounded download "${missing[@]/%/:amd64}") || cannot "$suite: $(grep -m 1 '^E:' "$tmp/log")"
mv "$tmp/new"/*.deb "$cache/debs/$suite/"
all_cached "$@"
