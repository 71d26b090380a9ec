#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The lines of --audit, where they go and what a start is worth that cannot be recorded.  What they
# say in detail: tests/unit/t_audit.c.
load common
load gpu

test_setup_file() {
	stub_driver
}

test_teardown() {
	[ -z "${FIRST-}" ] || kill -9 "$FIRST" || true
	wait
}

test_setup() {
	need jq python3
	LOG=$T/audit.log
	unset ${!GPURUN_AUDIT@}
}

# of FILTER [FILE] - what jq finds in the lines, one a line, without quotes
of() {
	jq -r "$1" "${2:-$LOG}"
}

events() {
	of .event "$@" | paste -sd' '
}

@test "a file: a line at the start and one at the end" {
	status=0
	"$GPURUN" --audit "$LOG" "$BUSYBOX" sh -c 'exit 3' || status=$?
	is "$status" 3
	is "$(stat -c %a "$LOG")" 600
	is "$(events)" 'start end'
	is "$(of .uid | sort -u)" "$(id -u)"
	is "$(of .pid | sort -u | wc -l)" 1
	is "$(of .container | sort -u | wc -l)" 1
	is "$(of .boot_id | sort -u)" "$(cat /proc/sys/kernel/random/boot_id)"
	is "$(of 'select(.event == "start") | .argv0')" sh
	hasnt "$(cat "$LOG")" 'exit 3'
	is "$(of 'select(.event == "end") | .status')" 3
	is "$(of '.mode' | sort -u)" own
	is "$(of '.job' | sort -u)" null
	has "$(of .image.digest)" '^sha256:[0-9a-f]{64}$'
	works --audit "$LOG" "$BUSYBOX" true
	is "$(events)" 'start end start end'
}

@test "a relative file, a variable, none" {
	export GPURUN_AUDIT=here.log
	works "$BUSYBOX" true
	is "$(events here.log)" 'start end'
	works --audit none "$BUSYBOX" true
	works --audit "$LOG" "$BUSYBOX" true
	is "$(events here.log)" 'start end'
	is "$(events)" 'start end'
}

@test "a dry run leaves nothing" {
	works --audit "$LOG" --dry-run "$BUSYBOX" true
	[ ! -e "$LOG" ]
}

@test "a start that cannot be recorded does not happen" {
	touch "$T/target"
	ln -s "$T/target" "$T/link"
	mkfifo "$T/fifo"
	local target
	for target in "$T/no/such" "$T/link" "$T/fifo" "$T" fd:77 fd:x /dev/null; do
		fails 125 --audit "$target" -v "$T:/t" "$BUSYBOX" touch /t/ran
		says "--audit $target: "
	done
	# a descriptor of our own is not one that was left open
	for target in fd:3 fd:4 fd:5 fd:6 fd:7; do
		try_command "$GPURUN" --audit "$target" -v "$T:/t" "$BUSYBOX" touch /t/ran \
			3>&- 4>&- 5>&- 6>&- 7>&-
		is "$status" 125
		says "--audit $target: descriptor . is not open"
	done
	is "$(cat "$T/target")" ''
	[ ! -e "$T/ran" ]
}

@test "a disk that is full" {
	need_root
	unshare --mount true || cannot "no mount namespaces"
	mkdir "$T/full"
	unshare --mount --propagation private sh -c '
		mount -t tmpfs -o size=4k none "$1" && head -c 4096 /dev/zero > "$1/log"
		shift
		exec "$@"' sh "$T/full" "$GPURUN" --audit "$T/full/log" "$BUSYBOX" true 2> "$T/stderr" && status=0 || status=$?
	stderr=$(cat "$T/stderr")
	is "$status" 125
	one_message
	says 'No space left'
}

@test "a descriptor: ours to write, not the command's" {
	works --audit fd:9 "$BUSYBOX" sh -c 'echo mine >&9' 9> "$LOG" && return 1
	is "$(events)" 'start end'
	works --audit fd:1 "$BUSYBOX" echo between
	is "$(sed -n 2p <<< "$output")" between
	is "$(events "$T/stdout" 2> /dev/null)" start
	works --audit fd:9 --preserve-fd 9 "$BUSYBOX" sh -c 'echo mine >&9' 9> "$LOG"
	is "$(sed -n 2p "$LOG")" mine
}

@test "nobody reads" {
	need mkfifo
	local status=0
	mkfifo "$T/pipe"
	exec 8<> "$T/pipe" 9> "$T/pipe" 8>&-
	"$GPURUN" --audit fd:9 -v "$T:/t" "$BUSYBOX" touch /t/ran 2> "$T/stderr" || status=$?
	exec 9>&-
	is "$status" 125
	has "$(cat "$T/stderr")" '--audit fd:9: Broken pipe'
	[ ! -e "$T/ran" ]
}

