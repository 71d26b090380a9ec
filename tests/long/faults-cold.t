#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The failing system calls of tests/e2e/faults.t in a start with an empty store, with ENOSPC, EDQUOT,
# EMFILE, ENOMEM and EIO: an image in two layers, and the same in one piece.
set -eu
cd "$(dirname "$0")/../.."
export GPURUN=${GPURUN:-$PWD/gpurun} FAULT_COLD=1 FAULT_ERRORS=${FAULT_ERRORS:-28 122 24 12 5}
images=$(bash tests/helpers/test-images.sh)
tmp=$(mktemp -d /dev/shm/gpurun-faults.XXXXXX)
trap 'rm -rf "$tmp"' EXIT
mkdir -p "$tmp/root/bin" "$tmp/root/d" "$tmp/layer"
cp "$images/busybox/bin/busybox" "$tmp/root/bin/"
ln -s busybox "$tmp/root/bin/echo"
ln "$tmp/root/bin/busybox" "$tmp/root/bin/hard"
echo x > "$tmp/root/d/f"
echo y > "$tmp/layer/g"
: > "$tmp/layer/.wh.d"
sh images/mkimage.sh "$tmp/root" --layer "$tmp/layer" --docker --compress gzip "$tmp/image.tar"
sh images/mkimage.sh "$tmp/root" --tar "$tmp/flat.tar"
echo 1..2
status=0 n=0
for image in image flat; do
	n=$((n + 1)) ok=ok
	FAULT_NAME=$image FAULT_OPTIONS=-q FAULT_IMAGE=$tmp/$image.tar \
		bash tests/e2e/faults.t "${1:-[0-3]:*}" > "$tmp/out" 2>&1 || ok="not ok" status=1
	sed 's/^/# /' "$tmp/out"
	echo "$ok $n - $image.tar"
done
exit $status
