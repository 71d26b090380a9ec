#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The verbs on the container of a step: ps, exec, kill, inspect, rm, prune, and --keep from step to
# step.  Its ranks are an ordinary user's (root's are not shared), its variables make the step.
load common

SPACES='echo $(readlink /proc/self/ns/user) $(readlink /proc/self/ns/mnt)'

test_setup_file() {
	export PEER=$FILE_DIR/peer
	${CC:-cc} -std=gnu17 -O2 -static -o "$PEER" "$HELPERS/step-peer.c"
}

test_setup() {
	need_user
	cp "$PEER" peer
	RANKS=()
}

test_teardown() {
	local pid
	for pid in "${RANKS[@]}"; do
		kill -9 "$pid" 2> /dev/null || true
	done
	wait
	"$GPURUN" ps > /dev/null 2>&1 || true
}

# in_step J.S N COMMAND... - as rank N of that step
in_step() {
	env SLURM_JOB_ID="${1%.*}" SLURM_STEP_ID="${1#*.}" SLURM_NTASKS=64 \
		SLURM_STEP_TASKS_PER_NODE=64 SLURM_PROCID="$2" SLURM_LOCALID="$2" "${@:3}"
}

# The same in the background: its pid is $!.
start_in_step() {
	(exec env SLURM_JOB_ID="${1%.*}" SLURM_STEP_ID="${1#*.}" SLURM_NTASKS=64 \
		SLURM_STEP_TASKS_PER_NODE=64 SLURM_PROCID="$2" SLURM_LOCALID="$2" "${@:3}") &
	RANKS+=($!)
}

# rank J.S N OPTION... - that rank stays; what it says of itself is in $T/J.S.N, its pid in RANKS
rank() {
	local out=$T/$1.$2
	start_in_step "$1" "$2" "$GPURUN" "${@:3}" "$BUSYBOX" sh -c "$SPACES
		trap 'echo got TERM; exit 3' TERM; trap 'echo got USR1' USR1
		while :; do sleep 0.05; done" > "$out"
	wait_for 10 test -s "$out"
}

gone() {
	kill -9 "$1"
	wait "$1" 2> /dev/null || true
}

# ids J.S - of its containers, as ps tells them
ids() {
	"$GPURUN" ps | awk -v step="$1" '$3 == step { print $1 }'
}

files_of_steps() {
	find "$XDG_RUNTIME_DIR/gpurun/steps" -type f | wc -l
}

@test "ps: the step and its ranks" {
	rank 7.0 0
	rank 7.0 1 --name train
	rank 7.1 0
	works ps
	has "$output" '^ID +NAME +STEP +RANKS '
	has "$output" '^[0-9a-f]{12} +- +7\.0 +2 '
	has "$output" '^[0-9a-f]{12} +- +7\.1 +1 '
	works ps --json
	need python3
	python3 -c 'import json, sys
c = {x["step"]: x for x in json.load(sys.stdin)}
assert set(c) == {"7.0", "7.1"}, c
assert c["7.0"]["ranks"] == 2 and c["7.0"]["launcher"] == 0, c
assert c["7.0"]["payload"] == int(sys.argv[1]), c' "${RANKS[0]}" <<< "$output"
	gone "${RANKS[0]}"
	works ps
	has "$output" " 7\.0 +1 +${RANKS[1]} "
	gone "${RANKS[1]}"
	works ps
	hasnt "$output" ' 7\.0 '
	is "$(files_of_steps)" 2
}

