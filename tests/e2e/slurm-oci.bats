#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# "srun --container=BUNDLE" in a real Slurm whose oci.conf is our sample.  (Slurm 22.05 starts one
# task a node this way.)
load common
load slurm

test_setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	export SLURM_TEST_DRIVER=$FILE_DIR/driver
	local mode
	bash "$HELPERS/stub-driver.sh" "$SLURM_TEST_DRIVER" 550.163.01
	for mode in none v1; do
		mkdir -p "$FILE_DIR/$mode.d"
		sed "s|/usr/local/bin/gpurun|$FILE_DIR/$mode/home/bin/gpurun|" \
			"$REPO/contrib/slurm/oci.conf" > "$FILE_DIR/$mode.d/oci.conf"
		slurm_start $mode $mode "$FILE_DIR/$mode.d/oci.conf"
	done
}

teardown_file() {
	slurm_stop
	rm -rf "$FILE_DIR"
}

# bundle [JQ] - of the cluster's user, without a pid namespace: a step shares a container
bundle() {
	local uid b=$SLURM_HOME/bundle
	uid=$(cat "$SLURM/uid")
	if [ ! -d "$b" ]; then
		mkdir -p "$b"
		cp -R "$IMAGES/busybox" "$b/rootfs"
		cp "$HELPERS/slurm-task.sh" "$b/rootfs/tmp/task"
	fi
	python3 "$HELPERS/oci-bundle.py" config "$uid" "$uid" |
		jq "del(.linux.namespaces[0]) | .annotations[\"org.gpurun.gpus\"] = \"none\" | ${1:-.}" \
			> "$b/config.json"
	chown -R "$uid:$uid" "$b"
	chmod 755 "$SLURM_HOME"
}

in_bundle() {
	job srun -Q --container="$SLURM_HOME/bundle" "$@"
}

no_user_process() {
	! pgrep -U "$(cat "$SLURM/uid")"
}

test_teardown() {
	[ -n "${BATS_TEST_SKIPPED-}" ] || wait_for 5 no_user_process
}

@test "the task sees what the bundle asks for" {
	need_slurm none
	bundle
	local script
	script=$(jq -r '.process.args[2]' "$SLURM_HOME/bundle/config.json")
	in_bundle sh -c "$script"
	is "$status" 0
	# Slurm adds the job's environment, and has replaced the command
	sed '/^== env$/,/^== cwd$/{/^== /!d}' "$T/stdout" > "$T/report"
	jq '.process.env = []' "$SLURM_HOME/bundle/config.json" > "$T/config.json"
	python3 "$HELPERS/oci-bundle.py" check "$T" < "$T/report"
	has "$output" '^SLURM_JOB_ID=[0-9]+$'
}

@test "exit codes and signals are Slurm's own" {
	need_slurm none
	bundle
	in_bundle sh -c 'exit 143'
	is "$status" 143
	is "$(job_field "$(job_id)" ExitCode)" 143:0
	in_bundle sh -c 'kill -TERM $$'
	is "$(job_field "$(job_id)" ExitCode)" 0:15
}

@test "the rank is known, the step is there for ps and exec, and scancel ends it" {
	need_slurm none
	bundle '.annotations["org.gpurun.share"] = "step"'
	on_slurm srun -Q --container="$SLURM_HOME/bundle" sleep 1000 2> /dev/null &
	wait_for 10 eval 'on_slurm gpurun ps | grep -q sleep'
	local id step
	id=$(job_id)
	step=$(on_slurm gpurun ps --json | jq -r '.[0].step')
	is "$step" "$id.0"
	is "$(on_slurm gpurun exec "$id.0" cat /proc/sys/kernel/hostname)" bundle
	on_slurm scancel "$id"
	wait || true
	wait_for 10 job_over "$id"
}

@test "with a pid namespace: a container of the task's own, ended with it" {
	need_slurm none
	bundle '.linux.namespaces += [{type: "pid"}]'
	in_bundle sh -c 'sleep 1000 & exit 5'
	is "$status" 5
	wait_for 3 no_user_process
}

@test "a bundle that cannot be run: one message, and the step fails" {
	need_slurm none
	bundle '.linux.cgroupsPath = "/x"'
	in_bundle true
	is "$status" 125
	has "$stderr" 'linux.cgroupsPath: not supported'
}

@test "GPUs are those that the device filter lets the task open" {
	need_slurm v1
	bundle 'del(.annotations["org.gpurun.gpus"])'
	local n host
	for n in 1 2; do
		host=$(on_slurm srun -Q --gres=gpu:$n sh ./task | grep -oE 'open [^ ]*')
		in_bundle --gres=gpu:$n sh /tmp/task
		is "$(grep -oE 'open [^ ]*' <<< "$output")" "$host"
	done
	in_bundle sh /tmp/task
	has "$output" 'open - '
}
