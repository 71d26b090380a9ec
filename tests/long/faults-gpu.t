#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The failing system calls of tests/e2e/faults.t, in a start with a GPU and all of a driver's
# libraries, programs and files (a driver of stubs, on what looks like a machine with GPUs).
set -eu
cd "$(dirname "$0")/../.."
helpers=$PWD/tests/helpers
export GPURUN=${GPURUN:-$PWD/gpurun}

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP not root, who can make the machine"
	exit 0
fi
tmp=$(mktemp -d /dev/shm/gpurun-faults.XXXXXX)
trap 'rm -rf "$tmp"' EXIT
bash "$helpers/stub-driver.sh" "$tmp/driver" 550.163.01 >&2
mkdir -p "$tmp/root/bin" "$tmp/root/tmp"
cp /bin/sh /bin/true "$tmp/root/bin/"
printf '#!/bin/sh\necho "$@"\n' > "$tmp/root/bin/echo"
chmod 755 "$tmp/root/bin/echo"
for f in $(ldd /bin/sh "$tmp/root/bin/true" | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
	mkdir -p "$tmp/root$(dirname "$f")"
	cp -L "$f" "$tmp/root$f"
done
sh images/mkimage.sh "$tmp/root" --tar "$tmp/image.tar"
export FAULT_NAME=gpu FAULT_IMAGE=$tmp/image.tar
export FAULT_OPTIONS="-q --gpus device=1 --gpu-caps all --driver-root $tmp/driver"
bash "$helpers/machine.sh" -g 3 -- bash tests/e2e/faults.t "$@"