@test "exec JOB.STEP: into the same container, from a shell and from another step" {
	rank 7.0 0 -w /tmp
	rank 7.0 1 -w /tmp
	works exec 7.0 sh -c "$SPACES; pwd"
	is "$output" "$(cat "$T/7.0.0")"$'\n'/tmp
	is "$(in_step 7.1 0 "$GPURUN" exec 7.0 sh -c "$SPACES")" "$(cat "$T/7.0.1")"
	works exec "$(ids 7.0)" sh -c 'echo x > /file; grep -E "^(Cap|NoNew|Seccomp:)" /proc/self/status'
	is "$output" "$(grep -E '^(Cap|NoNew|Seccomp:)' "/proc/${RANKS[1]}/status")"
	is "$(in_step 7.0 2 "$GPURUN" -w /tmp "$BUSYBOX" cat /file)" x
	is "$(echo through | "$GPURUN" exec 7.0 cat)" through
	try exec 7.0 sh -c 'exit 9'
	is "$status" 9
	try exec 7.0 sh -c 'kill -9 $$'
	is "$status" 137
	fails 127 exec 7.0 no-such-command
	fails 125 exec 7.1 true
	says '7\.1'
	fails 125 exec 7 true
}

@test "exec: the environment of the container, but of no rank" {
	export PMI_FD=11 PMIX_RANK=0 OMPI_COMM_WORLD_RANK=0 KEPT=1
	rank 7.0 0 -e GIVEN=2
	works exec 7.0 env
	has "$output" '^SLURM_JOB_ID=7$'
	has "$output" '^SLURM_STEP_ID=0$'
	has "$output" '^KEPT=1$'
	has "$output" '^GIVEN=2$'
	hasnt "$output" '^(PMI|OMPI_COMM|SLURM_(PROC|LOCAL)ID)'
	works exec -e PMI_RANK=3 7.0 sh -c 'echo $PMI_RANK'
	is "$output" 3
}

@test "exec: through any rank that lives" {
	rank 7.0 0
	# the owner of a container may look into what nobody else may
	start_in_step 7.0 1 "$GPURUN" "$BUSYBOX" sh -c \
		'cp /bin/busybox ./sleep && chmod 111 sleep && echo ready && exec ./sleep 1000' > "$T/closed"
	wait_for 10 grep -q ready "$T/closed"
	rank 7.0 2
	gone "${RANKS[0]}"
	is "$("$GPURUN" exec 7.0 sh -c "$SPACES")" "$(cat "$T/7.0.0")"
	gone "${RANKS[2]}"
	is "$("$GPURUN" exec 7.0 sh -c "$SPACES")" "$(cat "$T/7.0.0")"
	works kill -s KILL 7.0
	wait "${RANKS[1]}" || is $? 137
	fails 125 exec 7.0 true
}

@test "several containers of one step: each by its id" {
	rank 7.0 0
	rank 7.0 1 --tmpfs /other
	rank 7.0 2 --tmpfs /other
	fails 125 exec 7.0 true
	for id in $(ids 7.0); do
		says "$id"
	done
	for id in $(ids 7.0); do
		works exec "$id" true
	done
	is "$(ids 7.0 | wc -l)" 2
	fails 125 kill 7.0
	fails 125 inspect 7.0
}

@test "--name: all ranks of a step may bring it, nobody else" {
	rank 7.0 0 --name train
	rank 7.0 1 --name train
	is "$(cat "$T/7.0.1")" "$(cat "$T/7.0.0")"
	works exec train true
	fails 125 --name train "$BUSYBOX" true
	says 'train'
}

@test "kill: every rank, with the signal, after a time, for good" {
	rank 7.0 0
	rank 7.0 1
	works kill -s USR1 7.0
	for n in 0 1; do
		wait_for 5 grep -q 'got USR1' "$T/7.0.$n"
	done
	works kill 7.0
	for n in 0 1; do
		wait "${RANKS[n]}" || is $? 3
		is "$(grep -c 'got USR1' "$T/7.0.$n")" 1
		is "$(grep -c 'got TERM' "$T/7.0.$n")" 1
	done
	is "$("$GPURUN" ps | wc -l)" 1
	is "$(files_of_steps)" 0
	rank 7.0 2
	start_in_step 7.0 3 "$GPURUN" "$BUSYBOX" sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done' > "$T/stubborn"
	wait_for 10 grep -q ready "$T/stubborn"
	works kill --time 1 7.0
	wait "${RANKS[2]}" || is $? 3
	wait "${RANKS[3]}" || is $? 137
	fails 125 kill 7.0
}

