#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The GPUs of a job, without Slurm: its variables make the job, a device cgroup is its filter.  The
# machine has four GPUs; the one with index I has the minor 3-I.  In a real Slurm: slurm-gpus.t.
load common
load gpu

NODES='hello-gpu /dev/nvidia0 /dev/nvidia1 /dev/nvidia2 /dev/nvidia3'

test_setup_file() {
	stub_driver
}

test_setup() {
	need_machine
	chmod 777 "$T/tmp"
	FILTER=
}

# find_filter - v1 or v2, whichever can be had, into FILTER
find_filter() {
	local v r why=
	for v in v1 v2; do
		r=0
		bash "$HELPERS/deny-devices.sh" $v 195:9 -- true 2> "$T/why" || r=$?
		[ $r != 0 ] || { FILTER=$v; return 0; }
		why+="$v: $(cat "$T/why"); "
	done
	cannot "no device filter: $why"
}

# job_batch LIST WORD... - a batch script's start where no device is filtered; "-": no list
job_batch() {
	[ "$1" = - ] || export CUDA_VISIBLE_DEVICES=$1
	export SLURM_JOB_ID=7
	${STARTER:-on} -g 4 -- "${@:2}"
	unset SLURM_JOB_ID CUDA_VISIBLE_DEVICES
}

opened() {
	sed -n 's,^/dev/nvidia\([0-9]\) ENXIO$,\1,p' <<< "$output" | tr -d '\n'
}

# ---- no device filter ----------------------------------------------------------------------------

@test "no filter: the job's list says which, in numbers of the machine, and inside it counts from 0" {
	job_batch 3,1 "$BUSYBOX" sh -c "$NODES; echo \$CUDA_VISIBLE_DEVICES"
	is "$status $(opened)" '0 02'
	is "$(tail -1 <<< "$output")" 1,0
	is "$stderr" ''
	job_batch GPU-edfee152-1111-2222-3333-444444444444 "$BUSYBOX" sh -c "$NODES; echo \$CUDA_VISIBLE_DEVICES"
	is "$status $(opened)" '0 1'
	is "$(tail -1 <<< "$output")" GPU-edfee152-1111-2222-3333-444444444444
}

@test "no filter: no name of a GPU reaches outside of the list" {
	local name
	job_batch 3,1 --gpus all "$BUSYBOX" sh -c "$NODES; echo \$CUDA_VISIBLE_DEVICES"
	is "$status $(opened)" '0 02'
	is "$(tail -1 <<< "$output")" 0,1
	job_batch 3,1 --gpus device=0 "$BUSYBOX" $NODES
	is "$status $(opened)" '0 2'
	for name in device=2 count=3 GPU-edfee150 0000:3b:00.0; do
		job_batch 3,1 --gpus $name "$BUSYBOX" true
		is "$status" 125
		one_message
		says "not in the job's CUDA_VISIBLE_DEVICES"
	done
}

@test "no filter, no list: the job has none, by no name, until the user says which are his" {
	local name
	job_batch - "$BUSYBOX" $NODES
	is "$status $(opened)" '0 '
	one_message
	says 'Slurm gave this job none.*CUDA_VISIBLE_DEVICES'
	for name in all device=0 count=1 GPU-edfee150 0000:3b:00.0; do
		job_batch - --gpus $name "$BUSYBOX" true
		is "$status" 125
		one_message
		hints 'CUDA_VISIBLE_DEVICES=0'
	done
	job_batch 0 --gpus all "$BUSYBOX" $NODES
	is "$status $(opened)" '0 3'
	job_batch - --gpus none "$BUSYBOX" $NODES
	is "$status $(opened)$stderr" '0 '
}

@test "given GPUs of which none is there: an error, not a start without" {
	job_batch 9 "$BUSYBOX" true
	is "$status" 125
	one_message
	says 'the job was given GPUs'
	hints '--gpus none'
	SLURM_GPUS_ON_NODE=2 job_batch - "$BUSYBOX" true
	is "$status" 125
	says 'the job has 2 GPUs on this node'
	job_batch 9 --gpus none "$BUSYBOX" true
	is "$status" 0
}

