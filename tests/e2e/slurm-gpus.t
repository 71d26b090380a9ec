#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Which GPUs each task of a job has in a container, in a real Slurm without a device filter, with
# that of cgroup v1 and with that of v2.  Every row is run on the host, too: what is expected is
# what Slurm gives there.
#
#	slurm-gpus.t [NAME...]     only these clusters: none, v1, v1-by-address, v2
# shellcheck disable=SC2034,SC2154 # shared with what is sourced
set -u
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.bash"
. "$here/slurm.bash"

n=0 failed=0 only=$* worked=''
FILE_DIR=$(mktemp -d "$TESTFS/gpurun-test.XXXXXX")
chmod 755 "$FILE_DIR"
trap 'slurm_stop; rm -rf "$FILE_DIR"' EXIT
IMAGES=$(bash "$HELPERS/test-images.sh")
export T=$FILE_DIR

# verdict NAME GOT WANT
verdict() {
	n=$((n + 1))
	if [ "$2" = "$3" ]; then
		echo "ok $n - $1"
	else
		failed=1
		echo "not ok $n - $1"
		diff <(echo "$3") <(echo "$2") | sed 's/^</want:/; s/^>/got: /; s/^/# /'
	fi
}

skipped() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

# ranks WORDS... - one line a rank, "RANK: open ... cuda ..."
ranks() {
	on_slurm "$@" 2>&1 | sort
}

# row WHAT HOST INSIDE SRUN-OPTION... - HOST, INSIDE: "open ... cuda ..." of the ranks, divided by ";"
row() {
	local what=$1 host=$2 inside=$3
	shift 3
	verdict "$mode: $what: the host" "$(ranks srun "$@" sh task)" "$(lines "$host")"
	verdict "$mode: $what: in a container" "$(ranks srun "$@" gpurun -q busybox.tar sh task)" "$(lines "$inside")"
	[ -z "$plugin" ] || verdict "$mode: $what: by the plugin" \
		"$(ranks srun "$@" --gpurun-image=busybox.tar --gpurun-options=-q sh task)" "$(lines "$inside")"
}

# lines "A;B" - "0: A" and "1: B"
lines() {
	local i=0 l out=
	local IFS=';'
	for l in $1; do
		out+="$((i++)): $l"$'\n'
	done
	printf %s "${out%$'\n'}"
}

# same WHAT RANKS SRUN-OPTION... - inside as on the host
same() {
	row "$1" "$2" "$2" "${@:3}"
}

NONE='open - cuda -'

# What is filtered: a rank can open what it was given, and nothing else.
table_filter() {
	same "no GPUs asked for" "$NONE;$NONE" -n2
	same "--gres=gpu:2" 'open 01 cuda 10;open 01 cuda 10' -n2 --gres=gpu:2
	same "all four, eight ranks" "$(printf 'open 0123 cuda 3210;%.0s' {1..8})" -n8 --gres=gpu:4
	same "--gpus-per-task=1" 'open 0 cuda 0;open 1 cuda 1' -n2 --gpus-per-task=1
	same "--gpus-per-task=2" 'open 01 cuda 10;open 23 cuda 32' -n2 --gpus-per-task=2
	same "--gpu-bind=single:1" 'open 0 cuda 0;open 1 cuda 1' -n2 --gres=gpu:2 --gpu-bind=single:1
	same "one rank, one GPU" 'open 0 cuda 0' -n1 --gres=gpu:1
	taken 'open 23 cuda 32;open 23 cuda 32' 'open 2 cuda 2;open 3 cuda 3'
	script 'batch: open 01 cuda 10' "0: open 0 cuda 0"$'\n'"1: open 1 cuda 1" "0: $NONE"
}

