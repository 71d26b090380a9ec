# SPDX-License-Identifier: Apache-2.0
# What every end-to-end test starts from: a program to test, images, a store and a state
# directory of its own on tmpfs, and a look at the machine afterwards.
#
#	GPURUN            the program (default: ./gpurun of this tree)
#	GPURUN_MUST_WORK  1: what this machine cannot do is a failure, not a skip
[ -z "${BATS_VERSION-}" ] || bats_require_minimum_version 1.5.0

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
GPURUN=${GPURUN:-$REPO/gpurun}
HELPERS=$REPO/tests/helpers
TESTFS=${GPURUN_TEST_TMP:-/dev/shm}
PATH=$PATH:/usr/sbin:/sbin # chroot and mke2fs, which Debian keeps from ordinary users' PATH

# ---- once a file, once a test ----------------------------------------------------------------

setup_file() {
	export IMAGES FILE_DIR GPURUN_STORE BATS_NO_PARALLELIZE_WITHIN_FILE=true
	unset ${!GPURUN_STORE_@} ${!SLURM_@} CUDA_VISIBLE_DEVICES NO_COLOR
	IMAGES=$(bash "$HELPERS/test-images.sh")
	FILE_DIR=$(mktemp -d "$TESTFS/gpurun-test.XXXXXX")
	chmod 755 "$FILE_DIR"
	GPURUN_STORE=$FILE_DIR/store
	# the first start of an image says that it unpacks; the tests want to see later ones
	mkdir -m 700 "$FILE_DIR/run"
	XDG_RUNTIME_DIR=$FILE_DIR/run "$GPURUN" -q "$IMAGES/busybox.tar" true < /dev/null || true
	declare -F test_setup_file > /dev/null && test_setup_file
	return 0
}

teardown_file() {
	chmod -R u+rwx "$FILE_DIR" 2> /dev/null
	rm -rf "$FILE_DIR"
}

setup() {
	T=$FILE_DIR/$BATS_TEST_NUMBER
	mkdir -p -m 755 "$T"
	mkdir -m 700 "$T/run" "$T/home" "$T/tmp"
	export XDG_RUNTIME_DIR=$T/run HOME=$T/home TMPDIR=$T/tmp
	export XDG_CONFIG_HOME=$T/home/config XDG_DATA_HOME=$T/home/data
	cd "$T/tmp"
	BUSYBOX=$IMAGES/busybox.tar
	MOUNTS_BEFORE=$(mounts)
	mark_processes
	declare -F test_setup > /dev/null && test_setup
	return 0
}

teardown() {
	if [ -z "${BATS_TEST_COMPLETED-}" ] && [ -z "${BATS_TEST_SKIPPED-}" ]; then
		echo "status: ${status-}"
		echo "stdout: ${output-}"
		echo "stderr: ${stderr-}"
	fi
	declare -F test_teardown > /dev/null && test_teardown
	local clean=0
	nothing_left || clean=1
	cd /
	chmod -R u+rwx "$T" 2> /dev/null
	rm -rf "$T"
	return $clean
}

# For a test that is no bats file and makes calls fail: a place, and $FAULT, the program that does it.
fault_setup() {
	BATS_TEST_NUMBER=1
	setup_file
	trap teardown_file EXIT
	setup
	FAULT=$T/fault
	${CC:-cc} -std=gnu17 -O2 -o "$FAULT" "$HELPERS/fault.c" && return
	echo "Bail out! fault.c does not compile"
	exit 1
}

# ---- running ---------------------------------------------------------------------------------

# Results of these are in $status, $output and $stderr.  (Not bats' "run": it has opinions on 127.)
try_command() {
	status=0
	"$@" > "$T/stdout" 2> "$T/stderr" || status=$?
	output=$(cat "$T/stdout") stderr=$(cat "$T/stderr")
}

try() {
	try_command "$GPURUN" "$@"
}

# It must end with status 0; silent is one that says nothing of its own, either.
works() {
	try "$@"
	[ "$status" = 0 ]
}

silent() {
	works "$@"
	is "$stderr" ''
}

# fails STATUS WORD... - it must end so, with one message and at most one hint, nothing else.
fails() {
	local want=$1
	shift
	try "$@"
	[ "$status" = "$want" ]
	one_message
}

# Drop from $stderr how a first unpack went.
forget_unpacking() {
	stderr=$(grep -vE '^gpurun: (unpacking .* into |.*: layer [0-9]+ of [0-9]+ unpacked|.*: [0-9.]+ [KMG]?i?B in [0-9]+ entries)' <<< "$stderr") || true
}

# One message and at most one hint.
one_message() {
	forget_unpacking
	[ "$(grep -c '^gpurun: ' <<< "$stderr")" = 1 ]
	[ "$(grep -c '^hint: ' <<< "$stderr")" -le 1 ]
	[ "$(grep -vc -e '^gpurun: ' -e '^hint: ' <<< "$stderr")" = 0 ]
}

