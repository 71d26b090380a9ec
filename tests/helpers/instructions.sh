#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# instructions.sh GPURUN DIR - how many instructions GPURUN executes from main until it has a plan, for
# 8 GPUs, 60 libraries and an image of 16 layers; everything is made in DIR.  Without ld.so, which ends
# before main, and without the printing of the plan.
#
# Callgrind counts.  Valgrind knows neither openat2 nor Landlock: plain-open.c stands in for the first,
# and that nothing but the second is another is seen by a plan made without it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repo=$here/../..
gpurun=$1 dir=$2
images=$(bash "$here/test-images.sh")
export GPURUN_STORE=$dir/store
plan=(--dry-run --sysroot "$repo/tests/fixtures/host-gpu8" --driver-root "$dir/driver" --gpus all
	"$dir/layers.tar" sleep 0)

bash "$here/driver-sixty.sh" "$dir/driver"
"${CC:-cc}" -O1 -shared -fPIC -o "$dir/plain-open.so" "$here/plain-open.c"
layers=()
for ((i = 1; i < 16; i++)); do
	mkdir -p "$dir/layer$i/opt"
	echo $i > "$dir/layer$i/opt/$i"
	layers+=(--layer "$dir/layer$i")
done
sh "$repo/images/mkimage.sh" "$images/bash" "${layers[@]}" --oci --env PATH=/bin "$dir/layers.tar"
"$gpurun" -q "$dir/layers.tar" sleep 0

# from FILE FILTER WANT
is() {
	[ "$(jq "$2" "$1")" = "$3" ] || { echo "$1: $2 is not $3" >&2 && exit 1; }
}
"$gpurun" "${plan[@]}" > "$dir/plan"
is "$dir/plan" '.container.root.lowers | length' 16
is "$dir/plan" '.gpus | length' 8
is "$dir/plan" '[.container.ops[] | select(.op == "bind" and (.dst | test("[.]so")))] | length' 60
LD_PRELOAD=$dir/plain-open.so valgrind --tool=callgrind --callgrind-out-file="$dir/profile" \
	--toggle-collect=main --toggle-collect=plan_dump "$gpurun" "${plan[@]}" > "$dir/counted" 2> "$dir/said"
cmp <(jq 'del(.process.landlock_dev)' "$dir/plan") <(jq 'del(.process.landlock_dev)' "$dir/counted") >&2
awk '/Collected/ { print $NF }' "$dir/said"
