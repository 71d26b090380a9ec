#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a process in a container can make others believe when it reaches a directory of records:
# each container here has its own state elsewhere, so nothing covers the one that is given to it.
load common

test_setup_file() {
	export FORGE=$FILE_DIR/forge
	${CC:-cc} -std=gnu17 -O2 -static -o "$FORGE" "$HELPERS/forge.c"
}

test_setup() {
	cp "$FORGE" forge
	OTHERS=() OUTSIDE=()
	mkdir -m 700 "$T/other"
}

test_teardown() {
	local pid
	for pid in "${OTHERS[@]}"; do
		kill -9 "$pid" 2> /dev/null || true
	done
	wait
	# nobody is left to hold the lock of what was forged
	"$GPURUN" ps > /dev/null
}

# attacker OUT COMMAND... - in a container that sees our state directory as /shared
attacker() {
	local out=$1
	shift
	env "${OUTSIDE[@]}" XDG_RUNTIME_DIR="$T/other" "$GPURUN" --pid host -v "$XDG_RUNTIME_DIR:/shared" \
		-v "$PWD:/w" "$BUSYBOX" "$@" > "$out" &
	OTHERS+=($!)
	wait_for 10 test -s "$out"
}

# record ID NAME - one that grants everything
record() {
	printf '{"id":"%s","name":"%s","image":"x","command":"x","launcher":PID,"payload":PID,"payload_start":START,"created":1700000000,"step":"","image_id":"",\n"plan":%s}\n' "$1" "$2" \
		'{"container":{"uid_map":[{"inside":0}]},"process":{"env":[],"cwd":"/","caps":{"bounding":[21],"keep":[21],"ambient":[]},"seccomp":"unconfined","landlock_dev":false}}'
}

step_of_a_job() {
	export SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NTASKS=8 SLURM_STEP_TASKS_PER_NODE=8
	export SLURM_PROCID=0 SLURM_LOCALID=0
	OUTSIDE=(-u SLURM_JOB_ID -u SLURM_STEP_ID -u SLURM_PROCID -u SLURM_LOCALID -u SLURM_NTASKS)
}

# stay N - rank N stays
stay() {
	SLURM_PROCID=$1 SLURM_LOCALID=$1 "$GPURUN" "$BUSYBOX" \
		sh -c 'readlink /proc/self/ns/mnt; exec sleep 1000' > "$T/rank.$1" &
	OTHERS+=($!)
	wait_for 10 test -s "$T/rank.$1"
}

@test "a record that a container has made is nobody's" {
	works ps
	record aaaaaaaaaaaa victim > forged.json
	attacker "$T/said" sh -c '/w/forge /shared/gpurun/aaaaaaaaaaaa < /w/forged.json'
	is "$(cat "$T/said")" ready
	works ps
	hasnt "$output" victim
	fails 125 exec victim true
	says 'victim: no running container'
	fails 125 kill victim
	says 'victim: no running container'
	# the same outside of a container is one
	record bbbbbbbbbbbb control > control.json
	./forge "$XDG_RUNTIME_DIR/gpurun/bbbbbbbbbbbb" < control.json > control &
	OTHERS+=($!)
	wait_for 10 test -s control
	works ps
	has "$output" control
}

@test "the lock of a living launcher does not vouch for what a container writes into its file" {
	"$GPURUN" --name victim "$BUSYBOX" sleep 1000 &
	OTHERS+=($!)
	wait_for 10 "$GPURUN" exec victim true
	works exec victim true
	id=$("$GPURUN" ps | awk '$2 == "victim" { print $1 }')
	record "$id" victim | sed "s/PID/$!/g; s/START/$(cut -d' ' -f22 "/proc/$!/stat")/" > forged.json
	attacker "$T/said" sh -c "cat /w/forged.json > /shared/gpurun/$id; echo ready"
	fails 125 exec victim true
	works ps
	hasnt "$output" victim
}

@test "a slot that a container has written draws no rank into it, and is not signalled" {
	need_user
	step_of_a_job
	works "$BUSYBOX" true
	key=$(basename "$XDG_RUNTIME_DIR/gpurun/steps"/7.0-*[0-9a-f])
	attacker "$T/said" sh -c "echo mine > /here; exec /w/forge slot /shared/gpurun/steps/$key"
	is "$(cat "$XDG_RUNTIME_DIR/gpurun/steps/$key")" "$(cat "$T/said")"
	read -r pid _ < "$T/said"
	works "$BUSYBOX" sh -c 'test ! -e /here'
	# with a rank of its own behind it
	stay 0
	works "$BUSYBOX" readlink /proc/self/ns/mnt
	is "$output" "$(cat "$T/rank.0")"
	works exec 7.0 sh -c 'test ! -e /here && readlink /proc/self/ns/mnt'
	is "$output" "$(cat "$T/rank.0")"
	works kill -s KILL 7.0
	kill -0 "$pid"
}

@test "the record of a step is believed as it was when the container was made" {
	step_of_a_job
	stay 0
	works exec 7.0 grep Seccomp: /proc/self/status
	has "$output" 2
	file=$(echo "$XDG_RUNTIME_DIR/gpurun/steps"/7.0-*.json)
	sed -i 's/"seccomp": "[a-z]*"/"seccomp": "unconfined"/' "$file"
	grep -q '"seccomp": "unconfined"' "$file"
	fails 125 exec 7.0 grep Seccomp: /proc/self/status
	is "$output" ''
}

@test "exec has the profile that the container was started with, or none is had" {
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' > p.json
	cp p.json then.json
	"$GPURUN" -C --name one --security-opt seccomp=./p.json "$BUSYBOX" \
		sh -c 'echo "{\"defaultAction\":\"SCMP_ACT_ALLOW\"}" > p.json; echo > ready; exec sleep 1000' &
	OTHERS+=($!)
	wait_for 10 test -e ready
	fails 125 exec one mkdir /new
	says 'p.json: is not the profile that the container was started with'
	cp then.json p.json
	try exec one mkdir /new
	[ "$status" = 1 ]
	works exec one true
}

@test "ranks behind different filters do not share, whatever the file is called" {
	need_user
	step_of_a_job
	look() { "$GPURUN" --security-opt seccomp=./p.json "$BUSYBOX" readlink /proc/self/ns/mnt; }
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}' > p.json
	"$GPURUN" --security-opt seccomp=./p.json "$BUSYBOX" sh -c 'readlink /proc/self/ns/mnt; exec sleep 1000' > "$T/rank.0" &
	OTHERS+=($!)
	wait_for 10 test -s "$T/rank.0"
	is "$(look)" "$(cat "$T/rank.0")"
	echo '{"defaultAction":"SCMP_ACT_ALLOW"}' > p.json
	[ "$(look)" != "$(cat "$T/rank.0")" ]
}

@test "root's exec cannot take the masks away" {
	[ "$(id -u)" = 0 ] || skip "for root"
	"$GPURUN" --name one --nested "$BUSYBOX" sleep 1000 &
	OTHERS+=($!)
	wait_for 10 "$GPURUN" exec one true
	fails 125 exec --cap-add SYS_ADMIN one umount /proc/sys
	says 'CAP_SYS_ADMIN: not when started by root'
	works exec --cap-add NET_RAW one true
}

@test "a directory that is not only ours is refused, and no other taken" {
	mkdir -m 755 "$XDG_RUNTIME_DIR/gpurun"
	fails 125 "$BUSYBOX" true
	says 'no directory for the state of containers: .*mode 0755'
	hints 'chmod 700'
	rmdir "$XDG_RUNTIME_DIR/gpurun"
}
