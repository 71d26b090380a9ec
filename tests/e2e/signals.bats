#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Signals travel to the command; a killed launcher takes everything with it.
load common

# start COMMAND... - in the background; $PID is the launcher, its output is in $T/out
start() {
	: > "$T/out" # now: the job's redirection comes when it comes, and ready looks for a word
	env --default-signal "$GPURUN" "${OPTIONS[@]}" "$BUSYBOX" "$@" > "$T/out" 2> "$T/err" < /dev/null &
	PID=$!
}

ended() {
	status=0
	wait "$PID" || status=$?
	output=$(cat "$T/out") stderr=$(cat "$T/err")
}

ready() {
	wait_for 5 grep -q ready "$T/out"
}

test_setup() {
	OPTIONS=()
}

test_teardown() {
	[ -z "${PID-}" ] || kill -9 "$PID" 2> /dev/null || true
}

@test "signals that can be caught are forwarded" {
	for s in HUP INT QUIT USR1 USR2 TERM WINCH CONT ALRM; do
		start sh -c "trap 'echo got $s; exit 5' $s; echo ready; while :; do sleep 0.05; done"
		ready
		kill -$s $PID
		ended
		is "$status" 5
		has "$output" "got $s"
	done
}

@test "one that is not caught ends the command, and the status says so" {
	for s in TERM:15 INT:2 HUP:1; do
		start sh -c 'echo ready; exec sleep 100'
		ready
		kill -${s%:*} $PID
		ended
		is "$status" $((128 + ${s#*:}))
	done
}

@test "a command that ignores TERM lives on" {
	start sh -c 'trap "" TERM; echo ready; sleep 0.5; echo still here'
	ready
	kill -TERM $PID
	ended
	is "$status" 0
	has "$output" 'still here'
}

# The command's file is on a file system that hangs, as far as its exec can tell.
@test "a signal ends a start whose exec does not come to an end" {
	need python3
	cat > "$T/hold" <<- 'END'
		import ctypes, os, signal, struct, subprocess, sys, time
		libc = ctypes.CDLL(None, use_errno=True)
		watch = libc.fanotify_init(4, os.O_RDONLY)	# FAN_CLASS_CONTENT
		exec_perm = ctypes.c_uint64(0x40000)		# FAN_OPEN_EXEC_PERM
		if watch < 0 or libc.fanotify_mark(watch, 1, exec_perm, -100, sys.argv[1].encode()) < 0:
		    sys.exit(77)
		p = subprocess.Popen(sys.argv[2:])
		event = os.read(watch, 4096)
		fd = struct.unpack('=IBBHQii', event[:24])[5]
		time.sleep(0.2)
		p.send_signal(signal.SIGTERM)
		try:
		    print(p.wait(5))
		except subprocess.TimeoutExpired:
		    print('still there')
		os.write(watch, struct.pack('=iI', fd, 1))	# FAN_ALLOW
		p.kill()
		p.wait()
	END
	cp "${BUSYBOX%.tar}/bin/busybox" "$T/held"
	try_hold=0
	output=$(python3 "$T/hold" "$T/held" "$GPURUN" -v "$T/held:/held" "$BUSYBOX" /held sleep 1) || try_hold=$?
	[ "$try_hold" != 77 ] || skip "no fanotify for this user"
	is "$output" 143
	wait_for 3 no_process
}

@test "kill -9 of the launcher: no process, no mount; the next start clears what is on disk" {
	mkdir "$T/scratch"
	for options in "" "--root" "--net none" "--scratch $T/scratch" "--no-init"; do
		OPTIONS=($options)
		start sh -c 'sleep 1000 & (sleep 1001 &) ; echo ready; sleep 1002'
		ready
		at_least_processes 3
		kill -9 $PID
		wait $PID || true
		wait_for 3 no_process
		works $options "$BUSYBOX" true
		is "$(find "$XDG_RUNTIME_DIR/gpurun" -type f)" ''
	done
	works prune
	is "$(ls -A "$T/scratch")" ''
}

@test "kill -9 of the launcher while it starts, at any moment" {
	for ms in 1 2 3 4 5 6 8 10 15; do
		start sleep 100
		sleep 0.0$(printf %02d $ms)
		kill -9 $PID
		wait $PID || true
	done
	wait_for 3 no_process
	works prune
	is "$(find "$XDG_RUNTIME_DIR/gpurun" -type f)" ''
}

@test "prune clears the record of a killed container" {
	start sh -c 'echo ready; sleep 1000'
	ready
	[ -n "$(find "$XDG_RUNTIME_DIR/gpurun" -type f)" ]
	kill -9 $PID
	wait $PID || true
	wait_for 3 no_process
	works prune
	is "$(find "$XDG_RUNTIME_DIR/gpurun" -type f)" ''
}

@test "SIGSTOP and SIGCONT of the launcher" {
	start sh -c 'echo ready; sleep 0.3; echo end'
	ready
	kill -STOP $PID
	sleep 0.1
	kill -CONT $PID
	ended
	is "$status" 0
	has "$output" end
}

@test "inside: the command may kill everything it sees, and that ends it" {
	try "$BUSYBOX" sh -c 'sleep 1000 & kill -9 -1; echo after'
	[ "$status" = 137 ] || [ "$status" = 0 ]
}

@test "a caller that ignores SIGCHLD waits for the status all the same" {
	status=0
	timeout 20 env --ignore-signal=CHLD "$GPURUN" "$BUSYBOX" sh -c 'exit 7' || status=$?
	is "$status" 7
}
