#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Steps of a real Slurm: one container a step, Slurm's own exit codes and signals, nothing left.
load common
load slurm

test_setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	SLURM_TEST_GPUS=none # a step without any says so
	slurm_start plain none
	slurm_start_cgroup confined
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

# step SRUN-OPTION... -- GPURUN-WORD... - a step of its own job: ok() of it
step() {
	words "$@"
	ok srun "${OPTIONS[@]}" gpurun "${WORDS[@]}"
}

words() {
	OPTIONS=()
	while [ "$1" != -- ]; do
		OPTIONS+=("$1")
		shift
	done
	WORDS=("${@:2}")
}

# ---- one container ---------------------------------------------------------------------------

# The container ends with its last rank, and the number of a namespace is given again then: the ranks
# wait for each other.
MEET='echo > $1.$SLURM_PROCID; i=0
	while [ $i -lt $SLURM_NTASKS ]; do /home/slurm-user/bin/rank wait $1.$i; i=$((i + 1)); done
	readlink /proc/self/ns/mnt'

@test "eight ranks are in one user and one mount namespace, and the rest is the job's" {
	step -n8 -- busybox.tar sh -c "$MEET; readlink /proc/self/ns/user" sh eight
	is "$(sort -u <<< "$output" | wc -l)" 2
	hasnt "$output" "$(readlink /proc/self/ns/user | tr '[]' ..)"
	step -n1 -- busybox.tar sh -c 'for n in pid ipc net uts cgroup; do readlink /proc/self/ns/$n; done'
	is "$output" "$(readlink /proc/self/ns/{pid,ipc,net,uts,cgroup})"
}

@test "Slurm's task is the command itself" {
	step -n4 -- busybox.tar sh -c '[ $$ = $SLURM_TASK_PID ] && echo same'
	is "$(sort -u <<< "$output")" same
}

@test "ranks read each other's memory and are comparable" {
	on_slurm mkdir peers
	step -n4 -- busybox.tar bin/rank peers peers 4
	is "$(sort -u <<< "$output")" "all read"
}

@test "64 ranks at once" {
	on_slurm mkdir many
	step -n64 -- busybox.tar sh -c 'readlink /proc/self/ns/mnt; exec bin/rank peers many 64'
	is "$(grep -c '^mnt' <<< "$output")" 64
	is "$(sort -u <<< "$output" | wc -l)" 2
	is "$(grep -c 'all read' <<< "$output")" 64
}

@test "two jobs of a user, and two steps of a job, do not meet" {
	on_slurm sh -c 'cat > script' <<- 'END'
		#!/bin/sh
		#SBATCH -n2 -o script.out
		for i in 1 2; do
			srun -n1 --overlap gpurun busybox.tar sh -c 'readlink /proc/self/ns/mnt; exec bin/rank wait go' &
		done
		wait
	END
	on_slurm sbatch -Q script
	on_slurm srun gpurun busybox.tar sh -c 'readlink /proc/self/ns/mnt; exec bin/rank wait go' > "$T/one" &
	wait_for 10 eval '[ "$(cat "$T/one" "$SLURM_HOME/script.out" | wc -l)" = 3 ]'
	on_slurm touch go
	wait $!
	is "$(sort -u "$T/one" "$SLURM_HOME/script.out" | wc -l)" 3
}

@test "--share none: a container for each rank" {
	step -n4 -- --share none busybox.tar sh -c "$MEET" sh none
	is "$(sort -u <<< "$output" | wc -l)" 4
}

@test "root's ranks have a container each, and are told why --share step is refused" {
	local as_root=(bash "$HELPERS/slurm.sh" root "$SLURM" env GPURUN_STORE="$T/store" XDG_RUNTIME_DIR="$T/run")
	try_command "${as_root[@]}" srun -n2 gpurun -q -v /home "$SLURM_HOME/busybox.tar" sh -c "$MEET" sh /home/slurm-user/root
	is "$status" 0
	is "$(sort -u <<< "$output" | wc -l)" 2
	try_command "${as_root[@]}" srun -Q -n1 gpurun --share step "$SLURM_HOME/busybox.tar" true
	is "$status" 125
	says root
}

@test "descriptors keep their numbers: PMI_FD" {
	step -n2 --mpi=pmi2 -- busybox.tar sh -c 'readlink /proc/self/fd/$PMI_FD | sed "s/[0-9]//g"'
	is "$output" $'socket:[]\nsocket:[]'
}

@test "working directory, home and TMPDIR are the job's" {
	step -n1 -- busybox.tar sh -c 'pwd; echo $HOME; f=$(mktemp) && echo $f'
	is "$(head -2 <<< "$output")" $'/home/slurm-user\n/home/slurm-user'
	rm "$(tail -1 <<< "$output")"
}

