#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Bad inputs: status 125, one message that names the thing, at most one hint, nothing on disk.
load common

# bad PATTERN WORD... - the message must match the pattern
bad() {
	local pattern=$1 before
	shift
	before=$(on_disk)
	fails 125 "$@" || { echo "for: $*"; return 1; }
	says "$pattern" || { echo "no $pattern in: $stderr"; return 1; }
	is "$output" ''
	is "$(on_disk)" "$before" || { echo "after: $*"; return 1; }
}

on_disk() {
	find "$GPURUN_STORE" "$HOME" "$TMPDIR" "$XDG_RUNTIME_DIR" -type f ! -path '*/lock/*' ! -name probe | sort
}

@test "images that are none (8)" {
	bad 'none\.tar'            "$T/none.tar" true
	bad 'no-such-name'         no-such-name true
	bad "$T/none"              "oci:$T/none" true
	bad "$T/none"              "dir:$T/none" true
	bad "$T/none"              "docker-archive:$T/none:tag" true
	bad 'registr'              docker://example/image true
	bad '/dev/null'            /dev/null true
	bad "$TMPDIR"              "oci:$TMPDIR" true
}

@test "nothing to run (2)" {
	bad 'IMAGE|image'
	bad 'IMAGE|image'          run
}

@test "options (12)" {
	bad 'no-such-option'       --no-such-option "$BUSYBOX" true
	bad '-Z'                   -Z "$BUSYBOX" true
	bad 'volume|-v'            -v
	bad 'hostname'             --hostname
	bad 'read-only'            --read-only=maybe "$BUSYBOX" true
	bad 'net'                  --net nonsense "$BUSYBOX" true
	bad 'pid'                  --pid nonsense "$BUSYBOX" true
	bad 'shm-size'             --shm-size 12x "$BUSYBOX" true
	bad 'shm-size'             --shm-size -1 "$BUSYBOX" true
	bad 'ulimit'               --ulimit nofile "$BUSYBOX" true
	bad 'ulimit'               --ulimit nofile=9:3 "$BUSYBOX" true
	bad 'landlock'             --security-opt landlock=maybe "$BUSYBOX" true
}

@test "mounts (9)" {
	bad 'relative'             -v "$T:relative" "$BUSYBOX" true
	bad 'nonsense'             -v "$T:/x:nonsense" "$BUSYBOX" true
	bad 'none'                 -v "$T/none:/x" "$BUSYBOX" true
	bad '/'                    -v "$T:/" "$BUSYBOX" true
	bad 'type'                 --mount "type=nonsense,target=/x" "$BUSYBOX" true
	bad 'dst|target'           --mount "type=bind,source=$T" "$BUSYBOX" true
	bad 'tmpfs'                --tmpfs relative "$BUSYBOX" true
	bad 'size'                 --tmpfs /x:size=lots "$BUSYBOX" true
	bad 'etc/passwd'           -q -v "$T:/etc/passwd/below" "$BUSYBOX" true
}

@test "identity and environment (8)" {
	bad '-u'                   -u '' "$BUSYBOX" true
	bad '99999999999'          -u 99999999999 "$BUSYBOX" true
	bad '-1'                   -u -1 "$BUSYBOX" true
	bad 'hostname|long'        --hostname "$(printf 'x%.0s' {1..100})" "$BUSYBOX" true
	bad '=x'                   -e =x "$BUSYBOX" true
	bad "$T/none"              --env-file "$T/none" "$BUSYBOX" true
	bad 'add-host'             --add-host nonsense "$BUSYBOX" true
	bad 'subids'               --userns subids "$BUSYBOX" true
}

@test "GPUs and devices (6)" {
	bad '99'                   --gpus 99 "$BUSYBOX" true
	bad 'nonsense'             --gpus nonsense "$BUSYBOX" true
	bad '-1'                   --gpus=-1 "$BUSYBOX" true
	bad '1,,2|empty'           --gpus 1,,2 "$BUSYBOX" true
	bad 'no-node'              --device /dev/no-node "$BUSYBOX" true
	bad 'device|passwd'        --device /etc/passwd "$BUSYBOX" true
}

@test "security (5)" {
	bad 'nonsense'             --security-opt nonsense "$BUSYBOX" true
	bad "$T/none"              --security-opt "seccomp=$T/none" "$BUSYBOX" true
	bad 'CAP_X|cap-add|X'      --cap-add X "$BUSYBOX" true
	bad 'relative|mask'        --security-opt mask=relative "$BUSYBOX" true
	bad 'preserve-fd|99'       --preserve-fd 99 "$BUSYBOX" true
}

@test "verbs (8)" {
	bad 'nothing-here'         rm nothing-here
	bad 'rm|NAME|name'         rm
	bad 'nobody'               exec nobody true
	bad 'exec|CONTAINER|container' exec
	bad 'nobody'               kill nobody
	bad 'nothing-here'         inspect nothing-here
	bad 'no-such-option'       images --no-such-option
	bad 'word|extra|unexpected' images extra
}

@test "surroundings (4)" {
	bad '--store|relative'     --store '' "$BUSYBOX" true
	printf 'nonsense = 1\n' > "$T/conf"
	mkdir -p "$XDG_CONFIG_HOME/gpurun"
	cp "$T/conf" "$XDG_CONFIG_HOME/gpurun/gpurun.conf"
	bad 'gpurun\.conf.*nonsense|nonsense.*gpurun\.conf' "$BUSYBOX" true
	rm -r "$XDG_CONFIG_HOME"
	GPURUN_SHM_SIZE=nonsense bad 'GPURUN_SHM_SIZE|shm-size' "$BUSYBOX" true
	: > "$T/file"
	bad "$T/file" --store "$T/file" "$BUSYBOX" true
}

@test "messages are one line also for names with newlines, and do not drive the terminal" {
	fails 125 $'no\nsuch\nfile' true
	fails 125 $'\033[31mred' true
	! grep -q $'\033' <<< "$stderr"
	fails 125 "$(printf 'x%.0s' {1..5000})" true
	fails 127 "$BUSYBOX" $'no\nsuch' || fails 127 -q "$BUSYBOX" $'no\nsuch'
}

@test "--log-format json: one object a line" {
	need python3
	try --log-format json "$T/none.tar" true
	is "$status" 125
	python3 -c 'import json,sys
for line in sys.stdin: json.loads(line)' <<< "$stderr"
}
