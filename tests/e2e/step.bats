#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The ranks of a step, as an ordinary user (root's are not shared), without Slurm: its variables
# make the step.  GPURUN_STEP_STRIDE=1 kills at every system call, not at some.
load common

STRIDE=${GPURUN_STEP_STRIDE:-23}
SPACES='echo $(readlink /proc/self/ns/user) $(readlink /proc/self/ns/mnt)'

test_setup_file() {
	export PEER=$FILE_DIR/peer FAULT=$FILE_DIR/fault
	${CC:-cc} -std=gnu17 -O2 -static -o "$PEER" "$HELPERS/step-peer.c"
	${CC:-cc} -std=gnu17 -O2 -o "$FAULT" "$HELPERS/fault.c"
}

test_setup() {
	export SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NTASKS=64 SLURM_STEP_TASKS_PER_NODE=64
	export SLURM_PROCID=0 SLURM_LOCALID=0
	cp "$PEER" peer
	RANKS=()
	KEY_DIR=$XDG_RUNTIME_DIR/gpurun/steps
}

test_teardown() {
	local pid
	for pid in "${RANKS[@]}"; do
		kill -9 "$pid" 2> /dev/null || true
	done
	wait
}

# rank N ARG... - what gpurun prints as rank N
rank() {
	SLURM_PROCID=$1 SLURM_LOCALID=$1 "$GPURUN" "${@:2}"
}

# stay N OPTION... - rank N stays; its namespaces are the first line of $T/rank.N; pids in RANKS
stay() {
	local n=$1
	shift
	SLURM_PROCID=$n SLURM_LOCALID=$n "$GPURUN" "$@" "$BUSYBOX" \
		sh -c "$SPACES; exec sleep 1000" > "$T/rank.$n" &
	RANKS+=($!)
	wait_for 10 test -s "$T/rank.$n"
}

# spaces N OPTION... - the namespaces in which rank N runs
spaces() {
	rank "$1" "${@:2}" "$BUSYBOX" sh -c "$SPACES"
}

isnt() {
	[ -n "$1" ] && [ "$1" != "$2" ] || { printf 'got %q\n' "$1"; return 1; }
}

# gone PID - kill and reap
gone() {
	kill -9 "$1"
	wait "$1" 2> /dev/null || true
}

@test "the ranks of a step on a node are in one container, those of another step are not" {
	need_user
	stay 0
	is "$(spaces 1)" "$(cat "$T/rank.0")"
	is "$(spaces 2)" "$(cat "$T/rank.0")"
	isnt "$(SLURM_STEP_ID=1 spaces 1)" "$(cat "$T/rank.0")"
	isnt "$(SLURM_JOB_ID=8 spaces 1)" "$(cat "$T/rank.0")"
	isnt "$(SLURM_RESTART_COUNT=1 spaces 1)" "$(cat "$T/rank.0")"
	isnt "$(spaces 1 --tmpfs /other)" "$(cat "$T/rank.0")"
	rank 0 "$BUSYBOX" sh -c 'echo seen > /file'
	is "$(rank 1 "$BUSYBOX" cat /file)" seen
}

@test "ranks that are to talk to each other are warned of a second container" {
	need_user
	stay 0
	export PMI_RANK=1
	works --tmpfs /other "$BUSYBOX" true
	says 'step 7.0: its ranks are in several containers'
	silent "$BUSYBOX" true
	unset PMI_RANK
	silent --tmpfs /other "$BUSYBOX" true
}

@test "all other namespaces, cgroup and /dev/shm are the job's" {
	need_user
	for n in pid ipc net uts cgroup; do
		is "$(rank 0 "$BUSYBOX" readlink /proc/self/ns/$n)" "$(readlink /proc/self/ns/$n)"
	done
	is "$(rank 0 "$BUSYBOX" stat -c %d /dev/shm)" "$(stat -c %d /dev/shm)"
}

@test "namespaces that the user wants private are the step's" {
	need_user
	private=(--ipc private --uts private --net none --hostname box)
	stay 0 "${private[@]}"
	look='hostname; for n in user mnt ipc uts net; do readlink /proc/self/ns/$n; done'
	is "$(rank 1 "${private[@]}" "$BUSYBOX" sh -c "$look")" "$(rank 2 "${private[@]}" "$BUSYBOX" sh -c "$look")"
	is "$(spaces 1 "${private[@]}")" "$(cat "$T/rank.0")"
	has "$(rank 1 "${private[@]}" "$BUSYBOX" hostname)" '^box$'
	isnt "$(rank 1 "${private[@]}" "$BUSYBOX" readlink /proc/self/ns/net)" "$(readlink /proc/self/ns/net)"
}

