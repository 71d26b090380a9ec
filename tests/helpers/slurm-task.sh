#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# slurm-task.sh - which GPUs a task has, one line: its number, the minors of the nodes that it can
# open, and those that a CUDA program would use, in its order.  GPU I by PCI address has the minor
# 3-I (machine.sh), CUDA counts what it can open by address.  Runs on the host and in a container.
opens() {
	[ -c "/dev/nvidia$1" ] || return 1
	case $({ : < "/dev/nvidia$1"; } 2>&1) in
	*'No such device'*) ;; # the filter let us through, and there is no driver
	*) return 1 ;;
	esac
}

open='' by_address='' cuda=''
for m in 0 1 2 3; do
	! opens $m || {
		open=$open$m
		by_address="$m $by_address"
	}
done
if [ -z "${CUDA_VISIBLE_DEVICES+set}" ]; then
	cuda=$(echo $by_address | tr -d ' ')
else
	for i in $(echo "$CUDA_VISIBLE_DEVICES" | tr , ' '); do
		# shellcheck disable=SC2086 # one word a GPU
		set -- $by_address
		[ "$i" -lt $# ] || break # CUDA stops at the first that it does not know
		shift "$i"
		cuda=$cuda$1
	done
fi
[ -n "${SLURM_STEP_ID-}" ] || SLURM_PROCID='batch'
echo "$SLURM_PROCID: open ${open:--} cuda ${cuda:--}"
