#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Whole plans as JSON: "gpurun --dry-run" on the hosts of tests/fixtures.  A difference is a
# change of what a container is: read it before "make golden" takes it over.  GPUs: gpus.t.
cd "$(dirname "$0")/../.." || exit 1
src=$PWD
gpurun=${GPURUN:-./gpurun}
tmp=$(mktemp -d) || exit 1
trap 'chmod -R u+rwX "$tmp"; rm -rf "$tmp"' EXIT
n=0

# golden NAME HOST OPTION...: compare with NAME.json
golden() {
	local name=$1 host=$2 want=tests/golden/$1.json made=$tmp/$1.json out
	shift 2
	n=$((n + 1))
	if ! env -i PATH="$PATH" HOME="$tmp" XDG_CONFIG_HOME="$tmp" "$gpurun" \
		--store "$tmp/store" --dry-run --sysroot "tests/fixtures/host-$host" "$@" \
		>"$tmp/out" 2>"$tmp/err"; then
		echo "not ok $n - $name: gpurun failed"
		sed 's/^/# /' "$tmp/err"
		return
	fi
	# the key of a step is a number of all paths
	sed -e "s|$src|@SRC@|g" -e "s|$tmp/store|@STORE@|g" \
		-e '/"share_key"/s/-[0-9a-f]\{16\}"/-@KEY@"/' "$tmp/out" >"$made"
	if [ -n "$GOLDEN_UPDATE" ]; then
		cp "$made" "$want"
	fi
	if out=$(diff -u "$want" "$made" 2>&1); then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "$out" | head -60 | sed 's/^/# /'
	fi
}

# key HOST OPTION...: the key by which a rank finds the others
key() {
	local host=$1
	shift
	env -i PATH="$PATH" HOME="$tmp" XDG_CONFIG_HOME="$tmp" "$gpurun" --store "$tmp/store" \
		--dry-run --sysroot "tests/fixtures/host-$host" "$@" 2>"$tmp/err" |
		sed -n 's/.*"share_key": "\(.*\)".*/\1/p'
}

# check NAME COMMAND...: a test
check() {
	local name=$1
	shift
	n=$((n + 1))
	if "$@"; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name: $*"
	fi
}

image=dir:tests/fixtures/image
golden plan-plain plain $image sh -c true
golden plan-root plain --root $image sh
golden plan-user plain -u nobody --cap-add NET_BIND_SERVICE $image sh
golden plan-read-only plain --read-only $image sh
golden plan-volumes plain -v /data/x:/x/y -v /data:/x:ro -v /data/hosts:/etc/hosts \
	--tmpfs /cache:size=1m --device /dev/fuse $image sh
golden plan-here plain -C -H $image sh
golden plan-net-none plain --net none --hostname box --add-host db:10.0.0.2 $image sh
golden plan-host plain --pid host --ipc host --ulimit memlock=-1 --ulimit nofile=100:200 $image sh
golden plan-env plain -e A=1 -e TERM -e PATH --env-host all $image sh
golden plan-gpus-none gpu4 --gpus none $image sh
golden plan-nested plain --nested $image sh
golden plan-keep plain --keep work $image sh
golden plan-no-overlay nested $image sh
golden plan-subid plain --userns subid -u www-data --cap-add NET_RAW $image sh
golden plan-started-by-root root $image sh

# in a job
golden plan-batch batch $image sh
golden plan-batch-contain batch --contain $image sh
golden plan-salloc salloc $image sh
golden plan-step step0 --gpus none --torch-env $image sh
golden plan-step-contain step0 --gpus none --contain $image sh
golden plan-step-alone step0 --gpus none --share none $image sh
golden plan-step-alone-pid step0 --gpus none --share none --pid private $image sh
golden plan-step-root step-root --gpus none $image sh
golden plan-mpirun mpirun --torch-env $image sh
bash tests/helpers/stub-driver.sh "$tmp/driver" 550.163.01 || exit 1
one=$(key step0 --driver-root "$tmp/driver" $image sh)
check "a rank has a key" test "${one#4711.0-????????????????}" = ""
check "a rank with another GPU and directory has the same" \
	test "$(key step1 --driver-root "$tmp/driver" $image true)" = "$one"
check "with another volume it has another" \
	test "$(key step1 --driver-root "$tmp/driver" -v /scratch $image true)" != "$one"
echo "1..$n"
