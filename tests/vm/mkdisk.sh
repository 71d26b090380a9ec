#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# mkdisk.sh IMAGES OUT - a file system for the virtual machine: busybox, gpurun with every
# library that it links or loads, sample images, the smoke test.  Needs no root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
gpurun=${GPURUN:-$repo/gpurun}
images=$1 out=$2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
root=$tmp/root
umask 022

# loaded - the libraries whose names stand in the program: those that it loads on use
loaded() {
	local name
	grep -aoE 'lib[a-z0-9+-]+\.so\.[0-9]+' "$gpurun" | sort -u | while read -r name; do
		ldconfig -p | awk -v n="$name" '$1 == n && /x86-64|AArch64/ { print $NF; exit }'
	done
}

# libraries_of FILE... - the files themselves when they are libraries, and what they link
libraries_of() {
	local f
	for f; do
		case $f in *.so*) echo "$f" ;; esac
		ldd "$f" | grep -o '/[^ ]*'
	done | sort -u
}

ROOTFS_ONLY=1 sh "$repo/images/busybox/build.sh" "$root"
mkdir -p "$root/usr/local/bin" "$root/mnt" "$root/run" "$root/images" "$root/lib" "$root/lib64"
libraries_of $(loaded) "$gpurun" | while read -r f; do
	mkdir -p "$root$(dirname "$f")"
	cp -L "$f" "$root$f"
done
cp "$gpurun" "$root/usr/local/bin/gpurun"
echo 'user:x:1000:1000:user:/home/user:/bin/sh' >> "$root/etc/passwd"
echo 'user:x:1000:' >> "$root/etc/group"
cp "$images/busybox.tar" "$root/images/"
sh "$repo/images/layers/build.sh" "$root/images/layers.tar"
FLAT=1 sh "$repo/images/layers/build.sh" "$root/images/flat" --oci-dir --compress zstd
cp "$repo/images/layers/list.sh" "$repo/images/layers/expected" "$repo/images/layers/expected-flat" "$root/images/"
cp "$here/smoke.sh" "$root/"
cp "$here/boot-init.sh" "$root/init"
chmod 755 "$root/init" "$root/smoke.sh"
mke2fs -q -t ext4 -E root_owner=0:0 -d "$root" "$out" "$(($(du -sm "$root" | cut -f1) + 192))M" > /dev/null
