#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --dry-run: the whole plan as JSON, the same every time, and nothing done.
load common

json() {
	need python3
	python3 -c "import json,sys; p = json.load(sys.stdin); $1" <<< "$output"
}

@test "it is JSON, and nothing runs" {
	works --dry-run "$BUSYBOX" sh -c "touch $T/ran"
	json 'assert isinstance(p, dict) and p'
	[ ! -e "$T/ran" ]
}

@test "the same every time" {
	works --dry-run -v "$T:/data" -e A=b --ulimit core=0 "$BUSYBOX" true
	first=$output
	works --dry-run -v "$T:/data" -e A=b --ulimit core=0 "$BUSYBOX" true
	is "$output" "$first"
}

@test "what was asked is in it, and every operation has a reason" {
	works --dry-run -v "$T:/data:ro" --tmpfs /t -e A=b -w /tmp --hostname h --net none "$BUSYBOX" args one 'two words'
	has "$output" '/data'
	has "$output" '--volume'
	has "$output" '--tmpfs'
	has "$output" 'two words'
	has "$output" 'A=b'
	json '
def walk(x):
    if isinstance(x, dict):
        if "kind" in x and ("dst" in x or "src" in x):
            assert x.get("why"), x
        for v in x.values(): walk(v)
    elif isinstance(x, list):
        for v in x: walk(v)
walk(p)'
}

@test "--dry-run of something bad is the same error" {
	fails 125 --dry-run --gpus 99 "$BUSYBOX" true
	fails 125 --dry-run -v relative:/x:nonsense "$BUSYBOX" true
}

@test "the reasons appear in errors" {
	fails 125 --tmpfs /etc/passwd/below "$BUSYBOX" true
	says 'step ' '--tmpfs'
	mkdir "$T/source"
	: > "$T/file"
	fails 125 -v "$T/file:/etc" "$BUSYBOX" true
	says '--volume|-v'
}