@test "a list that ends early is said once, and only where GPUs are used" {
	job_batch 1,x,2 "$BUSYBOX" $NODES
	is "$status $(opened)" '0 2'
	one_message
	says "'x' is no GPU"
	job_batch 1,x --gpus none "$BUSYBOX" true
	is "$status$stderr" 0
}

@test "no filter: a CDI name does not reach outside, either" {
	local home
	for home in "$T/home/.config" "$T/user/home/.config"; do
		mkdir -p "$home/cdi"
		printf '%s\n' 'cdiVersion: 0.5.0' 'kind: nvidia.com/gpu' 'devices:' \
			'- name: "0"' '  containerEdits: {deviceNodes: [{path: /dev/nvidia3}]}' \
			'- name: "1"' '  containerEdits: {deviceNodes: [{path: /dev/nvidia2}]}' \
			> "$home/cdi/gpu.yaml"
	done
	chown -R 20001 "$T/user/home"
	job_batch 1 --gpus nvidia.com/gpu=1 "$BUSYBOX" $NODES
	is "$status $(opened)" '0 2'
	for list in 1 -; do
		job_batch $list --gpus nvidia.com/gpu=0 "$BUSYBOX" true
		is "$status" 125
		one_message
		says '/dev/nvidia3: not .*CUDA_VISIBLE_DEVICES'
	done
	on -g 4 -- --gpus nvidia.com/gpu=0 "$BUSYBOX" $NODES
	is "$status $(opened)" '0 3'
}

@test "outside of jobs the list narrows auto only" {
	CUDA_VISIBLE_DEVICES=1 on -g 4 -- "$BUSYBOX" $NODES
	is "$(opened)" 2
	CUDA_VISIBLE_DEVICES=1 on -g 4 -- --gpus all "$BUSYBOX" $NODES
	is "$(opened)" 0123
}

# ---- a device filter, and ranks of a step --------------------------------------------------------

# as_rank N MINORS LIST WORD... - a rank that opens only GPUs of these minors starts gpurun; in the
# machine, as the user
as_rank() {
	local n=$1 minors=$2 list=$3 i deny=()
	shift 3
	for i in 0 1 2 3; do
		[[ $minors == *$i* ]] || deny+=("195:$i")
	done
	SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NODEID=0 SLURM_STEP_TASKS_PER_NODE=2 \
		SLURM_GPUS_ON_NODE=$ON_NODE SLURM_PROCID=$n SLURM_LOCALID=$n CUDA_VISIBLE_DEVICES=$list \
		ROCR_VISIBLE_DEVICES=$list bash "$HELPERS/deny-devices.sh" "$FILTER" "${deny[@]}" "${MORE[@]}" -- \
		setpriv --reuid 20001 --regid 20001 --clear-groups "$GPURUN" "$@"
}

# two_ranks COMMAND - what COMMAND prints in both, which are there at the same time; $T/0, $T/1,
# stderr in $T/0.err, $T/1.err.  RANK0, RANK1: minors and list of each; OPTIONS, HARDWARE of both.
two_ranks() {
	cat > "$T/ranks" <<- 'END'
		load_functions
		sync='touch here.$SLURM_PROCID; n=0
			until [ -e here.0 ] && [ -e here.1 ]; do sleep 0.05; n=$((n + 1)); [ $n -lt 200 ] || exit 9; done'
		for n in 0 1; do
			[ $n = 0 ] || until [ -e here.0 ] || ! kill -0 $!; do sleep 0.05; done
			rank=RANK$n
			as_rank $n ${!rank} $OPTIONS "$BUSYBOX" sh -c "$sync; readlink /proc/self/ns/mnt; $1" \
				> "$T/$n" 2> "$T/$n.err" 3>&- &
			pids+=($!)
		done
		for p in "${pids[@]}"; do
			wait $p || echo "rank: $?" >&2
		done
	END
	{ declare -f as_rank; echo 'load_functions() { :; }; pids=() MORE=('"${MORE[*]}"')'; cat "$T/ranks"; } > "$T/script"
	export T FILTER RANK0 RANK1 OPTIONS BUSYBOX GPURUN HELPERS ON_NODE
	rm -f here.*
	try_command user_machine -g 4 $HARDWARE -- bash "$T/script" "$1"
	is "$status$stderr" 0
	is "$(head -1 "$T/0")" "$(head -1 "$T/1")"
}

