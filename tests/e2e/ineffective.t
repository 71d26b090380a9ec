#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every system call by which the child confines its command "succeeds" without being done, one after
# the other: the kernel skips it and 0 is returned.  What keeps the command in is read back, so each
# must end in status 125 and one message that names the step, or stand in the table below.
#
#	ineffective.t [NAME]     only calls of this name
set -u
. "$(dirname "$0")/common.bash"
export ASAN_OPTIONS=detect_leaks=0 # works by ptrace, too

calls='mount|umount2|mount_setattr|move_mount|pivot_root|write|prctl|capset|seccomp|keyctl|setresuid|setresgid|setgroups|landlock_[a-z_]*|fchdir'

# What was skipped (as fault.c prints it) and a start may do without, and why.
survives=(
	'prctl 0x1 *           a death signal: the reaper sees the end of the wait socket as well'
	'prctl 0x18 *          beyond the last capability; of the others the sets are read back'
	'mount / - 0x84000     propagation: a new user namespace receives only, as the kernel makes it'
	'mount */pts devpts *  no terminals'
	'mount */mqueue *      no message queues'
	'mount */shm tmpfs *   /dev/shm is a directory of the fresh /dev'
	'mount_setattr 0 0x20000  a bind may take our base along: its parent is covered'
	'mount_setattr 0x2 0   nosuid: no_new_privs says more'
	'move_mount *          what is not mounted is not there; what is to be read-only is asked'
	'landlock_add_rule *   a permission less'
	'prctl 0x3 *           this is the question'
)

tests=0 failed=0

say() {
	tests=$((tests + 1))
	echo "$1 $tests - $2"
	[ "$1" = ok ] || failed=$((failed + 1))
}

may_survive() {
	local row
	for row in "${survives[@]}"; do
		# shellcheck disable=SC2053 # a pattern
		[[ $1 == ${row%%  *} ]] && return 0
	done
	return 1
}

# verdict - nothing printed: as it should be
verdict() {
	local hit
	read -r _ hit < "$T/hit" || { echo "never hit"; return; }
	case $status in
	125)
		grep -q '^gpurun: step [a-z]*: ' "$T/err" || echo "no step is named ($hit)"
		is "$(grep -c '^gpurun: ' "$T/err")" 1
		;;
	0 | 126) may_survive "$hit" || echo "the start survived: $hit" ;;
	*) echo "status $status" ;;
	esac
}

# launch NAME OPTION... - all such calls of the child, in a start with these options
launch() {
	local name=$1 kind call problem n bad
	shift
	"$FAULT" -l "$T/calls" "$GPURUN" "$@" "$BUSYBOX" true 2> "$T/err" || {
		say "not ok" "$name: starts"
		sed 's/^/# /' "$T/err"
		return
	}
	for kind in $(grep -oE "^1:($calls):" "$T/calls" | sort -u); do
		[ -z "$only" ] || [ "$kind" = "1:$only:" ] || continue
		n=0 bad=0
		for call in $(grep "^$kind" "$T/calls"); do
			n=$((n + 1)) status=0
			timeout -s KILL 20 "$FAULT" -i "$call" -e 0 -o "$T/hit" "$GPURUN" "$@" "$BUSYBOX" true \
				> /dev/null 2> "$T/err" < /dev/null || status=$?
			problem=$(verdict)
			[ -n "$problem" ] || continue
			bad=$((bad + 1))
			sed 's/^/# /' <<< "$call: $problem: $(cat "$T/err")"
		done
		kind=${kind#1:}
		[ $bad = 0 ] && say ok "$name: ${kind%:} ($n)" || say "not ok" "$name: ${kind%:} ($bad of $n)"
	done
}

only=${1-}
fault_setup
mkdir "$T/data"
# which mount it was is in the child's memory, into which only root can look
[ "$(id -u)" = 0 ] || calls=${calls/mount|umount2|mount_setattr|move_mount/umount2}
launch "default"
calls='mount_setattr|move_mount' # the others are those of above
[ "$(id -u)" != 0 ] ||
	launch "options" --read-only --root -v "$T/data:/data:ro" -v /sys:/host/sys --security-opt mask=/etc/group
[ $tests -gt 0 ] || say "not ok" "no call at all"
echo "1..$tests"
[ $failed = 0 ]