# says PATTERN..., hints PATTERN - extended regular expressions on the message and the hint
says() {
	local p
	for p; do
		grep '^gpurun: ' <<< "$stderr" | grep -qE -- "$p"
	done
}

hints() {
	grep '^hint: ' <<< "$stderr" | grep -qE -- "$1"
}

is() {
	[ "$1" = "$2" ] || { printf 'got  %q\nwant %q\n' "$1" "$2"; return 1; }
}

has() {
	grep -qE -- "$2" <<< "$1" || { printf 'no match of %q in:\n%s\n' "$2" "$1"; return 1; }
}

hasnt() {
	if grep -E -- "$2" <<< "$1"; then return 1; fi
}

# wait_for SECONDS COMMAND... - until it succeeds
wait_for() {
	local end=$((SECONDS + $1 + 1))
	shift
	until "$@" > /dev/null 2>&1; do
		[ $SECONDS -lt $end ] || { echo "waited in vain for: $*"; return 1; }
		sleep 0.02
	done
}

# What this machine cannot do: a reason to skip, unless everything is expected to work.
cannot() {
	[ -z "${GPURUN_MUST_WORK-}" ] || { echo "GPURUN_MUST_WORK: $*"; return 1; }
	skip "$*"
}

need() {
	local c
	for c; do
		command -v "$c" > /dev/null || cannot "$c is not installed"
	done
}

need_root() {
	[ "$(id -u)" = 0 ] || skip "for root"
}

need_user() {
	[ "$(id -u)" != 0 ] || skip "for an ordinary user"
}

# ---- images ----------------------------------------------------------------------------------

mkimage() {
	sh "$REPO/images/mkimage.sh" "$@"
}

# small DIR - the least root file system: busybox under a few names, quick to pack
small() {
	mkdir -p "$1/bin"
	cp "$IMAGES/busybox/bin/busybox" "$1/bin/"
	local n
	for n in sh cat echo env ls pwd sleep true id; do
		ln -s busybox "$1/bin/$n"
	done
}

# ---- what is left ----------------------------------------------------------------------------

# Of this file's tests: others may run on the machine at the same time.
mounts() {
	cut -d' ' -f5 /proc/self/mountinfo | grep -F "$FILE_DIR" | sort
}

# Every process that is born in a test inherits its oom_score_adj, through any namespace and
# any change of environment, and everybody may read it: the mark by which they are found again.
mark_processes() {
	local n
	for n in {1..50}; do
		MARK=$((200 + RANDOM % 700))
		find_marked
		[ ${#LEFT[@]} != 0 ] || break
	done
	echo "$MARK" > "/proc/$BASHPID/oom_score_adj"
}

# find_marked - into LEFT: the processes of this test but for this shell and those above it.
# No subshell and no other program: they would find themselves.  bats has a DEBUG trap, which takes
# longer than each of these many commands: functions do not inherit it without functrace.
find_marked() {
	local -
	set +o functrace
	look_for_mark
}

look_for_mark() {
	local f pid v key above=" $BASHPID " p=$BASHPID
	while [ "$p" -gt 1 ]; do
		while read -r key v; do [ "$key" != PPid: ] || p=$v; done < "/proc/$p/status"
		above+="$p "
	done
	LEFT=()
	for f in /proc/[0-9]*/oom_score_adj; do
		pid=${f#/proc/} pid=${pid%/*}
		[[ $above != *" $pid "* ]] || continue
		{ read -r v < "$f"; } 2> /dev/null || continue
		[ "$v" = "$MARK" ] || continue
		while read -r key v; do
			[ "$key" != State: ] || [[ $v == Z* ]] || LEFT+=("$pid")
		done 2> /dev/null < "/proc/$pid/status"
	done
}

no_process() {
	find_marked
	[ ${#LEFT[@]} = 0 ]
}

at_least_processes() {
	find_marked
	[ ${#LEFT[@]} -ge "$1" ]
}

# Nothing of what a container needs outlives it: processes, mounts, state, scratch.
nothing_left() {
	local d left
	wait_for 3 no_process || {
		for d in "${LEFT[@]}"; do
			echo "left: $d $(tr '\0' ' ' < "/proc/$d/cmdline")"
		done
		return 1
	}
	is "$(mounts)" "$MOUNTS_BEFORE" || return 1
	# nobody is left to remove the files of a step: the next one that is made does
	left=$(find "$XDG_RUNTIME_DIR" -mindepth 1 ! -path '*/gpurun' ! -path '*/gpurun/mnt' \
		! -path '*/gpurun/steps' ! -regex '.*/gpurun/steps/[^/]*-[0-9a-f]+\(\.json\|\.new\)?' 2>&1)
	[ -z "$left" ] || { echo "left in the state directory: $left"; return 1; }
	for d in tmp trash scratch; do
		[ -d "$GPURUN_STORE/v1/$d" ] || continue
		left=$(ls -A "$GPURUN_STORE/v1/$d")
		[ -z "$left" ] || { echo "left in the store's $d: $left"; return 1; }
	done
}
