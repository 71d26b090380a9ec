#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What keeps a command in: each layer with the control that shows it would be seen when missing.
load common

# ---- masks -----------------------------------------------------------------------------------

# An image in which what is a directory of ours is a link: hidden paths are hidden by their names.
@test "a link of the image in the place of /proc, /sys or /dev ends the start" {
	local dir
	small "$T/root"
	mkdir "$T/root/x" "$T/root/dev" "$T/root/sys"
	ln -s /x "$T/root/dev/hop"
	for dir in proc sys; do
		for target in dev/hop sys/hop /x / /dev; do
			rm -rf "$T/root/proc" "$T/root/sys"
			mkdir "$T/root/proc" "$T/root/sys"
			ln -s /x "$T/root/sys/hop"
			works "dir:$T/root" true
			rm -r "$T/root/${dir:?}"
			ln -s "$target" "$T/root/$dir"
			fails 125 "dir:$T/root" true
			says "step mounts: /$dir .*not a directory inside the image"
		done
	done
	rm -rf "$T/root/proc" "$T/root/sys" "$T/root/dev"
	for target in / /x /proc; do
		ln -sfn "$target" "$T/root/dev"
		fails 125 "dir:$T/root" true
		says "step mounts: /dev .*not a directory inside the image"
	done
}

# ---- what is said ------------------------------------------------------------------------------

# layer NAME STATE PATTERN - a line of --verbose, which the plan says, too
layer() {
	has "$stderr" "^gpurun: layer $1: $2: $3"
	hasnt "$stderr" "^gpurun: layer $1: $([ "$2" = on ] && echo off || echo on)"
}

@test "--verbose says of each layer whether it is in force, as the plan does" {
	need jq
	works --verbose "$BUSYBOX" true
	for name in 'user namespace' 'mount namespace' 'pid namespace' devices capabilities no_new_privs \
		seccomp 'masked paths' 'read-only paths' descriptors; do
		layer "$name" on .
	done
	layer 'network namespace' off .
	is "$(grep -o 'layer [^:]*: o[nf]*: .*' <<< "$stderr")" \
		"$("$GPURUN" --dry-run "$BUSYBOX" true |
			jq -r '.layers[] | "layer \(.name): \(if .on then "on" else "off" end): \(.text)"')"
	works --verbose --net none "$BUSYBOX" true
	layer 'network namespace' on 'loopback only'
	works --verbose --pid host --ipc host --security-opt landlock=off --cap-add sys_chroot \
		--security-opt seccomp=unconfined -v /dev:/dev "$BUSYBOX" true
	layer 'pid namespace' off .
	layer 'ipc namespace' off .
	layer landlock off .
	layer seccomp off .
	layer devices off .
	layer capabilities on 'only CAP_SYS_CHROOT'
	silent "$BUSYBOX" true
}