@test "ranks read each other's memory and compare descriptors; containers of their own cannot" {
	need_user
	for mode in step none; do
		SLURM_PROCID=0 "$GPURUN" --share $mode "$BUSYBOX" ./peer hold > "$T/hold.$mode" &
		RANKS+=($!)
		wait_for 10 test -s "$T/hold.$mode"
		read -r pid address < "$T/hold.$mode"
		is "$pid" $!
		output=$(rank 1 --share $mode "$BUSYBOX" ./peer read "$pid" "$address")
		if [ $mode = step ]; then
			is "$output" $'process_vm_readv: ok\ncontent: ok\nprocess_vm_writev: ok\nkcmp: ok'
		else
			has "$output" 'process_vm_readv: Operation not permitted'
		fi
	done
}

@test "all ranks end with the same capabilities, no_new_privs and the filter" {
	need_user
	look() { rank "$1" "${@:2}" "$BUSYBOX" grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/self/status; }
	for options in "" "--root"; do
		stay 0 $options
		is "$(look 1 $options)" "$(grep -E '^(Cap|NoNewPrivs|Seccomp)' "/proc/${RANKS[-1]}/status")"
		has "$(look 1 $options)" '^NoNewPrivs:.1$'
		gone "${RANKS[-1]}"
	done
}

@test "each rank has its working directory, which is made where it is missing" {
	need_user
	stay 0 -w /made/0
	is "$(readlink "/proc/${RANKS[0]}/cwd")" /made/0
	is "$(rank 1 -w /made/1 "$BUSYBOX" pwd)" /made/1
	is "$(rank 2 "$BUSYBOX" ls /made | tr '\n' ' ')" '0 1 '
	SLURM_PROCID=3 fails 125 -w /bin/busybox "$BUSYBOX" true
	says 'step workdir: '
	SLURM_PROCID=3 fails 125 -w /proc/no/such "$BUSYBOX" true
	says 'step workdir: '
}

@test "the command takes our place: pid, parent, exit status and signals are its own" {
	works "$BUSYBOX" sh -c 'echo $PPID'
	is "$output" "$BASHPID"
	is "$("$PEER" run "$GPURUN" "$BUSYBOX" sh -c 'exit 143')" 'exit 143'
	is "$("$PEER" run "$GPURUN" "$BUSYBOX" sh -c 'exit 0')" 'exit 0'
	for s in TERM:15 KILL:9 SEGV:11 USR1:10; do
		is "$("$PEER" run "$GPURUN" "$BUSYBOX" sh -c "kill -${s%:*} \$\$")" "signal ${s#*:}"
	done
	"$GPURUN" "$BUSYBOX" sh -c 'trap "echo got it; exit 3" USR1; echo ready; while :; do sleep 0.05; done' > "$T/out" &
	RANKS+=($!)
	wait_for 10 grep -q ready "$T/out"
	kill -USR1 $!
	status=0
	wait $! || status=$?
	is "$status" 3
	is "$(grep -c 'got it' "$T/out")" 1
}

@test "inherited descriptors keep their numbers, and none of ours is there" {
	echo text > text
	for options in "" "--share none"; do
		before=$("$PEER" open 9< text 77> other 3<&- 4<&- 5<&-)
		inside=$(rank 0 $options "$BUSYBOX" ./peer open 9< text 77> other 3<&- 4<&- 5<&-)
		is "$inside" "$before"
		has "$inside" ' 9 .*77 '
	done
	is "$(rank 0 "$BUSYBOX" sh -c 'cat <&9; echo written >&7' 9< text 7> other)" text
	is "$(cat other)" written
	is "$(: | rank 0 "$BUSYBOX" sh -c 'ls -l /proc/self/fd/0 | grep -c pipe')" 1
}

@test "ignored and blocked signals are the caller's choice" {
	local with="env --ignore-signal=USR1 --ignore-signal=PIPE --block-signal=USR2"
	for options in "" "--share none"; do
		is "$($with "$GPURUN" $options "$BUSYBOX" grep -E '^Sig(Ign|Blk)' /proc/self/status)" \
			"$($with grep -E '^Sig(Ign|Blk)' /proc/self/status)"
	done
}

@test "a file that the image names through our descriptors is not there" {
	for fd in 3 4 5 6 7 8 9 10 11 12; do
		fails 127 "$BUSYBOX" /proc/self/fd/$fd/bin/true
	done
}

@test "the file by which ranks find each other is not there inside" {
	need_user
	stay 0
	is "$(rank 1 "$BUSYBOX" sh -c "ls -A $XDG_RUNTIME_DIR; ls -A $XDG_RUNTIME_DIR/gpurun")" gpurun
	is "$(spaces 2)" "$(cat "$T/rank.0")"
}