@test "inspect: what was decided for a step" {
	rank 7.0 0 -v "$T/tmp:/data"
	rank 7.0 1 -v "$T/tmp:/data"
	works inspect 7.0
	has "$output" '^step +7\.0$'
	has "$output" '^ranks +2$'
	has "$output" "--volume"
	hasnt "$output" '^launcher'
	works inspect --json 7.0
	need python3
	python3 -c 'import json, sys
c = json.load(sys.stdin)
assert c["step"] == "7.0" and c["ranks"] == 2, c
assert c["plan"]["container"]["share_key"].startswith("7.0-"), c' <<< "$output"
}

@test "a debugger: attaches to a rank from exec and from another rank" {
	start_in_step 7.0 0 "$GPURUN" "$BUSYBOX" ./peer hold > "$T/hold"
	wait_for 10 test -s "$T/hold"
	read -r pid address < "$T/hold"
	want=$'attach: ok\npeek: ok\npoke: ok\ndetach: ok'
	is "$("$GPURUN" exec 7.0 "$PWD/peer" trace "$pid" "$address")" "$want"
	is "$(in_step 7.1 0 "$GPURUN" exec 7.0 "$PWD/peer" trace "$pid" "$address")" "$want"
	is "$(in_step 7.0 1 "$GPURUN" "$BUSYBOX" ./peer trace "$pid" "$address")" "$want"
	# a container of its own is another user namespace
	has "$(in_step 7.0 1 "$GPURUN" --share none "$BUSYBOX" ./peer trace "$pid" "$address")" \
		'attach: Operation not permitted'
	kill -0 "$pid"
}

@test "gdb in a step" {
	command -v gdb > /dev/null || cannot "gdb is not installed"
	host=(-v /usr:/usr:ro -v /lib:/lib:ro)
	[ ! -d /lib64 ] || host+=(-v /lib64:/lib64:ro)
	start_in_step 7.0 0 "$GPURUN" "${host[@]}" "$BUSYBOX" ./peer hold > "$T/hold"
	wait_for 10 test -s "$T/hold"
	works exec 7.0 "$(readlink -f "$(command -v gdb)")" -nx -batch -p "${RANKS[0]}" \
		-ex 'print *(char *)&theirs' -ex 'info inferiors'
	has "$output" "= 109 'm'"
	has "$output" "process ${RANKS[0]}"
	kill -0 "${RANKS[0]}"
}

@test "--keep: what one step writes the next one finds; one container at a time" {
	export GPURUN_STORE=$T/store
	rank 7.0 0 --keep work
	rank 7.0 1 --keep work
	is "$(cat "$T/7.0.1")" "$(cat "$T/7.0.0")"
	"$GPURUN" exec 7.0 sh -c 'echo x > /kept'
	is "$(in_step 7.0 2 "$GPURUN" --keep work "$BUSYBOX" cat /kept)" x
	try_command in_step 7.1 0 "$GPURUN" --keep work "$BUSYBOX" true
	is "$status" 125
	one_message
	says 'step 7\.0 is using it'
	try_command in_step 7.0 3 "$GPURUN" --keep work --tmpfs /other "$BUSYBOX" true
	is "$status" 125
	says 'step 7\.0 is using it'
	fails 125 --keep work "$BUSYBOX" true
	says 'step 7\.0 is using it'
	fails 125 exec 7.1 true
	works --keep other "$BUSYBOX" true
	gone "${RANKS[0]}"
	fails 125 --keep work "$BUSYBOX" true
	gone "${RANKS[1]}"
	is "$(in_step 7.1 0 "$GPURUN" --keep work "$BUSYBOX" cat /kept)" x
	works --keep work "$BUSYBOX" cat /kept
	is "$output" x
	"$GPURUN" -q --keep work "$BUSYBOX" sh -c 'echo ready; sleep 100' > "$T/out" &
	RANKS+=($!)
	wait_for 10 grep -q ready "$T/out"
	try_command in_step 7.2 0 "$GPURUN" --keep work "$BUSYBOX" true
	is "$status" 125
	says 'another container is using it'
}