@test "the end is recorded of what died, and of what never ran" {
	try --audit "$LOG" "$BUSYBOX" sh -c 'kill -TERM $$'
	is "$status" 143
	is "$(of 'select(.event == "end") | .status')" 143
	rm "$LOG"
	try --audit "$LOG" "$BUSYBOX" /no/such
	is "$status" 127
	is "$(of 'select(.event == "end") | .status')" 127
}

@test "a second line that cannot be written is said, and the status stays" {
	mkfifo "$T/pipe"
	# the reader of the pipe takes one line; then the command may go on
	(head -n 1 "$T/pipe" > "$LOG" && touch "$T/gone") &
	try --audit fd:9 -v "$T:/t" "$BUSYBOX" sh -c 'until [ -e /t/gone ]; do sleep 0.01; done; exit 5' 9> "$T/pipe"
	wait
	is "$status" 5
	is "$(events)" start
	says '--audit fd:9: Broken pipe'
}

@test "many at once" {
	local i pids=()
	for i in {1..8}; do
		"$GPURUN" --audit "$LOG" "$BUSYBOX" true &
		pids+=($!)
	done
	wait "${pids[@]}"
	is "$(of .event | sort | uniq -c | tr -s ' \n' ' ')" ' 8 end 8 start '
	is "$(of '[.pid, .container] | @csv' | sort -u | wc -l)" 8
}

@test "GPUs by all their names" {
	need_machine
	on_root -- --audit "$LOG" --gpus 0,2 "$BUSYBOX" true
	is "$status" 0
	on_user -- --audit "$T/user/home/log" --gpus 0,2 "$BUSYBOX" true
	is "$status" 0
	cat "$T/user/home/log" >> "$LOG"
	is "$(events)" 'start end start end'
	is "$(of '.gpus | length' | sort -u)" 2
	is "$(of '.gpus[1] | [.index, .minor, .pci] | @csv' | sort -u)" '2,0,"0000:7b:00.0"'
	is "$(of '.gpus[0].uuid' | sort -u)" "$(machine -- "$GPURUN" gpus -q --json | jq -r '.gpus[0].uuid')"
	is "$(of 'select(.event == "start") | .gpus[].source' | sort -u)" '0,2'
	is "$(of 'select(.event == "start") | .driver_version' | sort -u)" 550.163.01
}

@test "the energy that the GPUs used, by NVML before and after" {
	need_machine
	local driver=$FILE_DIR/energy nvml conf
	cp -a "$STUB" "$driver"
	nvml=$(find "$driver" -type f -name 'libnvidia-ml.so.*')
	conf=$nvml.conf
	${CC:-gcc} -O1 -w -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o "$nvml" "$HELPERS/fake-nvml.c" -ldl
	printf 'gpus 3\nenergy 5000\n' > "$conf"
	on_root -- --driver-root "$driver" --audit "$LOG" --audit-end --gpus 1 -v "$conf:/conf" "$BUSYBOX" \
		sh -c 'printf "gpus 3\nenergy 9000\n" > /conf'
	is "$status" 0
	is "$(of 'select(.event == "end") | .gpus[0].energy_mj')" 4000
	printf 'gpus 3\nenergy 5000\n' > "$conf"
	on_root -- --driver-root "$driver" --audit "$T/none" --gpus 1 "$BUSYBOX" true
	is "$(of 'select(.event == "end") | .gpus[0].energy_mj' "$T/none")" null
}

# ---- daemons -----------------------------------------------------------------------------------

# logged KIND SOCKET WORD... - gpurun where a daemon listens at SOCKET; its messages are in $T/messages
logged() {
	need_machine
	user_machine -- sh -c '
		kind=$1 socket=$2 out=$3 helper=$4
		shift 4
		mount -t tmpfs -o mode=755 run /run && mkdir -p "${socket%/*}"
		python3 "$helper" "$kind" "$socket" "$out" & daemon=$!
		until [ -S "$socket" ]; do sleep 0.02; done
		setpriv --reuid 20001 --regid 20001 --clear-groups "$@"
		status=$?
		sleep 0.1
		kill $daemon
		exit $status' sh "$1" "$2" "$T/messages" "$HELPERS/fake-log.py" "$GPURUN" "${@:3}"
}

