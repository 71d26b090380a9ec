#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What GPUs put into plans, and what is said: "gpurun --dry-run" on the hosts of tests/fixtures with
# a driver made of stubs.  A difference is a change of what a container gets: read it before "make
# golden" takes it over.
cd "$(dirname "$0")/../.." || exit 1
if [ "$(uname -m)" != x86_64 ]; then
	echo "1..0 # SKIP the plans are those of x86_64, stubs are compiled for this machine"
	exit 0
fi
src=$PWD
gpurun=${GPURUN:-./gpurun}
tmp=$(mktemp -d) || exit 1
trap 'chmod -R u+rwX "$tmp"; rm -rf "$tmp"' EXIT
n=0

# image NAME GLIBC - a root file system directory whose C library is of that version
image() {
	local root=$tmp/$1 libs=usr/lib/x86_64-linux-gnu
	cp -R tests/fixtures/image "$root"
	mkdir -p "$root/lib64" "$root/$libs"
	printf '%s\n' "GLIBC_2.2.5 { global: *; };" "GLIBC_$2 { } GLIBC_2.2.5;" >"$tmp/versions"
	echo 'int stub;' | ${CC:-cc} -shared -fPIC -nostdlib -Wl,-soname,libc.so.6 \
		-Wl,--version-script="$tmp/versions" -x c - -o "$root/$libs/libc.so.6"
	cp "$root/$libs/libc.so.6" "$root/lib64/ld-linux-x86-64.so.2"
}

# golden NAME HOST OPTION...: compare with gpus-NAME.json
golden() {
	local name=gpus-$1 host=$2 status=0 want=tests/golden/gpus-$1.json made=$tmp/made out
	shift 2
	n=$((n + 1))
	env -i PATH="$PATH" HOME="$tmp" XDG_CONFIG_HOME="$tmp" "$gpurun" --store "$tmp/store" \
		--dry-run --sysroot "tests/fixtures/host-$host" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	python3 tests/golden/gpu-part.py $status "$tmp/out" "$tmp/err" |
		sed -e "s|$tmp/driver|@DRIVER@|g" -e "s|$src|@SRC@|g" >"$made"
	if [ -n "$GOLDEN_UPDATE" ]; then
		cp "$made" "$want"
	fi
	if out=$(diff -u "$want" "$made" 2>&1); then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "$out" | cut -c1-300 | head -60 | sed 's/^/# /'
	fi
}

bash tests/helpers/stub-driver.sh "$tmp/driver" 550.163.01 || exit 1
bash tests/helpers/stub-driver.sh "$tmp/driver-555" 555.42.02 rhel || exit 1
driver=(--driver-root "$tmp/driver")
# one whose NVML answers
cp -a "$tmp/driver" "$tmp/driver-nvml"
nvml=$tmp/driver-nvml/usr/lib/x86_64-linux-gnu/nvidia/current/libnvidia-ml.so.550.163.01
${CC:-cc} -w -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o "$nvml" tests/helpers/fake-nvml.c || exit 1
printf '%s\n' 'gpus 2' 'mig 0' >"$nvml.conf"
nvml=(--driver-root "$tmp/driver-nvml")
image plain 2.36
image old 2.31
image compat 2.36
mkdir -p "$tmp/compat/usr/local/cuda/compat"
cp "$tmp"/driver/usr/lib/x86_64-linux-gnu/nvidia/current/libcuda.so.5* \
	"$tmp/compat/usr/local/cuda/compat/libcuda.so.560.28.03"
plain=dir:$tmp/plain

golden none nodriver $plain sh
golden none-asked nodriver --gpus all $plain sh
golden one gpu4 "${driver[@]}" --gpus GPU-bbbb $plain sh
golden two gpu4 "${driver[@]}" --gpus 2,0 $plain sh
golden auto gpu4 "${driver[@]}" $plain sh
golden eight gpu8 "${driver[@]}" --gpus all $plain sh
golden denied denied "${driver[@]}" $plain sh
golden denied-asked denied "${driver[@]}" --gpus 0000:3b:00.0 $plain sh
golden mig mig "${driver[@]}" --gpus device=0 $plain sh
golden mig-one mig "${nvml[@]}" --gpus 0:1 $plain sh
golden mig-no-nvml mig "${driver[@]}" --gpus 0:1 $plain sh
golden half-updated halfupdated --driver-root "$tmp/driver-555" $plain sh
golden half-updated-asked halfupdated --driver-root "$tmp/driver-555" --gpus all $plain sh
golden no-libraries gpu4 --gpus all $plain sh
golden no-uvm nouvm "${driver[@]}" $plain sh
golden no-uvm-asked nouvm "${driver[@]}" --gpus all $plain sh
golden graphics gpu4 "${driver[@]}" --gpus GPU-bbbb --gpu-caps graphics "dir:$tmp/old" sh
golden compat gpu4 "${driver[@]}" --gpus GPU-bbbb "dir:$tmp/compat" sh
golden compat-never gpu4 "${driver[@]}" --gpus GPU-bbbb --cuda-compat never "dir:$tmp/compat" sh
golden require gpu4 "${driver[@]}" --gpus GPU-bbbb -e 'NVIDIA_REQUIRE_CUDA=cuda>=12.6' $plain sh
# the image works with older drivers on GPUs of some brands
require='NVIDIA_REQUIRE_CUDA=cuda>=12.6 brand=tesla,driver>=550,driver<551'
golden require-brand mig "${nvml[@]}" --gpus device=1 -e "$require" $plain sh
golden require-brand-other mig "${nvml[@]}" --gpus device=1 -e "${require/tesla/geforce}" $plain sh
golden require-brand-unknown mig "${driver[@]}" --gpus device=1 -e "${require/tesla/geforce}" $plain sh
golden static gpu4 "${driver[@]}" --gpus GPU-bbbb dir:tests/fixtures/image sh
echo "1..$n"
