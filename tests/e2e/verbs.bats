#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ps, exec, kill, inspect, version, help.
load common

# A running container named by $1, with options in the rest.
start() {
	local name=$1
	shift
	"$GPURUN" --name "$name" "$@" "$BUSYBOX" sh -c \
		'trap "echo got TERM; exit 3" TERM; trap "echo got USR1" USR1; echo x > /mine; echo ready; while :; do sleep 0.05; done' \
		> "$T/out" 2>&1 < /dev/null &
	PID=$!
	wait_for 5 grep -q ready "$T/out"
	# the record is written while the command starts
	wait_for 5 "$GPURUN" inspect "$name"
}

stop() {
	kill -9 "$PID" 2> /dev/null || true
	wait "$PID" || true
}

test_teardown() {
	[ -z "${PID-}" ] || kill -9 "$PID" 2> /dev/null || true
	wait_for 3 no_process || true
	"$GPURUN" ps > /dev/null 2>&1 || true
}

@test "ps: nothing, one, two; text and JSON" {
	works ps --json
	is "$(tr -d ' \n' <<< "$output")" '[]'
	start one
	works ps
	has "$output" one
	has "$output" busybox.tar
	works ps --json
	need python3
	python3 -c 'import json,sys; c = json.load(sys.stdin); assert len(c) == 1 and c[0]["name"] == "one", c' <<< "$output"
	stop
	works ps --json
	is "$(tr -d ' \n' <<< "$output")" '[]'
}

@test "exec: the same container, by name, id and prefix" {
	start one -e FROM_RUN=1 -w /tmp
	works exec one cat /mine
	is "$output" x
	id=$("$GPURUN" ps --json | tr -d ' \n' | sed 's/.*"id":"\([0-9a-f]*\)".*/\1/')
	works exec "$id" cat /mine
	works exec "${id:0:5}" cat /mine
	works exec -e A=b -w /etc one sh -c 'echo $A $FROM_RUN; pwd; cat /proc/self/status'
	has "$output" '^b( 1)?$'
	has "$output" '^/etc$'
	has "$output" '^CapEff:.0000000000000000$'
	has "$output" '^CapBnd:.0000000000000000$'
	has "$output" '^NoNewPrivs:.1$'
	has "$output" '^Seccomp:.2$'
	for ns in pid ipc mnt user; do
		works exec one readlink /proc/self/ns/$ns
		[ "$output" != "$(readlink /proc/self/ns/$ns)" ]
	done
	stop
}

@test "exec: status, signals, stdin, descriptors" {
	start one
	try exec one sh -c 'exit 9'
	is "$status" 9
	try exec one sh -c 'kill -9 $$'
	is "$status" 137
	fails 127 exec one no-such-command
	fails 126 exec one /etc/passwd
	is "$(echo through | "$GPURUN" exec one cat)" through
	exec 7< /etc/passwd
	works exec one sh -c 'ls /proc/self/fd | tr "\n" " "'
	is "$output" '0 1 2 3 '
	exec 7<&-
	stop
}

@test "exec -t" {
	need python3
	start one
	run python3 "$HELPERS/terminal.py" $'expect /dev/pts\nexpect 24 80\nend 4\n' \
		"$GPURUN" exec -t one sh -c 'tty; stty size; exit 4'
	[ "$status" = 0 ] || { echo "$output"; false; }
	stop
}

@test "exec into --root, and -u" {
	start one --root
	works exec one id -u
	is "$output" 0
	stop
}

@test "kill: the stop signal, another one, and after a time" {
	start one
	works kill -s USR1 one
	wait_for 3 grep -q 'got USR1' "$T/out"
	works kill one
	wait $PID || is $? 3
	has "$(cat "$T/out")" 'got TERM'
	"$GPURUN" -q --name stubborn "$BUSYBOX" sh -c 'trap "" TERM; echo ready; while :; do sleep 0.05; done' > "$T/out" &
	PID=$!
	wait_for 5 grep -q ready "$T/out"
	works kill --time 1 stubborn
	wait $PID || is $? 137
}

@test "kill sends the image's StopSignal" {
	mkimage "$IMAGES/busybox" --docker --env PATH=/bin --stop-signal SIGUSR2 "$T/image"
	"$GPURUN" -q --name s "$T/image" sh -c 'trap "echo got USR2; exit 6" USR2; echo ready; while :; do sleep 0.05; done' > "$T/out" &
	PID=$!
	wait_for 5 grep -q ready "$T/out"
	works kill s
	wait $PID || is $? 6
	has "$(cat "$T/out")" 'got USR2'
}

@test "inspect: an image and a running container" {
	works inspect "$BUSYBOX"
	[ -n "$output" ]
	works inspect --json "$BUSYBOX"
	need python3
	python3 -c 'import json,sys; json.load(sys.stdin)' <<< "$output"
	start one -v "$T/tmp:/data"
	works inspect --json one
	python3 -c 'import json,sys; json.load(sys.stdin)' <<< "$output"
	has "$output" '/data'
	has "$output" '--volume'
	stop
}

@test "names: taken ones and bad ones" {
	start one
	fails 125 --name one "$BUSYBOX" true
	says one
	fails 125 exec nobody true
	says nobody
	fails 125 kill nobody
	fails 125 --name 'a b' "$BUSYBOX" true
	stop
}

@test "version and help go to stdout" {
	works version
	has "$output" '^gpurun [0-9]'
	works --version
	works help
	has "$output" 'IMAGE'
	works --help
	works help run
	has "$output" '--gpus'
	works run --help
	for v in images rm prune verify inspect ps exec kill; do
		works help $v
		[ -n "$output" ]
	done
	fails 125 help nonsense
}
