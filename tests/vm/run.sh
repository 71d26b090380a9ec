#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# run.sh SUITE - the smoke test on the kernel of Debian's SUITE, in a virtual machine without
# acceleration; prints TAP.  What is downloaded stays in build/vm.  Needs no root.
set -u
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
suite=${1:?usage: run.sh SUITE}
cache=$repo/build/vm
limit=${GPURUN_VM_SECONDS:-420}

skip() {
	[ -z "${GPURUN_MUST_WORK-}" ] || { echo "Bail out! $*"; exit 1; }
	echo "1..0 # SKIP $*"
	exit 0
}

[ "$(uname -m)" = x86_64 ] || skip "only on x86_64"
for c in qemu-system-x86_64 mke2fs cpio depmod busybox; do
	PATH=$PATH:/usr/sbin:/sbin command -v $c > /dev/null || skip "$c is not installed"
done
mkdir -p "$cache"
sh "$here/fetch-kernel.sh" "$suite" "$cache/$suite" > /dev/null || skip "no kernel of $suite"
version=$(cat "$cache/$suite/version")
images=$(bash "$repo/tests/helpers/test-images.sh") || exit 1
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
PATH=$PATH:/usr/sbin:/sbin
bash "$here/mkdisk.sh" "$images" "$tmp/disk" || exit 1
sh "$here/mkinitrd.sh" "$cache/$suite" "$tmp/initrd" || exit 1

# cx16: QEMU 7.2's emulation of it stops Linux 6.12, as code that changes under a second processor
# does now and then; nokaslr and edd save seconds
timeout "$limit" qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max,-cx16 -smp 1 -m 1024 \
	-nographic -no-reboot -nodefaults -serial stdio \
	-kernel "$cache/$suite/root/boot/vmlinuz-$version" -initrd "$tmp/initrd" \
	-append 'console=ttyS0 panic=-1 quiet nokaslr mitigations=off tsc=reliable edd=off' \
	-drive "file=$tmp/disk,if=virtio,format=raw" < /dev/null 2>&1 | tr -d '\r' > "$tmp/console"
sed -n 's/.*@@ //p' "$tmp/console"
if ! grep -q '^@@ 1\.\.' "$tmp/console"; then
	grep -v '@@ ' "$tmp/console" | tail -n 30 | sed 's/^/# /'
	echo "Bail out! the machine did not come to its end"
	exit 1
fi
! grep -q '^@@ not ok' "$tmp/console"
