#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --gpus on a machine that looks as if it had three GPUs.  The errors of open tell the cases
# apart: ENXIO the node is there and may be opened (no driver is behind it), ENOENT it is not.
load common

test_setup() {
	need_root
	unshare --mount true || cannot "no mount namespaces"
	mkdir -p -m 700 "$T/user"/{run,store,home}
	chown -R 20001 "$T/user"
}

# on OPTION... -- WORD... - hello-gpu's verdict on the nodes, as root and as an ordinary user
# must be the same; machine options before the "--"
on() {
	local machine=()
	while [ "$1" != -- ]; do
		machine+=("$1")
		shift
	done
	shift
	try_command bash "$HELPERS/machine.sh" "${machine[@]}" -- "$GPURUN" "$@"
	local first="$status $output"
	try_command env XDG_RUNTIME_DIR="$T/user/run" HOME="$T/user/home" \
		GPURUN_STORE="$T/user/store" XDG_CONFIG_HOME="$T/user/home" \
		bash "$HELPERS/machine.sh" "${machine[@]}" -u 20001 -- "$GPURUN" -q "$@"
	is "$status $output" "$first" || { echo "$stderr"; return 1; }
}

nodes() {
	hello=(hello-gpu /dev/nvidia0 /dev/nvidia1 /dev/nvidia2 /dev/nvidiactl /dev/nvidia-uvm)
	on -- "$@" "$BUSYBOX" "${hello[@]}"
	is "$status" 0
	output=$(sed 's,.* ,,' <<< "$output" | tr '\n' ' ')
}

@test "--gpus 0: the first by PCI address, which is minor 2" {
	nodes --gpus 0
	is "$output" 'ENOENT ENOENT ENXIO ENXIO ENXIO '
}

@test "--gpus 0,2 and 2,0" {
	nodes --gpus 0,2
	is "$output" 'ENXIO ENOENT ENXIO ENXIO ENXIO '
	nodes --gpus 2,0
	is "$output" 'ENXIO ENOENT ENXIO ENXIO ENXIO '
}

@test "--gpus all, none, auto, and without the option" {
	nodes --gpus all
	is "$output" 'ENXIO ENXIO ENXIO ENXIO ENXIO '
	nodes --gpus none
	is "$output" 'ENOENT ENOENT ENOENT ENOENT ENOENT '
	nodes --gpus auto
	is "$output" 'ENXIO ENXIO ENXIO ENXIO ENXIO '
	nodes
	is "$output" 'ENXIO ENXIO ENXIO ENXIO ENXIO '
}

@test "CUDA_VISIBLE_DEVICES narrows auto only" {
	export CUDA_VISIBLE_DEVICES=1
	nodes
	is "$output" 'ENOENT ENXIO ENOENT ENXIO ENXIO '
	nodes --gpus 0
	is "$output" 'ENOENT ENOENT ENXIO ENXIO ENXIO '
	export CUDA_VISIBLE_DEVICES=
	nodes
	is "$output" 'ENOENT ENOENT ENOENT ENOENT ENOENT '
}

@test "count=2, device=1, UUID, a prefix of one, PCI address" {
	nodes --gpus count=2
	is "$output" 'ENOENT ENXIO ENXIO ENXIO ENXIO '
	nodes --gpus '"device=1"'
	is "$output" 'ENOENT ENXIO ENOENT ENXIO ENXIO '
	nodes --gpus GPU-edfee152-1111-2222-3333-444444444444
	is "$output" 'ENXIO ENOENT ENOENT ENXIO ENXIO '
	nodes --gpus GPU-edfee151
	is "$output" 'ENOENT ENXIO ENOENT ENXIO ENXIO '
	nodes --gpus 0000:3b:00.0
	is "$output" 'ENOENT ENOENT ENXIO ENXIO ENXIO '
}

@test "an index or a prefix that names none, or two" {
	on -- --gpus 3 "$BUSYBOX" true
	is "$status" 125
	one_message
	says '3'
	on -- --gpus GPU-edfee15 "$BUSYBOX" true
	is "$status" 125
	one_message
	on -- --gpus count=4 "$BUSYBOX" true
	is "$status" 125
	on -- --gpus GPU-nothing "$BUSYBOX" true
	is "$status" 125
}

@test "nodes that the user may not open are not chosen, and it is said why" {
	as_user() {
		try_command env XDG_RUNTIME_DIR="$T/user/run" HOME="$T/user/home" \
			GPURUN_STORE="$T/user/store" XDG_CONFIG_HOME="$T/user/home" \
			bash "$HELPERS/machine.sh" -m 600 -u 20001 -- "$GPURUN" "$@"
	}
	as_user -q "$BUSYBOX" true
	as_user --gpus 0 "$BUSYBOX" true
	is "$status" 125
	one_message
	has "$stderr" '[Pp]ermission'
	as_user "$BUSYBOX" hello-gpu /dev/nvidia0
	is "$status" 0
	is "$output" '/dev/nvidia0 ENOENT'
	[ -n "$stderr" ]
}

@test "a device cgroup that says no: EPERM is seen, and the index moves on" {
	local group=/sys/fs/cgroup/devices/gpurun-test-$$
	mkdir "$group" 2> /dev/null || cannot "no device controller that can be written"
	echo 'c 195:2 rwm' > "$group/devices.deny"
	try_command bash "$HELPERS/machine.sh" -- bash -c 'echo $BASHPID > "$0/cgroup.procs"; exec "$@"' "$group" \
		"$GPURUN" --gpus 0 "$BUSYBOX" hello-gpu /dev/nvidia0 /dev/nvidia1 /dev/nvidia2
	rmdir "$group"
	is "$status" 0
	is "$output" $'/dev/nvidia0 ENOENT\n/dev/nvidia1 ENXIO\n/dev/nvidia2 ENOENT'
}

@test "no GPU: auto is silent, an index is an error" {
	silent "$BUSYBOX" hello-gpu
	has "$output" '^none$'
	fails 125 --gpus 0 "$BUSYBOX" true
}

@test "the chosen GPUs are in the plan, with the reason" {
	try_command bash "$HELPERS/machine.sh" -- "$GPURUN" --dry-run --gpus 1 "$BUSYBOX" true
	is "$status" 0
	has "$output" '/dev/nvidia1'
	has "$output" '--gpus 1'
	hasnt "$output" '"/dev/nvidia2"'
}
