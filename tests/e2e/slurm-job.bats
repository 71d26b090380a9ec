#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images, what is kept, requeueing and verbs over the steps of a job in a real Slurm.
load common
load slurm

test_setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	SLURM_TEST_GPUS=none
	slurm_start plain none
}

teardown_file() {
	slurm_stop
	rm -rf "$FILE_DIR"
}

test_setup() {
	need_slurm plain
}

test_teardown() {
	[ -n "${BATS_TEST_SKIPPED-}" ] || wait_for 5 no_user_process
}

# slow NAME - an image that takes a second to be unpacked: bzip2 takes its time
slow() {
	small "$T/slow"
	head -c 12M /dev/urandom > "$T/slow/data"
	tar -C "$T/slow" -c . | bzip2 -1 > "$SLURM_HOME/$1"
}

# ---- images ----------------------------------------------------------------------------------

@test "a cold image is unpacked once by eight ranks, and one of them says so" {
	on_slurm cp busybox.tar cold.tar
	try_command on_slurm srun -n8 gpurun --store cold cold.tar true
	is "$status" 0
	is "$(grep -c '^gpurun: unpacking' <<< "$stderr")" 1
	[ "$(grep -vc '^gpurun: unpacking' <<< "$stderr")" -le 3 ]
	is "$(on_slurm sh -c 'ls -d cold/v1/images/* | wc -l')" 1
	is "$(on_slurm sh -c 'ls cold/v1/tmp | wc -l')" 0
	ok srun -n8 gpurun --store cold cold.tar true
}

@test "SIGTERM while an image is unpacked: it ends at once, and nothing is left" {
	local id store=$SLURM_HOME/cancelled/v1
	need bzip2
	slow slow.tar.bz2
	on_slurm srun -Q -n4 gpurun -q --store cancelled slow.tar.bz2 true 2> "$T/err" &
	wait_for 10 eval '[ -n "$(ls "$store/tmp")" ]'
	id=$(job_id)
	on_slurm scancel -s TERM "$id"
	wait $! || true
	[ "$(job_field "$id" ExitCode)" != 0:0 ]
	is "$(grep -c '^gpurun: ' "$T/err")" 1
	has "$(cat "$T/err")" 'interrupted while it was unpacked'
	is "$(ls "$store/images")" ''
	# what the worker left is the next one's to remove
	ok srun -n4 gpurun -q --store cancelled slow.tar.bz2 true
	is "$(ls "$store/tmp")" ''
}

# ---- over the steps of a job -----------------------------------------------------------------

@test "--keep: what one step writes is there in the next" {
	batch -n2 <<- 'END'
		#!/bin/sh
		srun gpurun --keep work busybox.tar sh -c 'echo $SLURM_PROCID > /kept.$SLURM_PROCID'
		srun -n1 gpurun --keep work busybox.tar sh -c 'cat /kept.*'
		srun -n1 gpurun busybox.tar sh -c 'ls /kept.* 2> /dev/null || echo nothing'
	END
	is "$status" 0:0
	is "$output" $'0\n1\nnothing'
}

@test "exec JOB.STEP from another step: the same container, and a debugger works there" {
	batch -n2 <<- 'END'
		#!/bin/sh
		srun -n2 --overlap gpurun busybox.tar sh -c 'echo mark > /mark; echo $$ > pid.$SLURM_PROCID; exec bin/rank wait over' &
		rank wait pid.0
		rank wait pid.1
		srun -n1 --overlap gpurun exec $SLURM_JOB_ID.0 sh -c 'cat /mark; bin/rank attach $(cat pid.0) && bin/rank attach $(cat pid.1)'
		gpurun exec $SLURM_JOB_ID.0 cat /mark
		touch over
		wait
	END
	is "$status" 0:0
	is "$output" $'mark\nattached\nattached\nmark'
}

@test "a requeued job starts again as if nothing had been" {
	local id
	on_slurm sh -c 'cat > script' <<- 'END'
		#!/bin/sh
		#SBATCH -n2 -o requeue.out --open-mode=append --requeue
		srun gpurun --keep requeued busybox.tar sh -c 'echo run ${SLURM_RESTART_COUNT-0} > run.$SLURM_PROCID
			[ -n "$SLURM_RESTART_COUNT" ] || exec bin/rank wait never'
		echo over $SLURM_RESTART_COUNT
	END
	on_slurm sbatch -Q script
	wait_for 10 test -s "$SLURM_HOME/run.0" -a -s "$SLURM_HOME/run.1"
	id=$(job_id)
	on_slurm scontrol requeue "$id"
	# Slurm lets a requeued job wait for two minutes
	wait_for 10 eval '[ "$(job_field $id JobState)" = PENDING ]'
	wait_for 10 no_user_process
	# in the second of its end slurmd takes the new start for the old one ("already killed")
	sleep 1.5
	on_slurm scontrol update jobid="$id" starttime=now
	wait_for 20 job_over "$id"
	is "$(job_field "$id" JobState)" COMPLETED || { cat "$SLURM_HOME/requeue.out"; return 1; }
	is "$(cat "$SLURM_HOME"/run.*)" $'run 1\nrun 1'
	has "$(cat "$SLURM_HOME/requeue.out")" '^over 1$'
}