@test "--keep: many ranks at once, where nothing is kept yet" {
	export GPURUN_STORE=$T/store
	"$GPURUN" -q "$BUSYBOX" true
	for n in 0 1 2 3 4 5 6 7; do
		start_in_step 7.0 $n "$GPURUN" --keep work "$BUSYBOX" sh -c "touch /rank.$n" 2> "$T/err.$n"
	done
	for n in "${RANKS[@]}"; do
		wait "$n" || { cat "$T"/err.*; false; }
	done
	is "$(cat "$T"/err.*)" ''
	works --keep work "$BUSYBOX" sh -c 'ls -d /rank.* | wc -l'
	is "$output" 8
}

@test "rm and prune leave the image of a living step" {
	export GPURUN_STORE=$T/store
	rank 7.0 0
	works images
	has "$output" 'in use'
	fails 125 rm busybox
	says 'in use'
	works prune --all
	has "$output" '^0 images'
	is "$("$GPURUN" exec 7.0 sh -c 'cat /etc/os-release > /dev/null && echo there')" there
	gone "${RANKS[0]}"
	works images
	hasnt "$output" 'in use'
	works rm busybox
}

@test "scratch on disk of a rank that nobody supervises stays as long as the rank" {
	mkdir "$T/scratch"
	rank 7.0 0 --share none --scratch "$T/scratch"
	works --scratch "$T/scratch" "$BUSYBOX" true
	is "$(find "$T/scratch" -mindepth 1 -maxdepth 1 | wc -l)" 1
	is "$("$GPURUN" exec 7.0 sh -c 'echo x > /file; cat /file')" x
	gone "${RANKS[0]}"
	works --scratch "$T/scratch" "$BUSYBOX" true
	is "$(find "$T/scratch" -mindepth 1 -maxdepth 1 | wc -l)" 0
}

@test "any bytes in the files of steps" {
	rank 7.0 0
	dir=$XDG_RUNTIME_DIR/gpurun/steps
	key=$(basename "$dir"/7.0-*[0-9a-f])
	head -c 3000 /dev/urandom > "$dir/8.0-0123456789abcdef"
	head -c 3000 /dev/urandom > "$dir/8.0-0123456789abcdef.json"
	printf '%10d %20d %20d %20d\n' 1 1 1 1 -1 0 0 0 >> "$dir/$key"
	head -c 300 /dev/urandom >> "$dir/$key"
	touch "$dir/README"
	mkdir "$dir/9.0-0123456789abcdef"
	works ps
	is "$(wc -l <<< "$output")" 2
	rank 7.0 1
	is "$(cat "$T/7.0.1")" "$(cat "$T/7.0.0")"
	echo '{"id":' > "$dir/$key.json"
	works ps
	is "$(wc -l <<< "$output")" 1
	rank 7.0 2
	is "$(cat "$T/7.0.2")" "$(cat "$T/7.0.0")"
	fails 125 exec 7.0 true
	head -c 3000 /dev/urandom > "$dir/$key"
	rank 7.0 3
	works exec 7.0 sh -c "$SPACES"
	is "$output" "$(cat "$T/7.0.3")"
	rm -r "$dir/README" "$dir/9.0-0123456789abcdef"
}

@test "prune removes what dead steps left" {
	for n in 0 1 2; do
		rank 7.$n 0
	done
	for n in 0 1; do
		gone "${RANKS[n]}"
	done
	is "$(files_of_steps)" 6
	works prune
	is "$(files_of_steps)" 2
}
