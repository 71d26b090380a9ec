#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# test-images.sh - make the images that the end-to-end tests share, once; prints their directory.
#
#	busybox/      root file system: busybox, hello-gpu, args
#	busybox.tar   the same as "docker save" makes it, started with sh
#	bash.tar      bash, stty, sleep, cat, tty and the C library of this machine
#	hello.tar     nothing but hello-gpu
set -eu
repo=$(cd "$(dirname "$0")/../.." && pwd)
dir=${GPURUN_TEST_IMAGES:-$repo/build/test-images}
umask 022

# from_host DIR PROGRAM... - programs of this machine with the libraries that they name
from_host() {
	local root=$1 p f
	shift
	for p; do
		p=$(command -v "$p")
		ldd "$p" | grep -o '/[^ ]*' | sort -u | while read -r f; do
			mkdir -p "$root$(dirname "$f")"
			cp -L "$f" "$root$f"
		done
		mkdir -p "$root/bin"
		cp -L "$p" "$root/bin/"
	done
}

build() {
	local out=$1
	ROOTFS_ONLY=1 sh "$repo/images/busybox/build.sh" "$out/busybox"
	${CC:-cc} -std=gnu17 -O2 -Wall -static -s -o "$out/busybox/bin/hello-gpu" \
		"$repo/images/hello-gpu/hello-gpu.c"
	printf '#!/bin/sh\nfor a; do printf "[%%s]" "$a"; done\necho\n' > "$out/busybox/bin/args"
	chmod 755 "$out/busybox/bin/args"
	# whoever runs the tests may read it
	chmod -R a+rX "$out/busybox"
	sh "$repo/images/mkimage.sh" "$out/busybox" --docker --env PATH=/bin:/usr/bin --cmd sh \
		--tag busybox:latest "$out/busybox.tar"
	sh "$repo/images/hello-gpu/build.sh" "$out/hello.tar"
	from_host "$out/bash" bash stty sleep cat tty
	ln -s bash "$out/bash/bin/sh"
	mkdir -p "$out/bash/tmp"
	sh "$repo/images/mkimage.sh" "$out/bash" --docker --env PATH=/bin --cmd bash \
		--tag bash:latest "$out/bash.tar"
}

if [ ! -e "$dir/.done" ]; then
	mkdir -p "$(dirname "$dir")" 2> /dev/null && [ -w "$(dirname "$dir")" ] || {
		dir=${TMPDIR:-/tmp}/gpurun-test-images-$(id -u)
	}
	exec 9> "$dir.lock"
	flock 9
	if [ ! -e "$dir/.done" ]; then
		rm -rf "$dir" "$dir.new"
		build "$dir.new" >&2
		touch "$dir.new/.done"
		mv "$dir.new" "$dir"
	fi
fi
echo "$dir"
