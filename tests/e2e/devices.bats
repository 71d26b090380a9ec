#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --gpus on a machine that looks as if it had three GPUs.  The errors of open tell the cases
# apart: ENXIO the node is there and may be opened (no driver is behind it), ENOENT it is not.
load common
load gpu

test_setup_file() {
	stub_driver
}

test_setup() {
	need_machine
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
	on -- --gpus device=3 "$BUSYBOX" true
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
	on_user -m 600 -- --gpus device=0 "$BUSYBOX" true
	is "$status" 125
	one_message
	has "$stderr" '[Pp]ermission'
	on_user -m 600 -- "$BUSYBOX" hello-gpu /dev/nvidia0
	is "$status" 0
	is "$output" '/dev/nvidia0 ENOENT'
	[ -n "$stderr" ]
}

# A group of the controller "devices" (v1), or one with a BPF program (v2).
@test "a device cgroup that says no: the index moves on, a name is an error" {
	local v tested=
	for v in v1 v2; do
		denied() {
			try_command machine -- bash "$HELPERS/deny-devices.sh" $v 195:2 -- "$GPURUN" "$@"
			forget_unpacking
		}
		denied --gpus device=0 "$BUSYBOX" hello-gpu /dev/nvidia0 /dev/nvidia1 /dev/nvidia2
		[ "$status" != 77 ] || { echo "# $v: $stderr" >&3; continue; }
		tested=1
		is "$status $output" $'0 /dev/nvidia0 ENOENT\n/dev/nvidia1 ENXIO\n/dev/nvidia2 ENOENT'
		denied --gpus all "$BUSYBOX" hello-gpu /dev/nvidia0 /dev/nvidia1 /dev/nvidia2
		is "$status $output" $'0 /dev/nvidia0 ENXIO\n/dev/nvidia1 ENXIO\n/dev/nvidia2 ENOENT'
		denied --gpus 0000:3b:00.0 "$BUSYBOX" true
		is "$status" 125
		one_message
		says '0000:3b:00\.0' 'cgroup'
	done
	[ -n "$tested" ] || cannot "no device cgroup can be made"
}

@test "no GPU: auto is silent, an index is an error" {
	silent "$BUSYBOX" hello-gpu
	has "$output" '^none$'
	fails 125 --gpus 0 "$BUSYBOX" true
}

@test "the chosen GPUs are in the plan, with the reason" {
	try_command machine -- "$GPURUN" --dry-run --gpus 1 "$BUSYBOX" true
	is "$status" 0
	has "$output" '/dev/nvidia1'
	has "$output" '--gpus 1'
	hasnt "$output" '"/dev/nvidia2"'
}

# "suspend" there stops the GPUs of all, and root may write it.
@test "the driver's own directory of /proc, without a GPU and with one" {
	local list='ls /proc/driver/nvidia; cd /proc/driver/nvidia && (: >> params) 2> /dev/null && echo written; true'
	for options in "" "--security-opt seccomp=unconfined --security-opt landlock=off"; do
		on_root -- -q --gpus none --pid host $options "$BUSYBOX" sh -c "$list"
		is "$status $output" '0 '
	done
	on_root -- -q --pid host --gpus 0 "$BUSYBOX" sh -c "$list; ls gpus"
	is "$(sort <<< "$output" | tr '\n' ' ')" '0000:3b:00.0 gpus params registry version '
	# the control: it is there, and the kernel keeps a user from it
	on_user -- -q --gpus none --pid host "$BUSYBOX" sh -c "$list"
	has "$output" '^params$'
}
