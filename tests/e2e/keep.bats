#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --keep NAME: what the container writes stays under that name.
load common

test_setup() {
	export GPURUN_STORE=$T/store
}

@test "what is written is there next time, under its name only" {
	works --keep work "$BUSYBOX" sh -c 'echo x > /kept; rm /etc/os-release; mkdir -p /deep/er; echo y > /deep/er/file'
	works --keep work "$BUSYBOX" sh -c 'cat /kept /deep/er/file; [ ! -e /etc/os-release ] && echo deleted'
	is "$output" $'x\ny\ndeleted'
	works --keep other "$BUSYBOX" sh -c 'ls /kept 2> /dev/null; ls /etc/os-release'
	is "$output" /etc/os-release
	works "$BUSYBOX" sh -c 'ls /kept 2> /dev/null; ls /etc/os-release'
	is "$output" /etc/os-release
}

@test "an early end keeps what was written" {
	try --keep work "$BUSYBOX" sh -c 'echo x > /kept; kill -9 $$'
	is "$status" 137
	works --keep work "$BUSYBOX" cat /kept
	is "$output" x
}

@test "one at a time" {
	"$GPURUN" -q --keep work "$BUSYBOX" sh -c 'echo ready; sleep 100' > "$T/out" &
	pid=$!
	wait_for 5 grep -q ready "$T/out"
	fails 125 --keep work "$BUSYBOX" true
	says work
	kill $pid
	wait $pid || true
	works --keep work "$BUSYBOX" true
}

@test "another image under the same name is refused" {
	works --keep work "$BUSYBOX" true
	small "$T/root"
	mkimage "$T/root" --docker "$T/other"
	fails 125 --keep work "$T/other" true
	says work
}

@test "names that are no names" {
	for n in '' . .. a/b /abs "$(printf 'x%.0s' {1..300})"; do
		fails 125 --keep "$n" "$BUSYBOX" true
	done
}

@test "--keep and --root: packages of a kind" {
	works --root --keep work "$BUSYBOX" sh -c 'mkdir -p /usr/local/bin; printf "#!/bin/sh\necho tool\n" > /usr/local/bin/tool
		chmod 755 /usr/local/bin/tool; chown 33:33 /usr/local/bin/tool'
	works --keep work "$BUSYBOX" /usr/local/bin/tool
	is "$output" tool
}

@test "prune leaves it, and the image stays usable" {
	works --keep work "$BUSYBOX" sh -c 'echo x > /kept'
	works prune
	works --keep work "$BUSYBOX" cat /kept
	is "$output" x
}
