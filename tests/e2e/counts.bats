#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a start costs, in counts that do not drift with the machine's load: system calls, page faults,
# instructions.  A count above its limit is a change that every start pays for.  The limits are the
# marks of tests/bench/BASELINE.md, but for the system calls: 320 are wanted, about 350 are made (how
# many depends on the depth of the control group), 40 before libc's main and the command's own; and by
# root 13 more for a cgroup with a device filter.
load common

test_setup() {
	# sanitizers and coverage count for themselves
	! grep -qE '__asan_init|__llvm_profile' "$GPURUN" || skip "built with instruments"
	unset XDG_CONFIG_HOME ${!GPURUN_@}
	export GPURUN_STORE=$FILE_DIR/store
}

# at_most LIMIT COUNT
at_most() {
	echo "# $2, limit $1" >&3
	[ "$2" -gt 0 ] && [ "$2" -le "$1" ]
}

# without Landlock gpurun may go on from a copy of itself, which is more
need_landlock() {
	need jq
	[ "$("$GPURUN" --dry-run "$BUSYBOX" true | jq .process.landlock_dev)" = true ] || cannot "no Landlock here"
}

@test "system calls of a warm start" {
	need strace
	need_landlock
	silent "$BUSYBOX" true
	strace -f -c -o "$T/calls" "$GPURUN" "$BUSYBOX" true
	at_most 383 "$(awk '$NF == "total" { print $4 }' "$T/calls")"
}

@test "page faults of a warm start" {
	need python3
	need_landlock
	silent "$BUSYBOX" true
	# wait4: those of all that were waited for, the reaper and the command as well
	cat > "$T/faults" <<- 'END'
		import os, sys
		counts = []
		for i in range(9):
		    pid = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ)
		    _, status, use = os.wait4(pid, 0)
		    if status:
		        sys.exit(1)
		    counts.append(use.ru_minflt)
		print(sorted(counts)[4])
	END
	at_most 250 "$(python3 "$T/faults" "$GPURUN" "$BUSYBOX" true)"
}

@test "instructions from main to the plan: 8 GPUs, 60 libraries, 16 layers" {
	need valgrind jq
	[ "$(uname -m)" = x86_64 ] || skip "the fixtures are those of x86_64"
	at_most 1500000 "$(bash "$HELPERS/instructions.sh" "$GPURUN" "$T")"
}
