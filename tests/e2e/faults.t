#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every system call that changes something in a successful launch fails, one after the other, in
# the launcher as in the child.  Each failure must end in status 125 with one message (from the
# child: naming the step), or be one that a start survives by design (table below); and it must
# leave nothing.  An injection that was never hit is a failure of this test.
#
#	faults.t [ROLE:NAME]     only the calls that match this pattern
#
# FAULT_NAME, FAULT_OPTIONS (words) and FAULT_IMAGE: one start with these in the place of the usual two.
# FAULT_ERRORS (numbers): with what they fail, EIO alone otherwise.  FAULT_COLD=1: each start has an
# empty store; only calls of the launcher, the probe for overlay and the unpack worker fail, and the
# store that is left must serve the next start, after "gpurun prune" with nothing in its way.
set -u
. "$(dirname "$0")/common.bash"
export ASAN_OPTIONS=detect_leaks=0 # works by ptrace, too

# ROLE:NAME, a pattern, and why the start goes on without it.
survives=(
	"0:flock      a file system without locks (Lustre) is no reason not to start"
	"0:fsetxattr  asks whether the scratch file system has attributes"
	"0:memfd_create  asks what the kernel has; a copy of our own file, one warning"
	"0:execveat   to run from that copy, one warning"
	"0:landlock_create_ruleset  asks for its version"
	"0:mkdir*     the state directory has other places"
	"0:ftruncate  the record of ps and exec, one warning"
	"0:write      the same"
	"0:recvmsg    the child's end is seen by its status as well"
	"0:unlinkat   the record of ps and exec at the end"
	"1:vfork      clone is tried"
	"1:prctl      the reaper's name"
	"1:close_range  descriptors of the reaper, which nobody can look into"
	"1:waitid     the reaper asks again"
	"1:keyctl     the kernel may have no keys, or no room for one more"
	"0:clone3     into a cgroup: decided again without the device filter"
)

# The same for the ranks of a step.
step_survives=(
	"0:openat     the record of ps and exec, one warning"
	"0:renameat   the same"
)

# The same for a store that is not there yet.
cold_survives=(
	"0:flock:*    the same, of locks in the store; what else nobody holds is not swept"
	"0:write:*    the record of ps and exec, one warning"
	"0:pwrite64:* what those that wait for us are told"
	"0:clone:1    an overlay that cannot be tried is not used: the image is unpacked in one piece"
	"1:*          the same, in the process that tries it"
	"0:openat:1   the same"
	"0:symlinkat:1  what came of it is not kept"
	"0:renameat:1   the same"
	"0:openat:4   others empty the trash"
	"0:fchmodat:* what cannot be deleted goes with the next start or prune"
	"0:renameat2:[1-3]  the same"
	"2:prctl:1    to end with the launcher; who ends sees that its socket ends"
	"2:clone*     threads: one does all the work"
	"2:landlock_create_ruleset:1  asks for its version"
	"2:unshare:1  one wall of three, which many sites forbid; Landlock and seccomp stand"
	"2:fchdir:2   the same"
	"2:chdir:1    the same"
	"2:mount:1    the same"
	"2:open_tree:1  the same"
	"2:mount_setattr:1  the same"
	"2:move_mount:1  the same"
	"2:pivot_root:1  the same"
	"2:umount2:1  the same"
	"2:openat2:1[2-5]  the time of a directory is left as it is"
	"2:openat2:2[01]   the same"
)

read -ra errors <<< "${FAULT_ERRORS:-5}"
only=${1:-*}
tests=0 failed=0

say() {
	tests=$((tests + 1))
	echo "$1 $tests - $2"
	[ "$1" = ok ] || failed=$((failed + 1))
}

may_survive() {
	local row rows=("${survives[@]}")
	[ -z "${SLURM_STEP_ID-}" ] || rows+=("${step_survives[@]}")
	[ -z "${FAULT_COLD-}" ] || rows+=("${cold_survives[@]}")
	for row in "${rows[@]}"; do
		[[ $1 == ${row%% *} || ${1%:*} == ${row%% *} ]] && return 0
	done
	return 1
}

