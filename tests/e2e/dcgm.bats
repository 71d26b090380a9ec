#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# contrib/slurm/prolog.sh and epilog.sh: a dcgmi of our own notes what it is asked, and the GPUs are
# those of tests/helpers/machine.sh, whose minors count against their indexes.
load common
load gpu

test_setup_file() {
	stub_driver
}

# shellcheck disable=SC2016 # the scripts' own variables
test_setup() {
	need jq flock
	need_machine
	export MAP_DIR=$T/map STATE_DIR=$T/dcgm REPORT_DIR=$T/reports CALLS=$T/calls
	mkdir "$T/bin" "$MAP_DIR" "$REPORT_DIR"
	ln -s "$GPURUN" "$T/bin/gpurun"
	cat > "$T/bin/dcgmi" <<- 'END'
		#!/bin/sh
		echo "$*" >> "$CALLS"
		case "$*" in
		'group --create '*)
			n=$(grep -c '^group --create' "$CALLS")
			echo "Successfully created group \"$3\" with a group ID of $((n + 1))"
			;;
		*--verbose*) echo "report of $4" ;;
		esac
		exit "${DCGMI_STATUS:-0}"
	END
	chmod +x "$T/bin/dcgmi"
	PATH=$T/bin:$PATH
	unset CUDA_VISIBLE_DEVICES SLURM_JOB_GPUS GRES_MINORS
}

# prolog JOB GPUS, epilog JOB - on a machine with four GPUs; both always succeed
prolog() {
	SLURM_JOB_ID=$1 SLURM_JOB_GPUS=$2 try_command machine -g 4 -- sh "$REPO/contrib/slurm/prolog.sh"
	is "$status" 0
}

epilog() {
	SLURM_JOB_ID=$1 try_command sh "$REPO/contrib/slurm/epilog.sh"
	is "$status" 0
}

# every file of the mapping and its lines: "0:7 8 3:7"
mapping() {
	(cd "$MAP_DIR" && for f in *; do [ ! -e "$f" ] || echo "$f:$(paste -sd' ' "$f")"; done) | paste -sd' '
}

@test "a job's GPUs by their indexes, recorded and mapped until its end" {
	prolog 7 0,2
	is "$stderr" ''
	is "$(mapping)" '1:7 3:7'
	is "$(cat "$CALLS")" "group --create job-7
group --group 2 --add 1,3
stats --group 2 --enable
stats --group 2 --jstart 7"
	: > "$CALLS"
	epilog 7
	is "$stderr" ''
	is "$(cat "$CALLS")" "stats --jstop 7
stats --verbose --job 7
stats --jremove 7
group --delete 2"
	is "$(mapping)" ''
	is "$(cat "$REPORT_DIR/7.txt")" 'report of 7'
	is "$(stat -c %a "$REPORT_DIR/7.txt")" 600
	is "$(find "$MAP_DIR" "$STATE_DIR" -type f)" ''
}

@test "jobs that share a node, and a GPU, do not disturb each other" {
	prolog 7 0,1
	prolog 70 1,2
	is "$(mapping)" '1:70 2:7 70 3:7'
	epilog 7
	is "$(mapping)" '1:70 2:70'
	hasnt "$(tail -n 4 "$CALLS")" '(delete 3|70)'
	epilog 70
	is "$(mapping)" ''
	has "$(tail -n 1 "$CALLS")" 'delete 3'
}

@test "a prolog that runs twice, an epilog without one" {
	prolog 7 0
	prolog 7 0
	is "$(mapping)" '3:7'
	is "$(grep -c create "$CALLS")" 1
	epilog 8
	is "$(mapping)" '3:7'
	hasnt "$(cat "$CALLS")" 'delete'
}

@test "many jobs at once" {
	local n pids=()
	for n in {1..12}; do
		SLURM_JOB_ID=$n SLURM_JOB_GPUS=0 machine -g 1 -- sh "$REPO/contrib/slurm/prolog.sh" &
		pids+=($!)
	done
	wait "${pids[@]}"
	is "$(sort -n "$MAP_DIR/0" | paste -sd' ')" '1 2 3 4 5 6 7 8 9 10 11 12'
	pids=()
	for n in {1..11}; do
		SLURM_JOB_ID=$n sh "$REPO/contrib/slurm/epilog.sh" &
		pids+=($!)
	done
	wait "${pids[@]}"
	is "$(mapping)" '0:12'
}

@test "gres.conf in another order" {
	export GRES_MINORS='2 3 0 1'
	prolog 7 0,3
	is "$(mapping)" '1:7 2:7'
}

@test "MIG devices by their instances; DCGM keeps no statistics of them" {
	cat > "$T/bin/gpurun.json" <<- END
		{"gpus": [
		{"index": 0, "minor": 1, "uuid": "GPU-a", "mig": []},
		{"index": 1, "minor": 0, "uuid": "GPU-b", "mig": [
			{"gpu_instance": 7, "uuid": "MIG-c"}, {"gpu_instance": 9, "uuid": null},
			{"gpu_instance": 11, "uuid": "MIG-d"}]}]}
	END
	rm "$T/bin/gpurun"
	printf '#!/bin/sh\ncat "%s/bin/gpurun.json"\n' "$T" > "$T/bin/gpurun"
	chmod +x "$T/bin/gpurun"
	CUDA_VISIBLE_DEVICES=MIG-c,MIG-d prolog 7 0,1
	is "$(mapping)" '1.11:7 1.7:7'
	[ ! -e "$CALLS" ]
	epilog 7
	is "$(mapping)" ''
	CUDA_VISIBLE_DEVICES=GPU-a,MIG-d prolog 8 ''
	is "$(mapping)" '0:8 1.11:8'
	has "$(cat "$CALLS")" '--add 0$'
}

@test "what is not there is left out, and nothing fails" {
	rm "$T/bin/dcgmi"
	if command -v dcgmi; then cannot "dcgmi is installed"; fi
	prolog 7 0
	is "$(mapping)" '3:7'
	[ ! -e "$STATE_DIR" ]
	epilog 7
	rmdir "$MAP_DIR"
	prolog 7 0
	is "$output$stderr" ''
	[ ! -e "$MAP_DIR" ]
}

@test "a DCGM that does not answer, a job without GPUs, a job without a number" {
	DCGMI_STATUS=1 prolog 7 0
	has "$stderr" 'DCGM does not record job 7'
	DCGMI_STATUS=1 epilog 7
	is "$(mapping)" ''
	: > "$CALLS"
	prolog 8 ''
	prolog '' 0
	prolog '../x' 0
	prolog 9 7,x
	is "$(mapping)" ''
	is "$(cat "$CALLS")" ''
}

@test "an ordinary user does nothing with them" {
	chmod 777 "$MAP_DIR" "$T"
	SLURM_JOB_ID=7 SLURM_JOB_GPUS=0 try_command machine -u 20001 -- sh "$REPO/contrib/slurm/prolog.sh"
	is "$status" 0
	is "$(mapping)" ''
	[ ! -e "$CALLS" ]
}

@test "both are scripts of any sh" {
	local f
	for f in "$REPO"/contrib/slurm/*.sh; do
		sh -n "$f"
	done
	need shellcheck
	shellcheck "$REPO"/contrib/slurm/*.sh
}
