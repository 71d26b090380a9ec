# SPDX-License-Identifier: Apache-2.0
# For tests in a real Slurm of one node (tests/helpers/slurm.sh): "load slurm" behind "load common".

# slurm_start NAME MODE [FILE...] - a cluster named NAME in $FILE_DIR; gpurun, the image and the
# programs of the tests are in its user's home directory.  SLURM_TEST_GPUS is what --gpus is there.
# A reason not to have the cluster is kept for need_slurm.
slurm_start() {
	local d=$FILE_DIR/$1 status=0
	mkdir -m 755 "$d"
	printf '%s\n' GPURUN_STORE=/home/slurm-user/store PATH=/home/slurm-user/bin:/usr/bin:/bin:/usr/sbin:/sbin \
		${SLURM_TEST_GPUS:+"GPURUN_GPUS=$SLURM_TEST_GPUS"} > "$d/env"
	bash "$HELPERS/slurm.sh" start "$d" "${@:2}" 2> "$d/why" || status=$?
	[ $status != 0 ] || {
		mkdir -m 755 "$d/home/bin"
		cp "$GPURUN" "$d/home/bin/gpurun"
		cp "$IMAGES/busybox.tar" "$d/home/"
		cp "$HELPERS/slurm-task.sh" "$d/home/task"
		${CC:-cc} -std=gnu17 -O1 -Wall -static -o "$d/home/bin/rank" "$HELPERS/slurm-rank.c"
		bash "$HELPERS/slurm.sh" as "$d" gpurun -q busybox.tar true # a later start unpacks nothing
		: > "$d/ready"
	}
	[ $status = 0 ] || [ $status = 77 ] || cat "$d/why" >&2
}

# slurm_start_cgroup NAME - with a device filter, of v1 or v2
slurm_start_cgroup() {
	local mode
	for mode in v1 v2; do
		rm -rf "${FILE_DIR:?}/$1"
		slurm_start "$1" $mode
		[ ! -e "$FILE_DIR/$1/ready" ] || return 0
	done
}

slurm_stop() {
	local d
	for d in "$FILE_DIR"/*/etc/slurm.conf; do
		[ ! -e "$d" ] || bash "$HELPERS/slurm.sh" stop "${d%/etc/*}"
	done
}

# need_slurm NAME - that cluster is meant from now on: SLURM its directory, SLURM_HOME its user's as
# seen from outside
need_slurm() {
	SLURM=$FILE_DIR/$1 SLURM_HOME=$FILE_DIR/$1/home
	need_root
	[ -e "$SLURM/ready" ] || cannot "$(cat "$SLURM/why")"
	export GPURUN_STORE=$SLURM_HOME/store # for nothing_left
}

on_slurm() {
	bash "$HELPERS/slurm.sh" as "$SLURM" "$@"
}

# job COMMAND... - run it as the cluster's user: $status, $output, $stderr without what srun says
# when the job before has not given its node back
job() {
	try_command on_slurm "$@"
	forget_unpacking
	stderr=$(grep -vE '^srun: job [0-9]+ (queued|has been allocated)' <<< "$stderr") || true
}

# ok COMMAND... - a job that ends well and says nothing on stderr
ok() {
	job "$@"
	is "$status" 0
	is "$stderr" ''
}

# batch SBATCH-OPTION... - submit the script on stdin and wait for its end (sbatch -W looks every two
# seconds): $output is what it and its steps said, $JOB its number, $status "CODE:SIGNAL"
batch() {
	on_slurm sh -c 'cat > script; : > script.out'
	JOB=$(on_slurm sbatch --parsable -o script.out "$@" script)
	wait_for 60 job_over "$JOB"
	status=$(job_field "$JOB" ExitCode) output=$(cat "$SLURM_HOME/script.out") stderr=
}

# job_id - of the newest job
job_id() {
	on_slurm squeue -h -t all -S -i -o %i | head -1
}

# job_field ID NAME - of what Slurm says about that job
job_field() {
	on_slurm scontrol show job "$1" | grep -oE "(^| )$2=[^ ]*" | cut -d= -f2
}

job_over() {
	[[ $(job_field "$1" JobState) == @(COMPLETED|FAILED|CANCELLED|TIMEOUT) ]]
}

# no_user_process - nobody runs as the cluster's user
no_user_process() {
	! bash "$HELPERS/slurm.sh" processes "$SLURM"
}

# spank_plugstack - the plugin, made by "make spank", and a plugstack.conf: into $FILE_DIR/plugin
spank_plugstack() {
	mkdir -p "$FILE_DIR/plugin"
	[ -e /usr/include/slurm/spank.h ] || { echo "libslurm-dev is not installed"; return 1; }
	env -u MAKEFLAGS -u MFLAGS make -s -C "$REPO" BUILD="$FILE_DIR/plugin" WERROR=1 spank >&2
	echo "optional $FILE_DIR/plugin/spank/gpurun.so gpurun=/home/slurm-user/bin/gpurun" \
		> "$FILE_DIR/plugin/plugstack.conf"
}