# ---- exit codes and signals ------------------------------------------------------------------

# ends SRUN-STATUS EXITCODE SCRIPT - as on the host
ends() {
	job srun gpurun busybox.tar sh -c "$3"
	is "$status $(job_field "$(job_id)" ExitCode)" "$1 $2"
	hasnt "$stderr" '^gpurun: '
}

@test "exit codes are Slurm's own" {
	for c in plain confined; do
		need_slurm $c
		ends 7 7:0 'exit 7'
		ends 143 143:0 'exit 143'
		ends 143 0:15 'kill -TERM $$'
		ends 137 0:9 'kill -KILL $$'
		ends 139 0:11 'kill -SEGV $$'
	done
}

@test "what cannot be started: 125, 126, 127, said once" {
	local c
	for c in '127 busybox.tar /no/such/command' '126 busybox.tar /etc' '125 no-such-image.tar true'; do
		job srun gpurun ${c#* }
		is "$status" "${c%% *}"
		stderr=$(grep -v ^srun: <<< "$stderr")
		one_message
	done
}

@test "scancel -s reaches the command, once" {
	for c in plain confined; do
		need_slurm $c
		on_slurm srun -n2 gpurun busybox.tar sh -c 'exec bin/rank signals ready.$SLURM_PROCID' > "$T/$c" &
		wait_for 10 test -e "$SLURM_HOME/ready.0" -a -e "$SLURM_HOME/ready.1"
		id=$(job_id)
		on_slurm scancel -s HUP "$id"
		on_slurm scancel -s USR1 "$id.0"
		wait_for 5 eval '[ "$(grep -c USR1 "$T/$c")" = 2 ]'
		on_slurm scancel -s USR2 "$id"
		wait $!
		is "$(sort "$T/$c")" $'SIGHUP\nSIGHUP\nSIGUSR1\nSIGUSR1\nSIGUSR2\nSIGUSR2'
		rm "$SLURM_HOME"/ready.*
	done
}

# ---- nothing stays ---------------------------------------------------------------------------

@test "no process is left when a step ends or is ended" {
	for c in plain confined; do
		need_slurm $c
		step -n4 -- busybox.tar true
		wait_for 5 no_user_process
		on_slurm srun -Q -n4 gpurun busybox.tar bin/rank wait never 2> /dev/null &
		wait_for 10 eval '[ "$(pgrep -c -U "$(cat "$SLURM/uid")" -x rank)" = 4 ]'
		on_slurm scancel "$(job_id)"
		wait $! || true
		wait_for 5 no_user_process
	done
}

@test "an orphan ends with its step: cgroups see to it, or a process namespace does" {
	need_slurm confined
	step -n1 -- busybox.tar bin/rank orphan orphan
	wait_for 5 no_user_process
	[ -s "$SLURM_HOME/orphan" ]
	need_slurm plain
	step -n1 -- --share none --pid private busybox.tar bin/rank orphan orphan
	wait_for 5 no_user_process
	[ -s "$SLURM_HOME/orphan" ]
}

@test "any rank may be killed, the container's maker too: the others work, later ones come in" {
	local dir=$SLURM_HOME/killed
	on_slurm mkdir killed
	cat > "$SLURM_HOME/rank.sh" <<- 'END'
		case $SLURM_PROCID in
		0) ;;				# makes the container
		3) rank wait killed/late ;;	# comes in when the maker is dead
		*) rank wait killed/pid.0 ;;
		esac
		exec gpurun busybox.tar sh -c '
			readlink /proc/self/ns/mnt
			echo $$ > killed/pid.$SLURM_PROCID
			bin/rank wait killed/go || exit
			exec env SLURM_PROCID=$((SLURM_PROCID - 1)) bin/rank peers killed 3'
	END
	on_slurm srun -Q -n5 -K0 sh rank.sh > "$T/out" 2> "$T/err" &
	wait_for 10 test -s "$dir/pid.0" -a -s "$dir/pid.1" -a -s "$dir/pid.2" -a -s "$dir/pid.4"
	kill -9 "$(cat "$dir/pid.0")"
	on_slurm touch killed/late
	wait_for 10 test -s "$dir/pid.3"
	kill -9 "$(cat "$dir/pid.4")"
	on_slurm touch killed/go
	wait $! || true
	is "$(grep '^mnt:' "$T/out" | wc -l)" 5
	is "$(grep '^mnt:' "$T/out" | sort -u | wc -l)" 1
	is "$(grep -c 'all read' "$T/out")" 3
}
