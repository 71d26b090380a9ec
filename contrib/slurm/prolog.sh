#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# prolog.sh - a sample Prolog for slurmd, run as root on each node before a job's first task there:
#
#   - DCGM records the job's GPUs under its number (dcgmi stats); epilog.sh ends that and
#     keeps the report.
#   - dcgm-exporter --hpc-job-mapping-dir DIR is told which jobs are on which GPU: the file of a
#     GPU, "0", or of a MIG device, "0.7" (its GPU instance), holds the numbers of its jobs.
#
# Jobs that share a node do not disturb each other: each has a group of its own in DCGM and a line
# of its own in the files.  What is not installed is left out; nothing makes the prolog fail, which
# would drain the node.  In slurm.conf: Prolog=/etc/slurm/prolog.sh, Epilog=/etc/slurm/epilog.sh.
#
# Needs jq, and gpurun, which tells minors, instances and UUIDs apart.  For a site to change:
: "${MAP_DIR:=${DCGM_HPC_JOB_MAPPING_DIR:-/run/dcgm-jobs}}" # of dcgm-exporter; not there: not used
: "${STATE_DIR:=/run/gpurun-dcgm}"                          # which group is whose
: "${GRES_MINORS:=}" # minors of the gpus in the order of gres.conf; empty: 0 1 2 ...
set -u
umask 022
# slurmd gives none
export PATH="${PATH:-/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin}"

say() {
	echo "gpurun prolog: $*" >&2
}

# What DCGM or NVML does not answer must not keep a job waiting.
patiently() {
	timeout 20 "$@"
}

# The device minor of each number of a list "0,2", which counts the GPUs of gres.conf.
minors_of() {
	for n in $(echo "$1" | tr ',' ' '); do
		case $n in *[!0-9]*) continue ;; esac
		minor=$n
		if [ -n "$GRES_MINORS" ]; then
			# shellcheck disable=SC2086 # words
			minor=$(printf '%s\n' $GRES_MINORS | sed -n "$((n + 1))p")
		fi
		echo "$minor"
	done
}

# The job's devices, one a line: "INDEX" or "INDEX.INSTANCE", as DCGM counts them.
#	CUDA_VISIBLE_DEVICES holds UUIDs where MIG devices are given
#	SLURM_JOB_GPUS       holds places in gres.conf, which are neither indexes nor minors
devices_of_job() {
	case ${CUDA_VISIBLE_DEVICES-} in
	*GPU-* | *MIG-*) uuids=$CUDA_VISIBLE_DEVICES minors='' ;;
	*) uuids='' minors=$(minors_of "${SLURM_JOB_GPUS-}" | paste -sd,) ;;
	esac
	[ -n "$uuids$minors" ] || return 0
	# not in the job's environment: all GPUs of the node are meant
	patiently env -i PATH="$PATH" gpurun gpus -q --json | jq -r --arg uuids "$uuids" --arg minors "$minors" '
		($uuids | split(",")) as $uuids | ($minors | split(",")) as $minors
		| .gpus[] | . as $gpu
		| if (.uuid != null and (.uuid | IN($uuids[]))) or
		     ((.minor | tostring) | IN($minors[]))
		  then "\(.index)"
		  else .mig[] | select(.uuid != null and (.uuid | IN($uuids[])))
		       | "\($gpu.index).\(.gpu_instance)"
		  end'
}

# map DEVICE... - one line more in the file of each
map() {
	exec 9< "$MAP_DIR"
	flock 9
	for d; do
		! grep -qxF "$job" "$MAP_DIR/$d" 2> /dev/null || continue
		new=$MAP_DIR/.$d.new
		{
			[ ! -e "$MAP_DIR/$d" ] || cat "$MAP_DIR/$d"
			echo "$job"
		} > "$new" && mv "$new" "$MAP_DIR/$d"
	done
	exec 9<&-
}

# record DEVICE... - DCGM knows no statistics of MIG devices
record() {
	whole=$(printf '%s\n' "$@" | grep -v '\.' | paste -sd,)
	[ -n "$whole" ] || return 0
	mkdir -p "$STATE_DIR"
	[ ! -e "$STATE_DIR/$job" ] || return 0
	group=$(patiently dcgmi group --create "job-$job" |
		sed -n 's/.*group ID of \([0-9][0-9]*\).*/\1/p')
	[ -n "$group" ] || { say "DCGM makes no group for job $job"; return 0; }
	echo "$group" > "$STATE_DIR/$job"
	if ! patiently dcgmi group --group "$group" --add "$whole" ||
		! patiently dcgmi stats --group "$group" --enable ||
		! patiently dcgmi stats --group "$group" --jstart "$job"; then
		say "DCGM does not record job $job"
	fi
}

job=${SLURM_JOB_ID-}
case $job in '' | *[!0-9]*) exit 0 ;; esac
[ "$(id -u)" = 0 ] || { say "for root"; exit 0; }
dcgm='' mapping=''
! command -v dcgmi > /dev/null || dcgm=1
[ ! -d "$MAP_DIR" ] || mapping=1
[ -n "$dcgm$mapping" ] || exit 0
[ -n "${SLURM_JOB_GPUS-}${CUDA_VISIBLE_DEVICES-}" ] || exit 0
# shellcheck disable=SC2046 # words
set -- $(devices_of_job)
[ $# -gt 0 ] || { say "the GPUs of job $job are not known"; exit 0; }
[ -z "$mapping" ] || map "$@"
[ -z "$dcgm" ] || record "$@" > /dev/null
exit 0
