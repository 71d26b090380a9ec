#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# srun --gpurun-image: Slurm's plugin.  (What GPUs its tasks have: slurm-gpus.t.)
load common
load slurm

test_setup_file() {
	export NO_PLUGIN=
	[ "$(id -u)" = 0 ] || return 0
	NO_PLUGIN=$(spank_plugstack) || return 0
	SLURM_TEST_GPUS=none
	slurm_start plain none "$FILE_DIR/plugin/plugstack.conf"
}

teardown_file() {
	slurm_stop
	rm -rf "$FILE_DIR"
}

test_setup() {
	need_root
	[ -z "$NO_PLUGIN" ] || cannot "$NO_PLUGIN"
	need_slurm plain
}

test_teardown() {
	[ -n "${BATS_TEST_SKIPPED-}" ] || wait_for 5 no_user_process
}

@test "a step that does not ask for it is left alone" {
	ok srun sh -c 'echo $0 $1; readlink /proc/self/exe; env | grep SPANK || true' a b
	is "$output" $'a b\n/usr/bin/readlink'
}

@test "tasks run in one container, with their arguments as they were" {
	ok srun -n4 --gpurun-image=busybox.tar sh -c 'readlink /proc/self/ns/mnt; exec bin/rank peers . 4'
	is "$(sort -u <<< "$output" | wc -l)" 2
	is "$(grep -c 'all read' <<< "$output")" 4
	ok srun --gpurun-image=busybox.tar args 'a b' '' --gpus '*'
	is "$output" '[a b][][--gpus][*]'
	ok srun --gpurun-image=busybox.tar sh -c 'env | grep SPANK || echo none'
	is "$output" none
}

@test "--gpurun-options are gpurun's, divided by blanks" {
	ok srun --gpurun-image=busybox.tar --gpurun-options='-e A=1  -e B=2 --read-only' sh -c 'echo $A $B; touch /x 2> /dev/null || echo read-only'
	is "$output" $'1 2\nread-only'
	job srun --gpurun-image=busybox.tar --gpurun-options=--no-such-option true
	is "$status" 125
	says no-such-option
}

@test "--gpurun-gpus is gpurun's --gpus" {
	job srun --gpurun-image=busybox.tar --gpurun-gpus=7 true
	is "$status" 125
	says 7
}

@test "exit codes and signals are the command's" {
	job srun -Q --gpurun-image=busybox.tar sh -c 'exit 5'
	is "$status" 5
	job srun -Q --gpurun-image=busybox.tar sh -c 'kill -TERM $$'
	is "$status $(job_field "$(job_id)" ExitCode)" '143 0:15'
}

@test "what cannot be had is an error, and nothing runs outside of a container" {
	job srun -Q --gpurun-image=no-such-image.tar touch outside
	is "$status" 125
	says no-such-image
	job srun -Q --gpurun-gpus=all touch outside
	is "$status" 125
	has "$stderr" 'want --gpurun-image'
	printf '0 touch outside\n' | on_slurm sh -c 'cat > multi'
	job srun -Q --gpurun-image=busybox.tar --multi-prog multi
	is "$status" 125
	has "$stderr" 'not with --multi-prog'
	mv "$SLURM_HOME/bin/gpurun" "$SLURM_HOME/bin/moved"
	job srun -Q --gpurun-image=busybox.tar touch outside
	mv "$SLURM_HOME/bin/moved" "$SLURM_HOME/bin/gpurun"
	is "$status" 125
	has "$stderr" 'bin/gpurun: cannot be executed'
	[ ! -e "$SLURM_HOME/outside" ]
	# a word of the command is none of srun's
	ok srun --gpurun-image=busybox.tar args --multi-prog
	is "$output" '[--multi-prog]'
}

@test "a batch script is none of the plugin's, its steps are" {
	batch <<- 'END'
		#!/bin/sh
		srun --gpurun-image=busybox.tar busybox | head -1
	END
	has "$output" '^BusyBox v'
	job sbatch -Q --gpurun-image=busybox.tar script
	[ "$status" != 0 ]
	has "$stderr" 'gpurun-image'
}

@test "plugstack.conf with a word that is wrong: said, and jobs run" {
	sed -i 's|gpurun=/.*|gpurun=relative|' "$SLURM/etc/plugstack.conf"
	job srun true
	cp "$FILE_DIR/plugin/plugstack.conf" "$SLURM/etc/"
	is "$status" 0
	has "$stderr" 'gpurun=relative: not gpurun=/PATH'
}
