#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What keeps a command in: each layer with the control that shows it would be seen when missing.
load common

test_setup_file() {
	small "$FILE_DIR/root"
	mkdir "$FILE_DIR/root/proc"
	${CC:-cc} -std=gnu17 -O1 -Wall -static -s -o "$FILE_DIR/root/bin/reach" "$HELPERS/reach.c"
}

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

# Below /dev devices answer, and what is hidden of /proc and /sys is hidden by its name.
@test "a link of the image does not lead what is mounted to /dev, /proc or /sys" {
	local dst
	small "$T/root"
	mkdir -p "$T/root/real" "$T/data"
	touch "$T/file"
	leads() {
		ln -sfn "$1" "$T/root/link"
		fails 125 "${@:3}" "dir:$T/root" true
		says "a link of the image leads to $2( |\$)"
		hints 'name that place itself'
	}
	leads /dev /dev/new -v "$T/data:/link/new"
	leads dev /dev -v "$T/data:/link"
	leads real/../dev /dev/shm/new -v "$T/data:/link/shm/new"
	leads /dev/null /dev/null -v "$T/file:/link"
	leads /dev /dev/new --tmpfs /link/new
	leads /dev /dev/null --device /dev/zero:/link/null
	leads /proc /proc -v "$T/data:/link"
	leads / /proc/sys -v "$T/data:/link/proc/sys"
	leads /sys /sys/fs -v "$T/data:/link/fs"
	# a directory of the user's is no way there, either
	ln -s /dev "$T/data/hop"
	fails 125 -v "$T/data:/data" -v "$T/data:/data/hop/new" "dir:$T/root" true
	says 'leads to /dev/new'
	# the controls: the same places by their names, and the same link elsewhere
	for dst in /dev/new /dev/shm/new; do
		works -v "$T/data:$dst" "dir:$T/root" cat /proc/self/mountinfo
		has "$output" " $dst "
	done
	ln -sfn /real "$T/root/link"
	works -v "$T/data:/link/new" -v "$T/file:/link/file" "dir:$T/root" cat /proc/self/mountinfo
	has "$output" ' /real/new '
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

# ---- what the host has is read-only ----------------------------------------------------------------

# try_write DIR - a script that names the files below DIR that can be opened for writing
try_write() {
	echo "find $1 -type f -perm -200 ! -path '/proc/[0-9]*' 2> /dev/null | while read -r f; do
		(: 3<> \"\$f\") 2> /dev/null && echo \"\$f\"; done; true"
}

# Not those of processes, nor what asks for more than an owner.
@test "started by root: nothing of /proc and /sys opens for writing" {
	need_root
	local options
	for options in "" "--root" "--pid host" "--net none" "--ipc host --cap-add dac_override"; do
		# shellcheck disable=SC2086 # words
		works $options "$BUSYBOX" sh -c "$(try_write /proc); $(try_write /sys)"
		is "$(grep -v '^/proc/pressure/' <<< "$output")" ''
	done
	# the same words find something where it is not so
	output=$(chroot / sh -c "$(try_write /proc/sys/kernel)")
	has "$output" '^/proc/sys/kernel/core_pattern$'
	output=$(chroot / sh -c "$(try_write /sys/kernel/mm)")
	has "$output" '^/sys/kernel/mm/'
}

# file systems of control groups that can be written
writable_cgroups='$6 ~ /^rw/ && / - cgroup2? / { print $5 }'

@test "no control group of the host can be written, however it comes in" {
	grep -q ' - cgroup' /proc/self/mountinfo || cannot "no control groups are mounted here"
	local options
	for options in "" "--pid host" "--ipc host" "--nested" "-v /sys:/x" "-v /:/host" "-v /sys/fs/cgroup:/cg" \
		"-v /sys/fs:/a/b -v /sys:/c --nested"; do
		# shellcheck disable=SC2086 # words
		works $options "$BUSYBOX" awk "$writable_cgroups" /proc/self/mountinfo
		is "$output" ''
	done
	# it would be seen: the host has some
	has "$(awk "$writable_cgroups" /proc/self/mountinfo)" /
}

# Those of the host belong to root: mounted once more, they could be written.
@test "started by root: no control group can be mounted inside, where mounts can" {
	need_root
	need unshare setpriv
	local options host=(-v /usr:/usr:ro -v /lib:/lib:ro)
	local mount='mkdir -p /tmp/c; for t in "cgroup2" "cgroup -o memory" "cgroup -o none,name=x"; do
		mount -t $t c /tmp/c 2> /dev/null && echo mounted; done; true'
	[ ! -e /lib64 ] || host+=(-v /lib64:/lib64:ro)
	echo '{"defaultAction": "SCMP_ACT_ALLOW"}' > all.json
	for options in --nested "--nested --pid host" "--security-opt seccomp=unconfined --security-opt landlock=off" \
		"--security-opt seccomp=all.json --security-opt landlock=off"; do
		# shellcheck disable=SC2086 # words
		works -q $options "${host[@]}" "$BUSYBOX" /usr/bin/unshare --user --keep-caps --mount sh -c "mkdir -p /tmp/t; mount -t tmpfs t /tmp/t && echo may; $mount"
		is "$output" may
		# shellcheck disable=SC2086
		try -q $options "${host[@]}" "$BUSYBOX" /usr/bin/unshare --user --keep-caps --mount --cgroup sh -c "$mount"
		is "$output" ''
		has "$stderr" 'No space left on device'
	done
	# the control: an ordinary user, who owns none of them, may
	mkdir -m 700 "$T/other"
	chown 20001:20001 "$T/other"
	try_command setpriv --reuid 20001 --regid 20001 --clear-groups env HOME=/tmp XDG_RUNTIME_DIR="$T/other" \
		GPURUN_STORE="$T/other/store" "$GPURUN" -q --nested "${host[@]}" "$BUSYBOX" /usr/bin/unshare --user --keep-caps --mount --cgroup sh -c "$mount"
	has "$output" mounted
}

# What the host mounts after the start; this needs a host of its own.
@test "a later mount of the host does not come in writable" {
	need_root
	local place options tried=
	unshare -m true || cannot "no mount namespaces"
	mkdir -p "$T/data/late"
	# late PLACE INSIDE WORD... - mounted on the host's PLACE after the start, and written to inside
	cat > "$T/late" <<- 'END'
		set -e
		place=$1 inside=$2
		shift 2
		mount --make-rshared /
		mkfifo "$T/go"
		"$GPURUN" -q -v "$T:/go" "$@" "$BUSYBOX" sh -c 'echo ready; read -r _ < /go/go
			(echo > "$1/new") 2> /dev/null && echo wrote; true' - "$inside" > "$T/out" 2> "$T/err" &
		for i in $(seq 200); do grep -q ready "$T/out" && break; sleep 0.05; done
		mount -t tmpfs late "$place"
		echo go > "$T/go"
		wait $!
		umount "$place"
		rm "$T/go"
	END
	late() {
		try_command unshare -m --propagation shared sh "$T/late" "$@"
		is "$status" 0
		output=$(cat "$T/out")
	}
	export T BUSYBOX GPURUN
	late "$T/data/late" /data/late -v "$T/data:/data:ro"
	is "$output" ready
	# the control: a volume that may be written gets it
	late "$T/data/late" /data/late -v "$T/data:/data"
	is "$output" $'ready\nwrote'
	# what the kernel shows: whole, where nothing hides it, and below what is read-only
	for place in /sys/fs/pstore /sys/fs/bpf /sys/kernel/security /proc/sys/fs/binfmt_misc; do
		[ -d "$place" ] || continue
		for options in "" "--pid host" "--nested --pid host" "--net none"; do
			# shellcheck disable=SC2086 # words
			late "$place" "$place" $options
			is "$output" ready
		done
		# the control: the same place, of which a volume is made
		late "$place" "/place/${place##*/}" -v "${place%/*}:/place"
		is "$output" $'ready\nwrote'
		tried=1
	done
	[ -n "$tried" ]
}

@test "started by root: exec gives no CAP_SYS_ADMIN, either" {
	need_root
	"$GPURUN" --name confined "$BUSYBOX" sleep 1000 &
	wait_for 10 "$GPURUN" exec confined true
	fails 125 exec --cap-add SYS_ADMIN confined true
	says 'CAP_SYS_ADMIN: not when started by root'
	works exec --cap-add SYS_CHROOT confined grep CapEff /proc/self/status
	has "$output" 0000000000040000
	"$GPURUN" kill -s KILL confined
	wait $! || true
}

# ---- system calls, as they are made ---------------------------------------------------------------

# reached WORD... - the answers, each once
reached() {
	works -q "$@" "dir:$FILE_DIR/root" reach calls
	output=$(grep -v -e '^i386' -e '^x32' <<< "$output" | sort -u | tr '\n' ' ')
}

@test "calls for namespaces and mounts, unknown ones, and those that are never allowed" {
	local never='never EPERM ' unknown='unknown ENOSYS '
	for options in "" --root "--pid host" "--cap-add SYS_CHROOT"; do
		# shellcheck disable=SC2086 # words
		reached $options
		is "$output" "clone EPERM clone3 ENOSYS fork EINVAL mount EPERM ${never}${unknown}unshare EPERM "
	done
	# the kernel's own words for calls that mean nothing
	for options in --nested "--nested --root"; do
		# shellcheck disable=SC2086
		reached $options
		is "$output" "clone EINVAL clone3 EINVAL fork EINVAL mount EBADF mount EFAULT mount EINVAL ${never}${unknown}unshare EINVAL "
	done
	reached --security-opt seccomp=unconfined
	hasnt "$output" 'clone3 ENOSYS|never EPERM'
}

@test "calls of i386 and x32 are answered as by a kernel without them" {
	[ "$(uname -m)" = x86_64 ] || skip "for x86_64"
	for options in "" --root --nested; do
		# shellcheck disable=SC2086 # words
		works -q $options "dir:$FILE_DIR/root" reach calls
		is "$(grep -e '^i386' -e '^x32' <<< "$output" | sort -u)" $'i386 ENOSYS\nx32 ENOSYS'
	done
	"$FILE_DIR/root/bin/reach" calls | grep -q 'i386 ok' || cannot "this kernel runs no i386 programs"
	works -q --security-opt seccomp=unconfined "dir:$FILE_DIR/root" reach calls
	has "$output" 'i386 ok'
}

# ---- other processes -----------------------------------------------------------------------------

# everybody PID... - "PID: what is had of it", for all that are in the container
everybody='for p in /proc/[0-9]*; do p=${p#/proc/}; [ $p = $$ ] || echo $p $(cat /proc/$p/comm): $(reach process $p); done'

# pending COMMAND... - which is held where it would begin to run
pending() {
	strace -f -o "$T/trace" -E ASAN_OPTIONS=detect_leaks=0 -e trace=execve -e inject=execve:delay_enter=20000000 \
		"$@" > "$T/pending" 2>&1 &
	PENDING=$!
}

# seen PATTERN - of what somebody sees who has entered
seen() {
	output=$("$GPURUN" exec reached sh -c "$everybody" 2> /dev/null) && has "$output" "$1"
}

@test "nothing is had of the reaper, nor of who is about to run the command" {
	local options held
	need strace
	for options in "" "--security-opt landlock=off" "--security-opt landlock=off --security-opt seccomp=unconfined"; do
		# shellcheck disable=SC2086 # words
		"$GPURUN" -q --name reached $options "dir:$FILE_DIR/root" sleep 1000 &
		wait_for 10 "$GPURUN" exec reached true
		pending "$GPURUN" exec reached true
		wait_for 10 seen '^[0-9]+ gpurun:'
		# two Landlock domains see nothing of each other; without them it is that we are no files of theirs
		[ -z "$options" ] || has "$output" '^2 sleep: .*mem.*environ.*pidfd_getfd.*process_vm_readv.*ptrace'
		is "$(grep -v '^2 sleep' <<< "$output" | sed 's/.*: *//' | tr -d '\n')" ''
		kill -9 $PENDING
		"$GPURUN" kill -s KILL reached
		wait || true
		# the first process, whose child is to become the command; and where there is no reaper.
		# As an ordinary user nobody can enter so early.
		[ "$(id -u)" = 0 ] || continue
		for held in "" --no-init; do
			# shellcheck disable=SC2086
			pending "$GPURUN" -q --name reached $options $held "dir:$FILE_DIR/root" true
			wait_for 10 seen '^1 gpurun'
			is "$(sed 's/.*: *//' <<< "$output" | tr -d '\n')" ''
			kill -9 $PENDING
			wait_for 10 no_process
		done
	done
}

@test "the caller's terminal is not taken away" {
	need python3
	for options in "" --root --nested "--pid host" "--security-opt seccomp=unconfined"; do
		# shellcheck disable=SC2086 # words
		try_command python3 "$HELPERS/terminal.py" $'expect END\nend\n' "$GPURUN" -q --no-tty -v "$T/tmp:/out" $options \
			"dir:$FILE_DIR/root" sh -c 'reach terminal > /out/answers; echo END'
		is "$status" 0
		is "$(cat "$T/tmp/answers")" $'0 EPERM\n1 EPERM'
	done
	[ "$(id -u)" = 0 ] || return 0
	# the control: root may, by force
	try_command python3 "$HELPERS/terminal.py" $'expect END\nend\n' \
		sh -c 'trap "" HUP; "$1" terminal > answers; echo END' - "$FILE_DIR/root/bin/reach"
	is "$(cat "$T/tmp/answers")" $'0 EPERM\n1 ok'
}

# ---- keys ------------------------------------------------------------------------------------------

@test "a key of the caller's session is not found inside" {
	need keyctl
	find_key() {
		keyctl session - sh -c 'keyctl add user gpurun-test secret @s > /dev/null && exec "$@"' - "$@" 2>&1
	}
	find_key keyctl search @s user gpurun-test > /dev/null || cannot "no keys here"
	local libs=(-v /lib:/lib:ro -v /usr:/usr:ro)
	[ ! -e /lib64 ] || libs+=(-v /lib64:/lib64:ro)
	output=$(find_key "$GPURUN" --security-opt seccomp=unconfined "${libs[@]}" "$BUSYBOX" \
		"$(command -v keyctl)" search @s user gpurun-test) && status=0 || status=$?
	[ "$status" != 0 ]
	has "$output" 'Required key not available'
	# the control: in a job the keyring is the job's
	output=$(SLURM_JOB_ID=7 find_key "$GPURUN" --security-opt seccomp=unconfined "${libs[@]}" "$BUSYBOX" \
		"$(command -v keyctl)" search @s user gpurun-test)
	has "$output" '[0-9]'
}

# ---- 32-bit programs ---------------------------------------------------------------------------------

@test "compat32 by name wants another filter" {
	fails 125 --gpu-caps compute,compat32 "$BUSYBOX" true
	says 'compat32: 32-bit programs do not run'
	hints 'seccomp=unconfined'
	works --gpu-caps compute,compat32 --security-opt seccomp=unconfined "$BUSYBOX" true
	works --gpu-caps all "$BUSYBOX" true
}
