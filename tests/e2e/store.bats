#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The store: one unpack for many starts, warm starts that read nothing, killed writers, sharing.
load common

test_setup() {
	export GPURUN_STORE=$T/store
}

# An image that takes a noticeable time to unpack: 8000 files.
large() {
	small "$T/root"
	(
		cd "$T/root"
		for i in {1..80}; do
			mkdir d$i
			touch d$i/f{1..100}
		done
	)
	mkimage "$T/root" --docker --compress gzip "$T/large.tar.gz"
}

@test "32 starts at the same time unpack once" {
	large
	for i in {1..32}; do
		"$GPURUN" --verbose "$T/large.tar.gz" sh -c "ls -d /d[0-9]* | grep -c ." > "$T/out$i" 2> "$T/err$i" &
	done
	wait
	is "$(cat "$T"/out* | sort | uniq -c | tr -s ' ')" ' 32 80'
	is "$(ls "$GPURUN_STORE/v1/images" | wc -l)" 1
}

@test "one unpacks, the others wait and say why" {
	large
	need strace
	strace -E ASAN_OPTIONS=detect_leaks=0 -qq -f -o /dev/null -e trace=mkdirat -e inject=mkdirat:delay_enter=40000 \
		"$GPURUN" "$T/large.tar.gz" true 2> /dev/null &
	first=$!
	wait_for 5 sh -c "[ -n \"\$(ls '$GPURUN_STORE/v1/tmp' 2>/dev/null)\" ]"
	works "$T/large.tar.gz" true
	has "$stderr" '[Ww]ait'
	wait $first
}

@test "a start after the first reads neither the archive nor any library for it" {
	need strace
	large
	works "$T/large.tar.gz" true
	for again in 1 2; do
		strace -E ASAN_OPTIONS=detect_leaks=0 -f -o "$T/trace" \
			-e trace=openat,openat2,open,read,pread64,mmap "$GPURUN" "$T/large.tar.gz" true
		if grep -E 'lib(archive|json-c|seccomp|crypto|zstd|lzma|bz2|z)\.so' "$T/trace"; then
			false
		fi
		# it may be opened to look at it, but no byte of it is read
		fd=$(sed -n 's/.*large\.tar\.gz.*= \([0-9]*\)$/\1/p' "$T/trace" | head -1)
		[ -z "$fd" ] || ! grep -E "(read|pread64)\($fd," "$T/trace"
	done
}

@test "the same bytes under another name are not unpacked again" {
	large
	works "$T/large.tar.gz" true
	cp "$T/large.tar.gz" "$T/copy"
	works "$T/copy" true
	is "$(ls "$GPURUN_STORE/v1/images" | wc -l)" 1
}

@test "kill -9 while it unpacks: no half layer is ever served" {
	large
	for ms in 005 010 020 030 040 060 080 120; do
		"$GPURUN" -q "$T/large.tar.gz" true &
		sleep 0.$ms
		kill -9 $! 2> /dev/null || true
		wait $! || true
		wait_for 3 no_process
		try -q "$T/large.tar.gz" sh -c 'find /d* -type f | wc -l'
		is "$output" 8000
		works verify
		works rm "$("$GPURUN" images | awk 'NR == 2 { print $1 }')"
		works prune --all
	done
}

@test "a full disk while it unpacks is said, and nothing stays" {
	need_root
	large
	mkdir "$T/tiny"
	mount -t tmpfs -o size=2m tmpfs "$T/tiny"
	chmod 700 "$T/tiny"
	try --store "$T/tiny/store" "$T/large.tar.gz" true
	left=$(ls -A "$T/tiny/store/v1/tmp" "$T/tiny/store/v1/layers" "$T/tiny/store/v1/trees" 2> /dev/null | grep -v : || true)
	umount "$T/tiny"
	is "$status" 125
	has "$stderr" 'No space left|no room'
	is "$left" ''
}

@test "images, rm, prune, verify" {
	small "$T/root"
	mkimage "$T/root" --docker --tag first:1 "$T/first.tar"
	echo x > "$T/root/x"
	mkimage "$T/root" --docker --tag second:1 "$T/second.tar"
	works "$T/first.tar" true
	works "$T/second.tar" true
	works images
	has "$output" first
	has "$output" second
	works images --json
	python3 -c 'import json,sys; assert len(json.load(sys.stdin)) == 2' <<< "$output"
	works verify
	works rm first:1
	works images
	hasnt "$output" first
	fails 125 rm first:1
	says first:1
	works "$T/first.tar" true
	works prune --all
	is "$(ls "$GPURUN_STORE/v1/images" | wc -l)" 0
	is "$(ls -A "$GPURUN_STORE/v1/layers" "$GPURUN_STORE/v1/trees" 2> /dev/null | grep -v : | tr -d '\n')" ''
}

@test "an image runs by its name in the store after the file is gone" {
	small "$T/root"
	mkimage "$T/root" --docker --tag named:1 "$T/image"
	works "$T/image" true
	rm "$T/image"
	works named:1 echo still
	is "$output" still
	fails 125 "$T/image" true
	says "$T/image"
}

@test "a running image is not removed" {
	small "$T/root"
	mkimage "$T/root" --docker --tag busy:1 "$T/image"
	"$GPURUN" -q "$T/image" sh -c "echo ready; sleep 100" > "$T/out" &
	pid=$!
	wait_for 5 grep -q ready "$T/out"
	fails 125 rm busy:1
	says busy
	works prune --all
	kill $pid
	wait $pid || true
	works rm busy:1
}

