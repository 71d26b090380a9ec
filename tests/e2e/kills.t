#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# SIGKILL at random moments: of the launcher, of one of its processes (worker, reaper, payload,
# cleaner), or of all at once, while images are unpacked, started, entered, kept, removed, pruned
# and verified.  After each: no process, no mount and no cgroup is left.  After some: nothing is
# there that "gpurun prune" does not remove, "gpurun verify" finds everything as it was unpacked,
# and the next start has the right files.
#
#	kills.t [ACTION...]
#	KILLS        how many (60); those that came too late are not counted
#	KILLS_SEED   of the random numbers; which one it was is printed
set -u
. "$(dirname "$0")/common.bash"

kills=${KILLS:-60}
seed=${KILLS_SEED:-$RANDOM}
batch=10
actions=("$@")
[ $# -gt 0 ] || actions=(cold cold flat warm enter keep scratch remove prune verify)
declare -A took counted
tests=0 failed=0 done=0 late=0

say() {
	tests=$((tests + 1))
	echo "$1 $tests - $2"
	[ "$1" = ok ] || failed=$((failed + 1))
}

complain() {
	say "not ok" "$action after $done kills: $*"
	sed 's/^/# /' "$T/err"
}

# No program: it would be found among the processes of the test.
pause() {
	read -rt "$1" -u "$nothing" || true
}

# ---- what is interrupted: prepare_X runs before, action_X is replaced by a program --------------

ready() {
	"$GPURUN" -q "$LARGE" true
}

prepare_cold() {
	"$GPURUN" prune --all > /dev/null
}
action_cold() {
	exec setsid "$GPURUN" -q "$LARGE" true
}

prepare_flat() {
	prepare_cold
}
action_flat() {
	exec setsid "$GPURUN" -q "$FLAT" true
}

prepare_warm() {
	ready
}
action_warm() {
	exec setsid "$GPURUN" -q "$LARGE" sh -c 'sleep 0.02 & (sleep 0.02; exit) & wait'
}

prepare_enter() {
	ready
	"$GPURUN" -q --name entered "$LARGE" sh -c 'echo ready; exec sleep 1000' > "$T/ready" &
	disown
	wait_for 10 grep -q ready "$T/ready"
	until [[ $("$GPURUN" ps) == *entered* ]]; do pause 0.02; done
}
action_enter() {
	exec setsid "$GPURUN" exec entered sh -c 'sleep 0.02 & wait'
}

prepare_keep() {
	ready
}
action_keep() {
	exec setsid "$GPURUN" -q --keep kept "$LARGE" sh -c 'echo x >> /log; rm -rf /files/1; echo y >> /files/2/1'
}

prepare_scratch() {
	ready
}
action_scratch() {
	exec setsid "$GPURUN" -q --scratch "$T/scratch" "$LARGE" sh -c 'rm -rf /files; mkdir /new'
}

prepare_remove() {
	ready
}
action_remove() {
	exec setsid "$GPURUN" rm large:1
}

prepare_prune() {
	ready
	"$GPURUN" -q "$FLAT" true
}
action_prune() {
	exec setsid "$GPURUN" prune --all
}

prepare_verify() {
	ready
}
action_verify() {
	exec setsid "$GPURUN" verify
}

# ---- what is left --------------------------------------------------------------------------------

cgroups() {
	find /sys/fs/cgroup -mindepth 1 -type d -name '*gpurun*' -user "$(id -u)" 2> /dev/null |
		while read -r d; do
			[ -n "$(cat "$d/cgroup.procs" 2> /dev/null)" ] || echo "$d"
		done | sort
}

# Whoever prunes takes those of others of this user as well, who may just have died.
no_cgroup() {
	"$GPURUN" prune
	[ -z "$(cgroups)" ]
}

# Of processes, mounts: at once, without help.
check_now() {
	local p
	if ! wait_for 10 no_process; then
		find_marked
		for p in "${LEFT[@]}"; do
			complain "left: process $p $(tr '\0' ' ' < "/proc/$p/cmdline")"
		done
		kill -KILL "${LEFT[@]}"
		return
	fi > /dev/null
	[ "$(mounts)" = "$MOUNTS_BEFORE" ] || complain "left: mounts $(mounts)"
}

in_store() {
	find "$GPURUN_STORE" -mindepth 2 \( -path '*/v1/layers/*/*' -o -path '*/v1/trees/*/*' \
		-o -path '*/v1/keep/kept/*' \) -prune -o -printf '%P\n' |
		grep -vE '^v1/(layers|trees|images|names|files|lock|tmp|trash|keep|scratch|probe)$' |
		grep -vE '^v1/(layers|trees|images)/[0-9a-f]{64}$' |
		grep -vE '^v1/(names/(large:1|busybox:latest|flat)|lock/store|keep/kept)$|^v1/files/[0-9a-f]+-'
}

# Of files: after prune.
check_later() {
	local left
	"$GPURUN" prune > "$T/out" 2> "$T/err" || complain "prune: status $?"
	left=$(in_store)
	[ -z "$left" ] || complain "prune leaves in the store: $left"
	left=$("$GPURUN" ps --json 2>&1)
	[ "$left" = "[]" ] || complain "ps shows: $left"
	left=$(find "$XDG_RUNTIME_DIR" -mindepth 1 ! -path '*/gpurun' ! -path '*/gpurun/mnt' ! -path '*/gpurun/steps')
	[ -z "$left" ] || complain "left in the state directory: $left"
	wait_for 3 no_cgroup > /dev/null || complain "left: cgroups $(cgroups)"
	"$GPURUN" verify > "$T/err" 2>&1 || complain "verify finds damage"
	"$GPURUN" -q "$LARGE" sh -c "$SUM" > "$T/out" 2> "$T/err" || complain "the next start fails"
	cmp -s "$T/out" "$T/sum" || complain "the files are not those of the image"
	"$GPURUN" -q --keep kept "$LARGE" true 2> "$T/err" || complain "what was kept cannot be used"
	"$GPURUN" -q --scratch "$T/scratch" "$LARGE" true 2> "$T/err" || complain "no scratch"
	[ -z "$(ls -A "$T/scratch")" ] || complain "left: $(ls -A "$T/scratch")"
}

# ---- one kill ------------------------------------------------------------------------------------

# delay ACTION - into DELAY: a moment of its time, as seconds.  (A subshell has its own RANDOM.)
delay() {
	local us=$((took[$1] * (RANDOM * 32768 + RANDOM) / 1073741824))
	printf -v DELAY '%d.%06d' $((us / 1000000)) $((us % 1000000))
}

# inside PID - into VICTIM: that process or one below it, each as likely as to go on
inside() {
	local kids
	VICTIM=$1
	while true; do
		kids=()
		read -ra kids < "/proc/$VICTIM/task/$VICTIM/children" # has no newline
		[ ${#kids[@]} != 0 ] || return
		[ "$VICTIM" = "$1" ] || [ $((RANDOM % 2)) = 0 ] || return
		VICTIM=${kids[RANDOM % ${#kids[@]}]}
	done
}

# strike LAUNCHER - into WHO: who was killed; fails when it was too late
strike() {
	case $((RANDOM % 3)) in
	0) WHO=launcher ;;
	1) WHO="all of them" ;;
	2)
		inside "$1"
		read -r WHO < "/proc/$VICTIM/comm" || WHO=gone
		[ "$VICTIM" != "$1" ] || WHO=launcher
		kill -KILL "$VICTIM"
		return
		;;
	esac
	kill -KILL "$1" || return
	[ "$WHO" != launcher ] || return 0
	find_marked
	[ ${#LEFT[@]} = 0 ] || kill -KILL "${LEFT[@]}"
	return 0
}

kill_one() {
	local pid
	action=$1
	"prepare_$action" 2> "$T/err" || complain "prepare"
	"action_$action" > "$T/out" 2> "$T/err" < /dev/null &
	pid=$!
	delay "$action"
	pause "$DELAY"
	if strike "$pid"; then
		done=$((done + 1))
		counted[$WHO]=$((${counted[$WHO]-0} + 1))
	else
		late=$((late + 1))
	fi
	wait "$pid" 2> /dev/null
	[ "$action" != enter ] || "$GPURUN" kill -s KILL entered > /dev/null 2>&1
	wait 2> /dev/null
	check_now
}

measure() {
	local start
	action=$1
	"prepare_$1"
	start=${EPOCHREALTIME/[.,]/}
	("action_$1") > /dev/null 2> "$T/err" || complain "does not work"
	took[$1]=$((${EPOCHREALTIME/[.,]/} - start))
	[ "$1" != enter ] || "$GPURUN" kill -s KILL entered > /dev/null
	wait 2> /dev/null
}

# ---- all of them ---------------------------------------------------------------------------------

BATS_TEST_NUMBER=1
setup_file
trap teardown_file EXIT
setup
exec {nothing}<> <(:)
mkdir "$T/scratch"
small "$T/root"
ln -s busybox "$T/root/bin/rm"
ln -s busybox "$T/root/bin/mkdir"
ln -s busybox "$T/root/bin/md5sum"
for d in {1..20}; do
	mkdir -p "$T/root/files/$d"
	for f in {1..20}; do
		echo "$d $f" > "$T/root/files/$d/$f"
	done
done
head -c 3000000 /dev/urandom > "$T/root/noise"
LARGE=$T/large.tar FLAT=$T/flat.tar SUM='cat /files/*/* /noise | md5sum'
mkimage "$T/root" --docker --compress gzip --tag large:1 "$LARGE"
tar -C "$T/root" -cf "$FLAT" .
"$GPURUN" -q "$LARGE" sh -c "$SUM" > "$T/sum"
for action in $(printf '%s\n' "${actions[@]}" | sort -u); do
	measure "$action"
done
echo "# seed $seed"
RANDOM=$seed
while [ "$done" -lt "$kills" ] && [ $failed -lt 10 ]; do
	kill_one "${actions[RANDOM % ${#actions[@]}]}" 2> /dev/null # the shell says who was killed
	[ $(((done + late) % batch)) != 0 ] || check_later
done
action="the end"
check_later
"$GPURUN" prune --all > /dev/null
for who in "${!counted[@]}"; do
	echo "# $who: ${counted[$who]}"
done
[ $failed != 0 ] || say ok "$done kills, $late too late"
echo "1..$tests"
[ $failed = 0 ]