# Nothing is filtered: Slurm only says which, and a container holds no more than it must.
table_none() {
	row "no GPUs asked for" 'open 0123 cuda 3210;open 0123 cuda 3210' "$NONE;$NONE" -n2
	row "--gres=gpu:2" 'open 0123 cuda 32;open 0123 cuda 32' 'open 23 cuda 32;open 23 cuda 32' -n2 --gres=gpu:2
	same "all four, eight ranks" "$(printf 'open 0123 cuda 3210;%.0s' {1..8})" -n8 --gres=gpu:4
	same "--gpus-per-task=1" 'open 0123 cuda 3;open 0123 cuda 2' -n2 --gpus-per-task=1
	same "--gpus-per-task=2" 'open 0123 cuda 32;open 0123 cuda 10' -n2 --gpus-per-task=2
	row "one rank, one GPU" 'open 0123 cuda 3' 'open 3 cuda 3' -n1 --gres=gpu:1
	script 'batch: open 23 cuda 32' "0: open 0123 cuda 3"$'\n'"1: open 0123 cuda 2" "0: $NONE"
}

# gres.conf counts as CUDA does, by PCI address.
table_reversed() {
	same "gres by address, --gres=gpu:1" 'open 3 cuda 3' -n1 --gres=gpu:1
	same "gres by address, --gres=gpu:3" 'open 123 cuda 321' -n1 --gres=gpu:3
	same "gres by address, --gpus-per-task=1" 'open 3 cuda 3;open 2 cuda 2' -n2 --gpus-per-task=1
}

# taken TWO SINGLE - while another job has two of them
taken() {
	local holder
	on_slurm srun -Q --gres=gpu:2 rank wait free &
	holder=$!
	wait_for 10 eval '[ "$(on_slurm squeue -h -t R -o %i | wc -l)" = 1 ]'
	same "two are taken" "$1" -n2 --gres=gpu:2
	same "two are taken, --gpus-per-task=1" "$2" -n2 --gpus-per-task=1
	touch "$SLURM_HOME/free"
	wait $holder
}

# script IN-BATCH TASKS NOTHING - a batch script, a step of two tasks in it, a step without GPUs
script() {
	batch --gres=gpu:2 -n2 <<- 'END'
		#!/bin/sh
		gpurun -q busybox.tar sh task
		srun --overlap -n2 --gpus-per-task=1 gpurun -q busybox.tar sh task | sort
		srun --overlap -n1 --gres=gpu:0 gpurun -q busybox.tar sh task
	END
	verdict "$mode: a batch script and its steps" "$output" "$1"$'\n'"$2"$'\n'"$3"
}

cluster() {
	local table=$3
	[[ -z $only || " $only " == *" $2 "* ]] || return 0
	SLURM=$FILE_DIR/$2 SLURM_HOME=$FILE_DIR/$2/home mode=$1
	slurm_start "$2" "$1" "${@:4}"
	if [ -e "$SLURM/ready" ]; then
		"table_$table"
		worked+=" $1"
	else
		skipped "$2" "$(cat "$SLURM/why")"
	fi
	slurm_stop
}

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP Slurm's daemons are started by root"
	exit 0
fi
export SLURM_TEST_DRIVER=$FILE_DIR/driver
bash "$HELPERS/stub-driver.sh" "$SLURM_TEST_DRIVER" 550.163.01
mkdir "$FILE_DIR/reversed.d"
printf 'AutoDetect=off\n%s\n' "$(printf 'NodeName=@NODE@ Name=gpu File=/dev/nvidia%s\n' 3 2 1 0)" \
	> "$FILE_DIR/reversed.d/gres.conf"
plugin=''
cluster none none none
if why=$(spank_plugstack); then
	plugin=$FILE_DIR/plugin/plugstack.conf made_plugin=plugin
else
	skipped "the plugin" "$why"
fi
cluster v1 v1 filter $plugin
plugin=''
cluster v1 v1-by-address reversed "$FILE_DIR/reversed.d/gres.conf"
cluster v2 v2 filter
# A machine has one version of cgroups, or both; nothing else is a reason where all must work.
[[ -z ${GPURUN_MUST_WORK-} || -n $only ]] || verdict "GPURUN_MUST_WORK: with and without a filter, and the plugin" \
	"$(grep -oE 'none|v[12]' <<< "$worked" | sed 's/v./filter/' | sort -u | xargs) ${made_plugin-}" "filter none plugin"
echo "1..$n"
exit $failed
