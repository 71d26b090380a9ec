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

cannot() {
	echo "$*" >&2
	exit 77
}

[ -d "$cache/$1" ] && echo "$cache/$1" && exit
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -r $keyring ] || cannot "$keyring is missing"
command -v apt-get > /dev/null || cannot "no apt-get here"
mirror=$(apt-get indextargets --no-release-info --format '$(REPO_URI)' | grep -m 1 '/debian/\?$') ||
	cannot "no Debian mirror in the sources of this machine's apt"
mkdir -p "$cache" 2> /dev/null && [ -w "$cache" ] || cannot "$cache cannot be written"
exec 9> "$cache/lock"
flock 9
[ -d "$cache/$1" ] && echo "$cache/$1" && exit

tmp=$(mktemp -d "$cache/tmp.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp"/{lists,archives}/partial "$tmp/new" "$tmp/out"
echo "deb-src [signed-by=$keyring] $mirror bookworm main" > "$tmp/sources.list"
cat > "$tmp/apt.conf" <<- END
	#clear APT::Update::Post-Invoke;
	#clear APT::Update::Post-Invoke-Success;
	Dir::Etc::sourcelist "$tmp/sources.list";
	Dir::Etc::sourceparts "-";
	Dir::State "$tmp";
	Dir::State::Lists "$tmp/lists";
	Dir::State::status "/dev/null";
	Dir::Cache "$tmp";
	Dir::Cache::archives "$tmp/archives";
	Acquire::Languages "none";
	Acquire::Retries "1";
	Acquire::http::Timeout "15";
	Acquire::https::Timeout "15";
	APT::Sandbox::User "";
END
bounded() {
	timeout -k 5 "${GPURUN_TEST_DOWNLOAD_SECONDS:-180}" apt-get -c "$tmp/apt.conf" -qq "$@" \
		> "$tmp/log" 2>&1
}
bounded -o APT::Update::Error-Mode=any update || cannot "$mirror: $(grep -m 1 '^[EW]:' "$tmp/log")"
(cd "$tmp/new" && bounded source --download-only "$1") || cannot "$1: $(grep -m 1 '^E:' "$tmp/log")"
tar -xf "$tmp/new"/*.orig.tar.?z -C "$tmp/out" --strip-components=1 --no-same-owner
mv "$tmp/out" "$cache/$1"
echo "$cache/$1"