# said N - what rank N said, but for the first unpacking
said() {
	stderr=$(cat "$T/$1.err")
	forget_unpacking
	echo "$stderr"
}

@test "one GPU a task: the shared container has them all, and each opens its own as number 0" {
	find_filter
	ON_NODE=2 RANK0='2 0' RANK1='3 0' OPTIONS= HARDWARE= MORE=()
	two_ranks "$NODES; echo \$CUDA_VISIBLE_DEVICES \$ROCR_VISIBLE_DEVICES; ls /proc/driver/nvidia/gpus | wc -l"
	is "$(tail -n +2 "$T/0" | tr '\n' ' ')" \
		'/dev/nvidia0 EPERM /dev/nvidia1 EPERM /dev/nvidia2 ENXIO /dev/nvidia3 EPERM 0 0 4 '
	is "$(tail -n +2 "$T/1" | tr '\n' ' ')" \
		'/dev/nvidia0 EPERM /dev/nvidia1 EPERM /dev/nvidia2 EPERM /dev/nvidia3 ENXIO 0 0 4 '
	has "$(cat "$T/0.err")" 'peer-to-peer.*--gpus-per-node=2.*LOCAL_RANK.*allow-task-sharing'
	is "$(grep -c peer-to-peer "$T/0.err")" 1
	is "$(said 1)" ''
}

@test "all ranks open the same: the container holds those only, each keeps its part of the list" {
	find_filter
	ON_NODE=2 RANK0='13 0' RANK1='13 1' OPTIONS= HARDWARE= MORE=()
	two_ranks "$NODES; echo \$CUDA_VISIBLE_DEVICES; ls /proc/driver/nvidia/gpus | wc -l"
	is "$(tail -n +2 "$T/0" | tr '\n' ' ')" \
		'/dev/nvidia0 ENOENT /dev/nvidia1 ENXIO /dev/nvidia2 ENOENT /dev/nvidia3 ENXIO 0 2 '
	is "$(tail -n +2 "$T/1" | tail -2 | tr '\n' ' ')" '1 2 '
	hasnt "$(cat "$T/0.err" "$T/1.err")" 'peer-to-peer'
}

@test "by number in a shared container: the rank's own first GPU" {
	find_filter
	ON_NODE=4 RANK0='01 0,1' RANK1='23 0,1' OPTIONS='--gpus device=1' HARDWARE= MORE=()
	two_ranks 'echo $CUDA_VISIBLE_DEVICES'
	is "$(tail -1 "$T/0") $(tail -1 "$T/1")" '1 1'
}

@test "without a filter a shared container numbers as the machine does" {
	find_filter
	ON_NODE=2 RANK0='0123 2' RANK1='0123 3' OPTIONS= HARDWARE= MORE=(195:9)
	two_ranks "$NODES; echo \$CUDA_VISIBLE_DEVICES"
	is "$(tail -1 "$T/0") $(tail -1 "$T/1")" '2 3'
	is "$(said 0)$(said 1)" ''
}

@test "MIG devices of other ranks: their capability nodes and files are there, too" {
	find_filter
	# gi1 and gi2 of minor 3: 3 + 3 * 135 + 9 * gi, and the compute instance behind it
	ON_NODE=2 RANK0='3 0' RANK1='3 0' OPTIONS= HARDWARE=-M MORE=(236:426 236:427)
	two_ranks 'for n in 417 426; do (: < /dev/nvidia-caps/nvidia-cap$n) 2>&1 | sed "s/.*: //"; done
		head -1 /proc/driver/nvidia/capabilities/gpu3/mig/gi2/access'
	is "$(tail -n +2 "$T/0")" "No such device or address
Operation not permitted
DeviceFileMinor: 426"
}

