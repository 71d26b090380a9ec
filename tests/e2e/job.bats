#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a job finds inside without asking, by the variables of a launcher alone.
load common

test_setup() {
	# not below /dev/shm, which a job has anyway
	WORK=$(mktemp -d /tmp/gpurun-job.XXXXXX)
	unset ${!SSL_@}
	# a user without a line in passwd has the one of the environment
	mkdir "$WORK/home"
	export HOME=$WORK/home
	HOME_DIR=$(getent passwd "$(id -u)" | cut -d: -f6)
	HOME_DIR=${HOME_DIR:-$HOME}
	export SLURM_JOB_ID=4711
}

test_teardown() {
	rm -rf "$WORK"
}

# step - from here on this is a rank of a step
step() {
	export SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_LOCALID=1 SLURM_NODEID=0 SLURM_STEP_NUM_TASKS=2
	export SLURM_STEP_NUM_NODES=1 SLURM_STEP_TASKS_PER_NODE=2 SLURM_STEP_NODELIST='node[07-09]'
}

@test "a batch script: the current directory at its path, and it can be written" {
	cd "$WORK"
	silent "$BUSYBOX" sh -c 'pwd; echo x > made'
	is "$output" "$WORK"
	is "$(cat made)" x
}

@test "a step: the same" {
	step
	cd "$WORK"
	silent "$BUSYBOX" sh -c 'pwd; echo x > made'
	is "$output" "$WORK"
	is "$(cat made)" x
}

@test "home is the host's, HOME names it" {
	silent "$BUSYBOX" sh -c 'echo $HOME; stat -c %i $HOME'
	is "$output" "$HOME_DIR
$(stat -c %i "$HOME_DIR")"
	silent --no-home "$BUSYBOX" sh -c 'stat -c %i $HOME'
	[ "$output" != "$(stat -c %i "$HOME_DIR")" ]
}

@test "the image's own program starts where the image says" {
	cd "$WORK"
	try_command "$GPURUN" "$BUSYBOX" <<< pwd
	is "$output" /
	try_command "$GPURUN" -C "$BUSYBOX" <<< pwd
	is "$output" "$WORK"
}

@test "--contain: none of it" {
	cd "$WORK"
	touch "$WORK/mark"
	works --contain "$BUSYBOX" sh -c "pwd; test -e '$WORK/mark' || echo none; stat -c %i \$HOME"
	is "${output%$'\n'*}" $'/\nnone'
	[ "${output##*$'\n'}" != "$(stat -c %i "$HOME_DIR")" ]
}

@test "what the user mounts wins over the current directory" {
	mkdir "$WORK/a" "$T/b"
	touch "$T/b/here"
	cd "$WORK/a"
	works -v "$T/b:$WORK" "$BUSYBOX" ls "$WORK"
	is "$output" here
	[ ! -e "$T/b/a" ]
}

@test "a batch script has processes of its own, a step the host's; both the host's memory" {
	silent "$BUSYBOX" sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; stat -c %d /dev/shm'
	[ "${output%%$'\n'*}" != "$(readlink /proc/self/ns/pid)" ]
	is "${output#*$'\n'}" "$(readlink /proc/self/ns/ipc; stat -c %d /dev/shm)"
	step
	silent "$BUSYBOX" sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; stat -c %d /dev/shm'
	is "$output" "$(readlink /proc/self/ns/pid; readlink /proc/self/ns/ipc; stat -c %d /dev/shm)"
}

@test "the environment passes, but for what the image knows better" {
	export MINE=1 LD_LIBRARY_PATH=/x PYTHONPATH=/x CFLAGS=-O2 LC_ALL=C MODULEPATH=/x
	silent "$BUSYBOX" env
	grep -qx MINE=1 <<< "$output"
	grep -qx SLURM_JOB_ID=4711 <<< "$output"
	! grep -qE '^(LD_|PYTHON|CFLAGS|LC_|MODULE)' <<< "$output"
	unset SLURM_JOB_ID
	silent "$BUSYBOX" env
	! grep -q MINE <<< "$output"
}

@test "--torch-env: what torch.distributed reads" {
	unset OMP_NUM_THREADS
	step
	silent --torch-env -e RANK=7 "$BUSYBOX" sh -c \
		'echo $MASTER_ADDR $MASTER_PORT $WORLD_SIZE $RANK $LOCAL_RANK $LOCAL_WORLD_SIZE $OMP_NUM_THREADS'
	is "$output" 'node07 61175 2 7 1 2 1'
}

@test "the launcher's terminal has a name, and others can be made" {
	step
	cat > "$T/talk" <<- 'EOF'
		expect /dev/console
		expect made
		end 0
	EOF
	python3 "$HELPERS/terminal.py" "$T/talk" "$GPURUN" "$BUSYBOX" \
		sh -c 'tty; (: <> /dev/ptmx) && echo made'
}

@test "a step refuses what it cannot have" {
	step
	fails 125 -t "$BUSYBOX" true
	says 'not in a step'
	hints 'srun --pty'
	unset SLURM_STEP_ID
	fails 125 --share step "$BUSYBOX" true
	says '--share step: not in a step'
}
