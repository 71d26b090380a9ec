#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A first start on a host that fails: no room, no inodes, no descriptors, no processes, no memory,
# small files only, a store that cannot be written, and file systems that can less than others.
# (Call by call: tests/long/faults-cold.t.)
load common

test_setup() {
	export GPURUN_STORE=$T/store
	small "$T/root"
	echo "of this image" > "$T/root/file"
	mkimage "$T/root" --docker --tag fault:1 "$T/image.tar"
}

# first_start COMMAND... - with an empty store: it works, or says in one message what is missing
# and leaves nothing; afterwards, and without the limits of COMMAND, it works
first_start() {
	rm -rf "$T/store"
	try_command "$@" "$GPURUN" -q "$T/image.tar" cat /file
	[ "$status" = 0 ] || {
		is "$status" 125
		[ "$(grep -c '^gpurun: ' <<< "$stderr")" = 1 ]
		hasnt "$stderr" 'ended with status 125$'
	}
	FIRST=$status
	"$GPURUN" prune > /dev/null # to delete takes descriptors, too
	nothing_left
	works -q "$T/image.tar" cat /file
	is "$output" "of this image"
	works prune
	works verify
}

# Not all of them: the machine's bash and setpriv need some, too.
@test "few descriptors" {
	worked=0
	for n in 12 14 16 18 20 24 28 32 48 64; do
		first_start bash -c "ulimit -n $n; exec \"\$@\"" -
		[ "$FIRST" != 0 ] || worked=$((worked + 1))
	done
	[ $worked -ge 3 ]
}

@test "few processes" {
	need_root
	chmod 755 "$FILE_DIR" "$T"
	worked=0
	for n in 1 2 3 4 5 6; do
		mkdir -p -m 700 "$T/u"
		chown 20011 "$T/u"
		try_command setpriv --reuid 20011 --regid 20011 --clear-groups --inh-caps=-all \
			env GPURUN_STORE="$T/u/store" XDG_RUNTIME_DIR="$T/u" bash -c "ulimit -u $n; exec \"\$@\"" - \
			"$GPURUN" -q "$BUSYBOX" echo started
		if [ "$status" = 0 ]; then
			worked=$((worked + 1))
		else
			is "$status" 125
			one_message
			says 'Resource temporarily unavailable'
		fi
		[ ! -e "$T/u/store/v1/tmp" ] || is "$(ls -A "$T/u/store/v1/tmp")" ''
		rm -rf "$T/u"
	done
	[ $worked -ge 1 ]
	[ $worked -lt 6 ]
}

@test "little memory" {
	for n in 20000 100000 200000 400000; do
		rm -rf "$T/store"
		try_command bash -c "ulimit -v $n; exec \"\$@\"" - "$GPURUN" -q "$T/image.tar" cat /file
		[ "$status" = 125 ]
		one_message
		says 'memory|space'
		nothing_left
	done
	works -q "$T/image.tar" cat /file
}

@test "small files only" {
	for n in 1 100 1000; do
		try_command bash -c "ulimit -f $n; exec \"\$@\"" - "$GPURUN" -q "$T/image.tar" cat /file
		is "$status" 125
		one_message
		says 'image.tar.*[Ff]ile|File too large'
		hasnt "$stderr" 'ended by signal'
		nothing_left
	done
	works -q "$T/image.tar" cat /file
}

# in_small OPTIONS SCRIPT - in a file system made with these, called $S; $run is a start
in_small() {
	need_root
	mkdir "$T/small"
	try_command unshare -m --propagation private bash -eu -c "
		mount -t tmpfs -o mode=700,$1 none '$T/small'
		S=$T/small
		export GPURUN_STORE=\$S/store
		run() { '$GPURUN' -q '$T/image.tar' cat /file; }
		$2"
	rmdir "$T/small"
}

@test "a store of 8 MiB on tmpfs holds a small image; of 1 MiB it says so" {
	in_small size=8m 'run'
	is "$output" 'of this image'
	in_small size=1m 'run'
	is "$status" 125
	one_message
	says 'no room for'
	hints 'prune --all'
	in_small size=1m 'run || ls -A $S/store/v1/{tmp,layers,trees,images,files,names} | grep -v :'
	is "$output" ''
}

@test "few inodes" {
	for n in 5 14 20 25 30; do
		in_small nr_inodes=$n 'run'
		is "$status" 125
		one_message
		says 'No space left|no room for'
	done
	# when there are more of them, it goes on from what was left
	in_small nr_inodes=14 'run || true; mount -o remount,nr_inodes=1000 $S; run'
	is "$output" 'of this image'
}

@test "a store that cannot be written: what is there runs, by file and name; else what to do is said" {
	need_root
	in_small size=50m 'run; mount -o remount,bind,ro $S; run
		"'"$GPURUN"'" -q fault:1 cat /file
		"'"$GPURUN"'" images | grep -c fault:1'
	is "$output" "of this image
of this image
of this image
1"
	in_small size=50m 'run; mount -o remount,bind,ro $S
		"'"$GPURUN"'" "'"$BUSYBOX"'" true'
	is "$status" 125
	one_message
	says 'Read-only file system'
	hints 'GPURUN_STORE_RO|--store'
	for verb in prune 'rm fault:1'; do
		in_small size=50m 'run > /dev/null; mount -o remount,bind,ro $S
			"'"$GPURUN"'" '"$verb"
		[ "$status" != 0 ]
		one_message
	done
}

@test "a store on a FUSE file system" {
	need_root
	need fuse-overlayfs fusermount3
	[ -e /dev/fuse ] || skip "no /dev/fuse"
	in_small size=50m 'mkdir -m 700 $S/{low,up,work,store}
		fuse-overlayfs -o lowerdir=$S/low,upperdir=$S/up,workdir=$S/work $S/store 2> /dev/null
		chmod 700 $S/store
		export GPURUN_STORE=$S/store/s; mkdir -m 700 $GPURUN_STORE; S=$S/store/s
		for i in 1 2; do "'"$GPURUN"'" -q "'"$T/image.tar"'" cat /file; done
		"'"$GPURUN"'" verify; "'"$GPURUN"'" rm fault:1; "'"$GPURUN"'" prune --all > /dev/null
		ls -A $S/v1/{trees,layers,tmp,images} | grep -v : || true
		umount "'"$T/small/store"'"'
	is "$status" 0
	has "$output" 'of this image
of this image
everything is as it was unpacked'
}