@test "a program file that the user can write is not what runs inside, where Landlock is not" {
	need_user
	cp "$GPURUN" own
	for options in "--audit $T/audit --audit-end" "--share none --pid private --security-opt landlock=off"; do
		./own $options "$BUSYBOX" sh -c 'echo; exec sleep 1000' > started &
		RANKS+=($!)
		wait_for 10 test -s started
		is "$(readlink "/proc/$!/exe") $(cat "/proc/$!/comm")" '/memfd:gpurun (deleted) gpurun'
		kill $!
		rm started
	done
	is "$(./own "$BUSYBOX" ./peer open 9< own)" "$(./peer open 9< own)"
	# where home is mounted it can be written by its own name
	if ! getent passwd "$(id -u)" > /dev/null; then
		HOME=$PWD ./own --audit "$T/audit" --audit-end "$BUSYBOX" sh -c 'echo; exec sleep 1000' > started &
		RANKS+=($!)
		wait_for 10 test -s started
		is "$(readlink "/proc/$!/exe")" "$PWD/own"
	fi
}

@test "an error ends in one message and 125, before and after the container is entered" {
	fails 125 -v "$T/no-such:/data" "$BUSYBOX" true
	says "$T/no-such"
	fails 125 -v "$T/tmp:/etc/passwd" "$BUSYBOX" true
	says 'step mounts: /etc/passwd'
	fails 125 -w /proc/version "$BUSYBOX" true
	says 'step pivot: working directory /proc/version: Not a directory'
	fails 127 "$BUSYBOX" no-such-command
	says 'no-such-command'
	fails 126 "$BUSYBOX" /etc
	says '/etc: is a directory'
	is "$(rank 0 "$BUSYBOX" echo after)" after
}

@test "a container can be entered through any rank, as long as one lives" {
	need_user
	stay 0
	stay 1
	first=$(cat "$T/rank.0")
	is "$(cat "$T/rank.1")" "$first"
	gone "${RANKS[0]}" # who made it
	stay 2
	is "$(cat "$T/rank.2")" "$first"
	gone "${RANKS[1]}"
	stay 3
	is "$(cat "$T/rank.3")" "$first"
	gone "${RANKS[2]}"
	gone "${RANKS[3]}"
	stay 4
	isnt "$(cat "$T/rank.4")" "$first"
	is "$(spaces 5)" "$(cat "$T/rank.4")"
}

@test "a rank that ended and was not waited for is none" {
	need_user
	sh -c '"$@" > pid & exec sleep 1000' sh "$GPURUN" "$BUSYBOX" sh -c 'echo $$; exec sleep 1000' &
	RANKS+=($!)
	wait_for 10 test -s pid
	pid=$(cat pid)
	before=$(readlink "/proc/$pid/ns/mnt")
	is "$(rank 1 "$BUSYBOX" readlink /proc/self/ns/mnt)" "$before"
	kill -9 "$pid"
	wait_for 5 grep -q '^State:.Z' "/proc/$pid/status"
	stay 2
	is "$(spaces 3)" "$(cat "$T/rank.2")"
}