# verdict CALL - nothing printed: as it should be
verdict() {
	local call=${1%:*}
	grep -q hit "$T/hit" || echo "never hit"
	case $status in
	125)
		is "$(grep -c '^gpurun: ' "$T/err")" 1
		[ "$(grep -vc -e '^gpurun: ' -e '^hint: ' "$T/err")" = 0 ] || echo "other lines on stderr"
		[[ $call == 0:* ]] || [ -n "${FAULT_COLD-}" ] ||
			grep -q '^gpurun: .*step [a-z]*: ' "$T/err" || echo "no step is named"
		;;
	0)
		may_survive "$1" || echo "the start survived"
		grep -q payload "$T/out" || echo "no output of the command"
		;;
	124) echo "hangs" ;;
	126) [[ $call == *:execve ]] || echo "status $status" ;;
	*) echo "status $status" ;;
	esac
	# what could not be unlinked is still there, and goes with the next start
	[[ $call != 0:unlink* ]] || "$GPURUN" ps > /dev/null
	[ -z "${FAULT_COLD-}" ] || next_start
	nothing_left
}

# What a start of an empty store that failed has left serves the next one.
next_start() {
	"$GPURUN" -q "$BUSYBOX" echo again > "$T/out" 2> "$T/err" || echo "the next start fails"
	"$GPURUN" prune > /dev/null 2>> "$T/err" || echo "prune fails"
	"$GPURUN" verify > "$T/out" || echo "verify finds damage"
}

# fail_one CALL ERROR OPTION... - let it fail; up to three times, as the order of two processes may
# hide the call
fail_one() {
	local call=$1 error=$2 try
	shift 2
	for try in 1 2 3; do
		[ -z "${FAULT_COLD-}" ] || rm -rf "$GPURUN_STORE"
		# the state directory is made by a first start only
		[[ $call != 0:mkdir* ]] || rm -rf "$XDG_RUNTIME_DIR/gpurun"
		timeout -s KILL 20 "$FAULT" -i "$call" -e "$error" -o "$T/hit" "$GPURUN" "$@" "$BUSYBOX" echo payload \
			> "$T/out" 2> "$T/err" < /dev/null
		status=$?
		[ $status = 137 ] && status=124
		grep -q hit "$T/hit" && return
	done
}

# launch NAME OPTION... - all calls of a start with these options
launch() {
	local name=$1 call error problem kind bad=0 n=0
	shift
	[ -z "${FAULT_COLD-}" ] || rm -rf "$GPURUN_STORE"
	if ! "$FAULT" -l "$T/calls" "$GPURUN" "$@" "$BUSYBOX" echo payload > "$T/out" 2> "$T/err"; then
		say "not ok" "$name: starts"
		sed 's/^/# /' "$T/err"
		return
	fi
	for kind in $(cut -d: -f1,2 "$T/calls" | sort -u); do
		[[ $kind == $only ]] || continue
		bad=0 n=0
		for call in $(grep "^$kind:" "$T/calls"); do
			for error in "${errors[@]}"; do
				n=$((n + 1))
				fail_one "$call" "$error" "$@"
				problem=$(verdict "$call")
				[ -n "$problem" ] || continue
				bad=$((bad + 1))
				sed 's/^/# /' <<< "$call: error $error: $problem: $(cat "$T/err" "$T/out")"
			done
		done
		if [ $bad = 0 ]; then
			say ok "$name: $kind ($n)"
		else
			say "not ok" "$name: $kind ($bad of $n)"
		fi
	done
}

fault_setup
mkdir "$T/data"
if [ -n "${FAULT_OPTIONS-}" ]; then
	read -ra options <<< "$FAULT_OPTIONS"
	BUSYBOX=$FAULT_IMAGE
	"$GPURUN" -q "$BUSYBOX" true
	launch "${FAULT_NAME-options}" "${options[@]}"
else
	launch "default"
	launch "--root and options" --root --net none -v "$T/data:/data" --tmpfs /t --read-only \
		--hostname h --ulimit core=0 --security-opt mask=/etc/group
fi
if [ -z "${FAULT_OPTIONS-}" ]; then
	export SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_LOCALID=0
	"$GPURUN" "$BUSYBOX" true # makes a directory
	launch "first rank of a step"
	if [ "$(id -u)" != 0 ]; then # root's ranks are alone
		"$GPURUN" "$BUSYBOX" sh -c 'echo ready; exec sleep 1000' > "$T/ready" &
		rank=$!
		wait_for 10 grep -q ready "$T/ready"
		echo $((MARK + 1)) > "/proc/$rank/oom_score_adj" # to stay is its right
		launch "next rank of a step"
		kill $rank
		wait $rank 2> /dev/null
	fi
fi
[ $tests -gt 0 ] || say "not ok" "no call at all"
echo "1..$tests"
[ $failed = 0 ]
