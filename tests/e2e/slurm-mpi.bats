#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Debian's Open MPI and MPICH in images: started by Slurm (PMIx, PMI) and by their own launchers.
load common
load slurm

test_setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	export MPI SLURM_TEST_DRIVER
	MPI=$(bash "$HELPERS/mpi-image.sh" 2> "$FILE_DIR/no-mpi") || return 0
	# the node has Open MPI installed, too
	SLURM_TEST_DRIVER=$MPI/openmpi
	SLURM_TEST_GPUS=none
	slurm_start plain none
	cp "$MPI"/*.tar "$FILE_DIR/plain/home/"
	for i in openmpi mpich; do
		bash "$HELPERS/slurm.sh" as "$FILE_DIR/plain" gpurun -q $i.tar true
	done
}

teardown_file() {
	slurm_stop
	rm -rf "$FILE_DIR"
}

test_setup() {
	need_root
	[ -n "$MPI" ] || cannot "$(cat "$FILE_DIR/no-mpi")"
	need_slurm plain
}

test_teardown() {
	[ -n "${BATS_TEST_SKIPPED-}" ] || wait_for 5 no_user_process
}

ALL='4 ranks: round and summed up'

@test "srun --mpi=pmix: Open MPI's ranks reach each other without a word" {
	ok srun -n4 --mpi=pmix gpurun openmpi.tar mpi-test
	is "$output" "$ALL"
}

@test "srun --mpi=pmi2: MPICH's ranks, too" {
	ok srun -n4 --mpi=pmi2 gpurun mpich.tar mpi-test
	is "$output" "$ALL"
}

@test "mpirun of the host: its ranks have one container" {
	ok mpirun -np 4 --oversubscribe gpurun openmpi.tar mpi-test
	is "$output" "$ALL"
}

@test "mpirun in a batch job" {
	batch -n4 <<- 'END'
		#!/bin/sh
		mpirun -np 4 --oversubscribe gpurun openmpi.tar mpi-test
	END
	is "$status" 0:0
	is "$output" "$ALL"
}

@test "mpirun inside of one container" {
	ok gpurun -e OMPI_MCA_plm_rsh_agent=sh openmpi.tar mpirun -np 4 --oversubscribe mpi-test
	is "$output" "$ALL"
}