@test "verify finds what was damaged" {
	small "$T/root"
	echo original > "$T/root/file"
	mkimage "$T/root" --docker "$T/image"
	works "$T/image" true
	f=$(find "$GPURUN_STORE/v1" -path '*/fs/file')
	chmod u+w "$f"
	printf 'ORIGINAL\n' > "$f"
	try verify
	[ "$status" != 0 ]
	has "$output$stderr" file
	rm -f "$f"
	try verify
	[ "$status" != 0 ]
}

@test "what stands where a layer was is not followed; a directory's own link is" {
	small "$T/root"
	ln -s root "$T/link"
	works "$T/link" cat /etc/passwd
	works "$BUSYBOX" true
	mkdir -p "$T/host/bin" "$T/host/tmp"
	cp -a "$T/root/bin/." "$T/host/bin/"
	echo secret > "$T/host/key"
	[ -n "$(ls "$GPURUN_STORE/v1/layers")" ] || skip "no overlay here: no layers"
	for fs in "$GPURUN_STORE"/v1/layers/*/fs; do
		mv "$fs" "$fs.real"
		ln -s "$T/host" "$fs"
	done
	try "$BUSYBOX" cat /key
	[ "$status" != 0 ]
	hasnt "$output" secret
	has "$stderr" "Not a directory"
}

@test "the store is private and its owner is checked" {
	works "$BUSYBOX" true
	is "$(stat -c %a "$GPURUN_STORE")" 700
	chmod 777 "$GPURUN_STORE"
	fails 125 "$BUSYBOX" true
	says "$GPURUN_STORE"
	chmod 700 "$GPURUN_STORE"
	ln -s "$GPURUN_STORE" "$T/link"
	try --store "$T/link" "$BUSYBOX" true
	[ "$status" = 0 ] || one_message
}

@test "the default store" {
	unset GPURUN_STORE
	works "$BUSYBOX" true
	has "$stderr" "$XDG_DATA_HOME/gpurun"
	[ -d "$XDG_DATA_HOME/gpurun/v1" ]
	silent "$BUSYBOX" true
	export GPURUN_STORE=$T/store
}

@test "GPURUN_STORE_RO: 32 users share one store that nobody writes" {
	small "$T/root"
	mkimage "$T/root" --docker --tag site:1 "$T/image"
	works --store "$T/site" "$T/image" true
	chmod -R a+rX "$T/site" "$T"
	find "$T/site" -printf '%P %m %s %T@ %C@\n' | sort > "$T/before"
	export GPURUN_STORE_RO=$T/site
	for i in {1..32}; do
		mkdir -p -m 700 "$T/u$i"/{run,store}
		as=()
		if [ "$(id -u)" = 0 ]; then
			as=(setpriv --reuid $((20000 + i)) --regid $((20000 + i)) --clear-groups)
			chown -R $((20000 + i)) "$T/u$i"
		fi
		XDG_RUNTIME_DIR=$T/u$i/run GPURUN_STORE=$T/u$i/store HOME=$T/u$i \
			"${as[@]}" "$GPURUN" site:1 sh -c 'id -u; cat /bin/busybox | wc -c' > "$T/out$i" 2>&1 &
	done
	wait
	for i in {1..32}; do
		is "$(wc -l < "$T/out$i")" 2
	done
	find "$T/site" -printf '%P %m %s %T@ %C@\n' | sort | diff "$T/before" -
	works images
	has "$output" site:1
	fails 125 rm site:1
}

@test "GPURUN_STORE_RO of a stranger is not used" {
	need_root
	small "$T/root"
	mkimage "$T/root" --docker --tag site:1 "$T/image"
	works --store "$T/site" "$T/image" true
	rm "$T/image"
	chmod -R a+rX "$T/site" "$T"
	chown 20001 "$T/site"
	mkdir -p -m 700 "$T/u/run"
	chown -R 20002 "$T/u"
	run env GPURUN_STORE_RO="$T/site" GPURUN_STORE="$T/u/store" XDG_RUNTIME_DIR="$T/u/run" \
		setpriv --reuid 20002 --regid 20002 --clear-groups "$GPURUN" site:1 true
	is "$status" 125
}

@test "who may only read a store cannot lock its owner out" {
	need_root
	works "$BUSYBOX" true
	chmod -R go+rX "$GPURUN_STORE"
	need flock
	setpriv --reuid 20001 --regid 20001 --clear-groups bash -c '
		for f in "$0"/v1/lock/* "$0"/v1/images/*; do
			exec {fd}< "$f" && flock -xn $fd && echo "$f"
		done
		echo all
		exec sleep 60' "$GPURUN_STORE" > "$T/tmp/held" 3>&- &
	PID=$!
	wait_for 10 grep all "$T/tmp/held"
	[ "$(wc -l < "$T/tmp/held")" -ge 3 ] # a lock and a record are held
	works "$BUSYBOX" true
	tar -cf "$T/new.tar" -C "$T/tmp" held
	fails 127 "$T/new.tar" nothing
	try_command timeout 20 "$GPURUN" verify
	is "$status" 0
	try_command timeout 20 "$GPURUN" prune --all
	is "$status" 0
	is "$(ls "$GPURUN_STORE/v1/images")" ''
	kill "$PID"
	is "$(stat -c %a "$GPURUN_STORE/v1/lock/store")" 600
}

@test "--scratch in a directory where others may rename things is refused" {
	mkdir "$T/open" "$T/group"
	chmod 777 "$T/open"
	fails 125 --scratch "$T/open" "$BUSYBOX" true
	has "$stderr" 'others may rename' && has "$stderr" 'mkdir -m 700'
	is "$(ls -A "$T/open")" ''
	chmod 1777 "$T/open" # as /tmp is
	works --scratch "$T/open" "$BUSYBOX" true
	chmod 2775 "$T/group" # a group that the owner lets in
	works --scratch "$T/group" "$BUSYBOX" true
}