@test "the journal" {
	logged journal /run/systemd/journal/socket --audit journal "$BUSYBOX" sh -c 'exit 3' && return 1
	is "$(of .SYSLOG_IDENTIFIER "$T/messages" | paste -sd' ')" 'gpurun gpurun'
	is "$(of .GPURUN_EVENT "$T/messages" | paste -sd' ')" 'start end'
	is "$(of .GPURUN_STATUS "$T/messages" | paste -sd' ')" 'null 3'
	is "$(of '.MESSAGE | fromjson | .event' "$T/messages" | paste -sd' ')" 'start end'
	is "$(of '.MESSAGE | fromjson | .uid' "$T/messages" | sort -u)" 20001
}

@test "syslog, by datagrams and by a stream" {
	local kind line
	for kind in dgram stream; do
		rm -f "$T/messages"
		logged $kind /dev/log --audit syslog "$BUSYBOX" true
		is "$(wc -l < "$T/messages")" 2
		line=$(of . "$T/messages" | head -n 1)
		has "$line" '^<14>[A-Z][a-z]{2} [ 1-3][0-9] [0-9]{2}:[0-9]{2}:[0-9]{2} gpurun\[[0-9]+\]: \{.*\}$'
		is "$(jq -r .event <<< "${line#*: }")" start
	done
}

@test "no daemon" {
	[ ! -S /dev/log ] || cannot "a daemon listens at /dev/log"
	fails 125 --audit syslog "$BUSYBOX" true
	says '--audit syslog: /dev/log'
	hints '--audit FILE'
}

@test "a daemon that is restarted while the command runs" {
	need_machine
	mkdir -m 777 "$T/t"
	user_machine -- sh -c '
		helper=$1 dir=$2
		shift 2
		start() { python3 "$helper" dgram /dev/log "$dir/messages" & daemon=$!; }
		start
		until [ -S /dev/log ]; do sleep 0.02; done
		setpriv --reuid 20001 --regid 20001 --clear-groups "$@" & command=$!
		until [ -e "$dir/t/started" ]; do sleep 0.02; done
		kill $daemon; wait $daemon
		rm /dev/log
		start
		until [ -S /dev/log ]; do sleep 0.02; done
		touch "$dir/t/again"
		wait $command
		status=$?
		sleep 0.1
		kill $daemon
		exit $status' sh "$HELPERS/fake-log.py" "$T" "$GPURUN" --audit syslog -v "$T/t:/t" "$BUSYBOX" \
		sh -c 'touch /t/started; until [ -e /t/again ]; do sleep 0.02; done'
	is "$(wc -l < "$T/messages")" 2
}

# ---- in a step ---------------------------------------------------------------------------------

step() {
	export SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NTASKS=4 SLURM_STEP_TASKS_PER_NODE=4
	export SLURM_PROCID=0 SLURM_LOCALID=0 SLURMD_NODENAME=node1 SLURM_JOB_ACCOUNT=physics
}

@test "each rank of a step writes its own line, and becomes the command" {
	need_user
	step
	"$GPURUN" --audit "$LOG" "$BUSYBOX" sleep 1000 3>&- &
	FIRST=$!
	wait_for 10 grep -qx sleep /proc/$FIRST/comm
	SLURM_PROCID=1 SLURM_LOCALID=1 works --audit "$LOG" "$BUSYBOX" true
	is "$(events)" 'start start'
	is "$(of .mode | paste -sd' ')" 'share share'
	is "$(of .job.rank | paste -sd' ')" '0 1'
	is "$(of '.job | [.launcher, .id, .step, .node, .account] | @csv' | sort -u)" \
		'"slurm","7","7.0","node1","physics"'
	is "$(of .pid | head -n 1)" "$FIRST"
	is "$(of .container | sort -u | wc -l)" 1
	is "$(of .policy.landlock | sort -u)" false
}

@test "with --audit-end gpurun stays in a step, and dies as the command did" {
	need_user
	step
	try --audit "$LOG" --audit-end "$BUSYBOX" sh -c 'exit 4'
	is "$status" 4
	is "$(events)" 'start end'
	is "$(of 'select(.event == "end") | .status')" 4
	rm "$LOG"
	python3 -c 'import subprocess, sys; print(subprocess.call(sys.argv[1:]))' \
		"$GPURUN" --audit "$LOG" --audit-end "$BUSYBOX" sh -c 'kill -USR1 $$' > "$T/died"
	is "$(cat "$T/died")" -10
	is "$(of 'select(.event == "end") | .signal')" 10
}

@test "a descriptor for the record does not get into a step, others do" {
	need_user
	step
	try_command "$GPURUN" --audit fd:9 "$BUSYBOX" sh -c 'echo kept >&8; echo bad >&9' \
		8> "$T/kept" 9> "$LOG"
	[ "$status" != 0 ]
	is "$(cat "$T/kept")" kept
	is "$(events)" start
}
