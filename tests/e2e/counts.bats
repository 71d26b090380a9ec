#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a start costs, in counts that do not drift with the machine's load: system calls, page faults,
# instructions.  The marks are those of tests/bench/BASELINE.md; a count above its mark is a change
# that every start pays for.
load common

test_setup() {
	# -fsanitize and --coverage count for themselves
	! grep -qE '__(asan|gcov)_init' "$GPURUN" || skip "built with instruments"
	unset XDG_CONFIG_HOME ${!GPURUN_@}
	export GPURUN_STORE=$FILE_DIR/store
}

# at_most MARK COUNT
at_most() {
	echo "# $2, mark $1" >&3
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
	at_most 320 "$(awk '$NF == "total" { print $4 }' "$T/calls")"
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

# 16 layers, the lowest with a C library
layers() {
	local i options=()
	for ((i = 1; i < 16; i++)); do
		mkdir -p "$T/layer$i/opt"
		echo $i > "$T/layer$i/opt/$i"
		options+=(--layer "$T/layer$i")
	done
	mkimage "$IMAGES/bash" "${options[@]}" --oci --env PATH=/bin --cmd bash "$T/layers.tar"
}

@test "instructions from the first argument to the plan: 8 GPUs, 60 libraries, 16 layers" {
	need valgrind jq
	[ "$(uname -m)" = x86_64 ] || skip "the fixtures are those of x86_64"
	local count=(valgrind --tool=callgrind --callgrind-out-file="$T/profile")
	local plan=(--dry-run --sysroot "$REPO/tests/fixtures/host-gpu8" --driver-root "$T/driver" --gpus all
		"$T/layers.tar" sleep 0)
	bash "$HELPERS/driver-sixty.sh" "$T/driver"
	${CC:-cc} -O1 -shared -fPIC -o "$T/plain-open.so" "$HELPERS/plain-open.c"
	layers
	works "$T/layers.tar" sleep 0
	"$GPURUN" "${plan[@]}" > "$T/plan"
	is "$(jq '.container.root.lowers | length' "$T/plan")" 16
	is "$(jq '.gpus | length' "$T/plan")" 8
	is "$(jq '[.container.ops[] | select(.op == "bind" and (.dst | test("\\.so")))] | length' "$T/plan")" 60
	# From main on, so without ld.so, and without the printing.  Valgrind's openat2 is not there, and it
	# has no Landlock, which is all that may be another in the plan.
	LD_PRELOAD=$T/plain-open.so "${count[@]}" --toggle-collect=main --toggle-collect=plan_dump \
		"$GPURUN" "${plan[@]}" > "$T/counted" 2> "$T/said"
	is "$(jq -S '.process.landlock_dev = true' "$T/counted" | md5sum)" "$(jq -S '.process.landlock_dev = true' "$T/plan" | md5sum)"
	at_most 1500000 "$(awk '/Collected/ { print $NF }' "$T/said")"
}