@test "the step's file does not grow with the ranks that came and went" {
	need_user
	stay 0
	before=$(stat -c %s "$KEY_DIR"/*[0-9a-f])
	for n in 1 2 3 4 5 6 7 8; do
		rank $n "$BUSYBOX" true
	done
	[ "$(stat -c %s "$KEY_DIR"/*[0-9a-f])" -le $((2 * before)) ]
	for step in 1 2 3 4; do
		SLURM_STEP_ID=$step rank 0 "$BUSYBOX" true
	done
	is "$(find "$KEY_DIR" -name '7.*[0-9a-f]' | wc -l)" 2
}

# ranks N - so many at once; each says its namespaces
ranks() {
	local n pids=()
	for ((n = 0; n < $1; n++)); do
		spaces $n > "$T/spaces.$n" 2> "$T/err.$n" &
		pids+=($!)
	done
	for n in "${pids[@]}"; do
		wait "$n" || { cat "$T"/err.*; return 1; }
	done
	cat "$T"/err.* >&2
}

@test "64 ranks at once" {
	need_user
	stay 64
	ranks 64
	is "$(cat "$T"/err.*)" ''
	is "$(cat "$T"/spaces.* | sort -u)" "$(cat "$T/rank.64")"
	is "$(cat "$T"/spaces.* | wc -l)" 64
}

@test "64 ranks at once, with nobody there before" {
	need_user
	ranks 64
	is "$(cat "$T"/err.*)" ''
	is "$(cat "$T"/spaces.* | wc -l)" 64
}

@test "ranks that are killed while they start, at any moment, leave the others able to work" {
	need_user
	local round n pids
	for round in 1 2 3 4 5 6 7 8 9 10; do
		pids=()
		for n in 0 1 2 3 4 5; do
			spaces $n > "$T/spaces.$n" &
			pids+=($!)
		done
		sleep 0.00$((RANDOM % 10))$((RANDOM % 10))
		kill -9 "${pids[0]}" "${pids[RANDOM % 5 + 1]}" || true
		for n in "${pids[@]}"; do
			status=0
			wait "$n" || status=$?
			[ $status = 0 ] || [ $status = 137 ]
		done
		works "$BUSYBOX" true
		is "$stderr" ''
	done
}

# kill_at ROLE:N - a rank whose process ROLE is killed in front of its N-th system call; false when
# it makes no more than that
kill_at() {
	status=0
	timeout -s KILL 20 "$FAULT" -k "$1" -o "$T/hit" "$GPURUN" "$BUSYBOX" true \
		> "$T/stdout" 2> "$T/stderr" || status=$?
	stderr=$(cat "$T/stderr")
	grep -q hit "$T/hit"
}

# calls ROLE - how many calls the process makes in a start
calls() {
	"$FAULT" -n "$T/calls" "$GPURUN" "$BUSYBOX" true
	sed -n "s/^$1://p" "$T/calls"
}

@test "the rank that makes the container is killed between any two system calls" {
	local n max
	works "$BUSYBOX" true # makes directories
	max=$(calls 0)
	[ "$max" -gt 100 ]
	for ((n = max % STRIDE + 1; n < max; n += STRIDE)); do
		kill_at 0:$n
		is "$status" 137
		works "$BUSYBOX" true
		is "$stderr" ''
	done
}

@test "the child that makes it is killed between any two system calls" {
	local n max
	works "$BUSYBOX" true
	max=$(calls 1)
	[ "$max" -gt 50 ]
	for ((n = max % STRIDE + 1; n < max; n += STRIDE)); do
		kill_at 1:$n
		# the rank has entered already, or it says that it could not
		[ "$status" = 0 ] || { is "$status" 125 && one_message; }
		works "$BUSYBOX" true
		is "$stderr" ''
	done
}

@test "a rank that joins is killed between any two system calls" {
	need_user
	local n max
	stay 0
	max=$(calls 0)
	for ((n = max % STRIDE + 1; n < max; n += STRIDE)); do
		kill_at 0:$n
		is "$status" 137
		is "$(spaces 1)" "$(cat "$T/rank.0")"
	done
	kill -0 "${RANKS[0]}"
}

@test "--share none: a container for each rank, with its device list; the command still takes our place" {
	stay 0 --share none
	isnt "$(spaces 1 --share none)" "$(cat "$T/rank.0")"
	works --share none "$BUSYBOX" sh -c 'echo $PPID'
	is "$output" "$BASHPID"
	is "$(rank 0 --share none "$BUSYBOX" readlink /proc/self/ns/pid)" "$(readlink /proc/self/ns/pid)"
	has "$("$GPURUN" --share none --dry-run "$BUSYBOX" true)" '"landlock_dev": true'
	if has "$(cat /sys/kernel/security/lsm)" landlock; then
		fails 126 --share none "$BUSYBOX" /proc/self/exe version
	fi
}

@test "what a shared step cannot have is refused with the reason" {
	need_user
	fails 125 --pid private "$BUSYBOX" true
	hints -- '--share none'
	fails 125 -t "$BUSYBOX" true
	hints 'srun --pty'
	unset ${!SLURM_@}
	fails 125 --share step "$BUSYBOX" true
}

@test "started by root every rank has a container of its own, which is what --share step cannot have" {
	need_root
	stay 0
	isnt "$(spaces 1)" "$(cat "$T/rank.0")"
	fails 125 --share step "$BUSYBOX" true
	is "$("$PEER" run "$GPURUN" "$BUSYBOX" sh -c 'kill -TERM $$')" 'signal 15'
}

@test "a command whose end is recorded is supervised, and ends as it would alone" {
	audited=("$GPURUN" --audit "$T/audit" --audit-end "$BUSYBOX")
	is "$("$PEER" run "${audited[@]}" sh -c 'exit 9')" 'exit 9'
	is "$("$PEER" run "${audited[@]}" sh -c 'kill -USR1 $$')" 'signal 10'
	[ "$(id -u)" != 0 ] || return 0 # ranks of root share nothing
	stay 0 --audit "$T/audit" --audit-end
	is "$(spaces 1)" "$(cat "$T/rank.0")"
	kill -TERM "${RANKS[0]}"
	status=0
	wait "${RANKS[0]}" || status=$?
	is "$status" 143
	is "$(grep -c '"event": *"start"' "$T/audit")" 3
	is "$(grep -c '"event": *"end"' "$T/audit")" 3
}
