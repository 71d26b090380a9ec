#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh OUT [MKIMAGE-OPTION]... - a small image of one static busybox (package busybox-static).
# Without options: a plain "docker save" archive, started with sh.
# BUSYBOX names another binary; ROOTFS_ONLY=1 makes OUT the root file system directory itself.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUT [MKIMAGE-OPTION]...}
shift
busybox=${BUSYBOX:-$(command -v busybox)} || { echo "busybox: not found (package busybox-static)" >&2; exit 1; }

# rootfs DIR - what a program may expect of the smallest system
rootfs() {
	mkdir -p "$1/bin" "$1/etc" "$1/root" "$1/tmp" "$1/usr/bin" "$1/var/tmp" "$1/proc" "$1/sys" "$1/dev"
	chmod 1777 "$1/tmp" "$1/var/tmp"
	chmod 700 "$1/root"
	cp "$busybox" "$1/bin/busybox"
	chmod 755 "$1/bin/busybox"
	"$busybox" --list | while read -r name; do
		[ "$name" = busybox ] || ln -s busybox "$1/bin/$name"
	done
	ln -s ../../bin/env "$1/usr/bin/env"
	printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n' > "$1/etc/passwd"
	printf 'root:x:0:\nnogroup:x:65534:\n' > "$1/etc/group"
	printf 'NAME="busybox"\nID=busybox\n' > "$1/etc/os-release"
}

umask 022
if [ -n "${ROOTFS_ONLY-}" ]; then
	rootfs "$out"
	exit 0
fi
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
rootfs "$tmp/1"
[ $# -gt 0 ] || set -- --docker --cmd sh --tag busybox:latest
sh "$here/../mkimage.sh" "$tmp/1" --env PATH=/bin:/usr/bin "$@" "$out"