@test "a container of its own holds only what the rank was given" {
	find_filter
	ON_NODE=2 MORE=()
	export T FILTER BUSYBOX GPURUN HELPERS ON_NODE NODES
	{ declare -f as_rank; echo 'as_rank 1 3 0 --share none "$BUSYBOX" $NODES'; } > "$T/script"
	try_command user_machine -g 4 -- bash "$T/script"
	is "$status $(opened)" '0 3'
	has "$output" '^/dev/nvidia2 ENOENT$'
}

@test "filtered, and given by the list, but none opens" {
	find_filter
	ON_NODE=1 MORE=()
	export T FILTER BUSYBOX GPURUN HELPERS ON_NODE
	{ declare -f as_rank; echo 'as_rank 0 "" 0 "$BUSYBOX" true'; } > "$T/script"
	try_command user_machine -g 4 -- bash "$T/script"
	is "$status" 125
	one_message
	says 'the job was given GPUs.*device cgroup'
}

# ---- what is told ---------------------------------------------------------------------------------

# told VERB - its JSON for rank 1 of two, which opens minor 3 only
told() {
	ON_NODE=2 MORE=()
	export T FILTER GPURUN HELPERS ON_NODE
	{ declare -f as_rank; echo "as_rank 1 $1 $2 ${*:3}"; } > "$T/script"
	try_command user_machine -g 4 -- bash "$T/script"
}

json() {
	python3 -c "import json, sys
v = json.load(sys.stdin)
print($1)" <<< "$output"
}

@test "gpus: what this rank may use against what the job has, and why not the others" {
	find_filter
	told 3 0 gpus
	is "$status" 0
	says 'rank 1 of step 7\.0 may use 1 GPU of the 2 .*device cgroup' 'peer-to-peer'
	is "$(grep -c 'device cgroup' <<< "$output")" 3
	told 3 0 gpus --json
	is "$(json '[v["job"][k] for k in ("step", "rank", "gpus_on_node", "gpus_usable", "decided_by")]')" \
		"['7.0', 1, 2, 1, 'device cgroup']"
	is "$(json '[g["index"] for g in v["gpus"]]')" '[0, None, None, None]'
	has "$(json 'v["job"]["warning"]')" 'peer-to-peer'
	job_batch 3,1 gpus --json
	is "$(json 'v["job"]["decided_by"], v["job"]["warning"], [g["index"] for g in v["gpus"]]')" \
		"CUDA_VISIBLE_DEVICES None [None, 0, None, 1]"
	job_batch - gpus --json
	is "$(json 'v["job"]["decided_by"], v["job"]["gpus_usable"]')" 'no CUDA_VISIBLE_DEVICES 0'
	on -- gpus --json
	is "$(json 'v["job"]')" None
}

# finds NAME PATTERN - a check of the layer "job": "STATUS: WHY"
finds() {
	has "$(json '"\n".join(c["status"] + ": " + c["why"] for c in v if c["layer"] == "job" and c["name"] == "'"$1"'")')" "$2"
}

@test "doctor: the filter in force, the rank's part, peer-to-peer, Landlock" {
	find_filter
	told 3 0 doctor --json
	finds job '^ok: step 7\.0 of slurm, local rank 1 of 2'
	finds 'GPUs of this task' '^ok: .* 1 GPU of the 2'
	finds 'device filter' "^ok: cgroup version ${FILTER#v}.*1 of 4 GPUs open"
	finds peer-to-peer '^warn: .*allow-task-sharing'
	finds sharing '^ok: the ranks'
	finds 'landlock in a step' '^ok: off: .*CMA'
	STARTER=on_user job_batch 3,1 doctor --json
	finds 'device filter' '^warn: none: nothing but CUDA_VISIBLE_DEVICES'
	finds 'landlock in a step' '^ok: as outside'
	STARTER=on_user job_batch - doctor --json
	finds 'GPUs of this task' '^warn: .*0 GPUs'
	on_user -- doctor --json
	is "$(json '[c for c in v if c["layer"] == "job"]')" '[]'
}
