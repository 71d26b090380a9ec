#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Other users of the machine, who were there first: in the parents of the store and of the state
# directory, at our names, in a shared store; and many who start at once.
load common

US=20003 THEM=20004

# Private names in /var/tmp, /tmp and /dev/shm: for both users the machine is as if fresh.
fresh_host() {
	need_root
	need unshare
	chmod 755 "$FILE_DIR" "$T"
	mkdir -p "$T/home$US" "$T/home$THEM"
	chown $US "$T/home$US"
	chown $THEM "$T/home$THEM"
	cp "$GPURUN" "$T/gpurun"
	cp "$BUSYBOX" "$T/image.tar"
	chmod a+rx "$T/gpurun" "$T/image.tar"
}

# on_host SCRIPT - with nothing but what the script makes in the shared directories
on_host() {
	cat > "$T/script" <<- EOF
		set -eu
		for d in /var/tmp /tmp; do mount -t tmpfs -o mode=1777 none \$d; done
		cd /
		as() { local uid=\$1; shift; setpriv --reuid \$uid --regid \$uid --clear-groups env -i \\
			PATH=\$PATH TMPDIR=/tmp HOME=\${HOME_OF_US-$T/home$US} "\$@"; }
		us() { as $US "\$@"; }
		them() { as $THEM "\$@"; }
		start() { us $T/gpurun -q $T/image.tar echo started; }
		no_home() { chown $THEM $T/home$US; chmod 755 $T/home$US; }
		cleanup() { rm -rf /dev/shm/gpurun-$US /dev/shm/gpurun-$THEM; chown -R $US $T/home$US; }
		cleanup
		trap cleanup EXIT
		$1
	EOF
	try_command unshare -m --propagation private bash "$T/script"
}

@test "a home that cannot be written: the store is in /var/tmp" {
	fresh_host
	on_host 'no_home; start; ls -d /var/tmp/gpurun-'$US'/v1'
	is "$output" "started
/var/tmp/gpurun-$US/v1"
}

@test "somebody else made /var/tmp/gpurun-UID: a directory, a file, links; it is not used" {
	fresh_host
	for make in "mkdir /var/tmp/gpurun-$US" "mkdir -m 777 /var/tmp/gpurun-$US" \
		"touch /var/tmp/gpurun-$US" "ln -s $T/home$US /var/tmp/gpurun-$US" \
		"ln -s /nowhere /var/tmp/gpurun-$US" "mkfifo /var/tmp/gpurun-$US"; do
		on_host "no_home; them $make; start"
		echo "$make: $status: $stderr"
		is "$status" 125
		one_message
		says "$T/home$US|/var/tmp/gpurun-$US"
		hints -- '--store'
	done
}

@test "a store directory of theirs that is swapped in below a shared parent is not used" {
	fresh_host
	# sticky or not: what is found at our name must be ours
	for mode in 1777 777; do
		on_host "mkdir -m $mode /var/tmp/shared
			GPURUN_STORE=/var/tmp/shared/us us env GPURUN_STORE=/var/tmp/shared/us $T/gpurun -q $T/image.tar echo started
			them mkdir /var/tmp/shared/theirs
			rm -rf /var/tmp/shared/us; mv /var/tmp/shared/theirs /var/tmp/shared/us
			us env GPURUN_STORE=/var/tmp/shared/us $T/gpurun -q $T/image.tar echo started"
		is "$output" started
		is "$status" 125
		one_message
		says "belongs to uid $THEM"
	done
}

@test "two users below one parent directory, sticky or not" {
	fresh_host
	for mode in 1777 777; do
		on_host "mkdir -m $mode /var/tmp/shared
			for u in $US $THEM; do
				HOME_OF_US=/nowhere as \$u env GPURUN_STORE=/var/tmp/shared/\$u $T/gpurun -q $T/image.tar id -u &
			done
			wait
			stat -c %a /var/tmp/shared/*/v1 | sort -u | wc -l"
		is "$(sort <<< "$output" | tr '\n' ' ')" "1 $US $THEM "
	done
}

@test "the store's own name is a link: it is refused; a link above it is the user's business" {
	fresh_host
	on_host "us mkdir -p $T/home$US/real; us ln -s real $T/home$US/link
		us $T/gpurun -q --store $T/home$US/link/store $T/image.tar echo above
		us ln -s real/store $T/home$US/store
		us $T/gpurun -q --store $T/home$US/store $T/image.tar echo itself"
	is "$output" above
	is "$status" 125
	says 'symbolic link'
}

@test "somebody else made /dev/shm/gpurun-UID" {
	fresh_host
	for make in "mkdir -m 777" "touch" "ln -s $T/home$US"; do
		on_host "them $make /dev/shm/gpurun-$US; start"
		is "$status" 125
		one_message
		says 'directory for the state'
		hints 'XDG_RUNTIME_DIR'
	done
}

@test "XDG_RUNTIME_DIR that is not ours, not there, or no directory" {
	fresh_host
	for dir in "$T/home$THEM" /nowhere "$T/image.tar" relative ''; do
		on_host "us env XDG_RUNTIME_DIR=$dir $T/gpurun -q $T/image.tar echo started
			ls -A $T/home$THEM; ls -d /dev/shm/gpurun-$US"
		is "$output" "started
/dev/shm/gpurun-$US"
	done
}

@test "GPURUN_STORE_RO that others may write is left out, and said" {
	fresh_host
	on_host "$T/gpurun -q --store /tmp/site $T/image.tar true
		chmod -R a+rX /tmp/site
		ro() { us env GPURUN_STORE_RO=/tmp/site $T/gpurun busybox:latest echo started; }
		ro
		for m in 'chmod 777 /tmp/site' 'chmod 775 /tmp/site' 'chmod 755 /tmp/site; chmod 777 /tmp/site/v1' \
			'chmod 755 /tmp/site/v1; chown $THEM /tmp/site/v1' 'chown $THEM /tmp/site'; do
			eval \"\$m\"
			ro 2>> /tmp/said && echo \"\$m: it is used\" || echo \"status \$?\"
		done
		grep -c 'is left out' /tmp/said"
	is "$output" "started
status 125
status 125
status 125
status 125
status 125
5"
}

@test "whoever can read a shared store and holds its locks keeps no reader from it" {
	fresh_host
	on_host "$T/gpurun -q --store /tmp/site $T/image.tar true
		chmod -R a+rX /tmp/site
		hold() { exec setpriv --reuid $THEM --regid $THEM --clear-groups flock -F -x \$1 sleep 60; }
		for f in /tmp/site/v1/lock/* /tmp/site/v1/images/*; do
			hold \$f &
		done
		for i in {1..200}; do flock -n /tmp/site/v1/images/* true || break; sleep 0.02; done
		us env GPURUN_STORE_RO=/tmp/site timeout 20 $T/gpurun -q busybox:latest echo started
		kill \$(jobs -p)"
	is "$output" started
}

# ---- many at once -------------------------------------------------------------------------------

# An image that takes a while, called NAME: 2000 files.
image_of() {
	local d
	small "$T/$1"
	for d in {1..20}; do
		mkdir "$T/$1/d$d"
		touch "$T/$1/d$d"/{1..100}
	done
	echo "$1" > "$T/$1/d1/1"
	mkimage "$T/$1" --docker --compress gzip --tag "$1:1" "$T/$1.tar"
}

# had_all N - those who started had the whole tree, and said nothing
had_all() {
	is "$(cat "$T"/out.* | sort | uniq -c | tr -s ' ')" " $1 2000"
	is "$(cat "$T"/err.*)" ''
}

# kill_unpacker - the process that its own lock file names, as soon as it does
kill_unpacker() {
	local f pid what
	while true; do
		for f in "$T"/store/v1/lock/*-*; do
			{ read -r pid what < "$f"; } 2> /dev/null || true
			[[ ${what-} == unpacking* ]] && kill -KILL "$pid" && return
		done
	done
}

@test "64 first starts of one image: one unpacks; it is killed, another does" {
	export GPURUN_STORE=$T/store
	image_of many
	for i in {1..64}; do
		"$GPURUN" -q "$T/many.tar" sh -c 'ls /d[0-9]*/* | grep -c .' > "$T/out.$i" 2> "$T/err.$i" &
	done
	kill_unpacker
	wait
	had_all 63
	is "$(ls "$GPURUN_STORE/v1/images" | wc -l)" 1
	is "$(ls "$GPURUN_STORE"/v1/{layers,trees} | grep -cE '^[0-9a-f]{64}$')" 1
	works verify
	works prune
}

@test "first starts of 8 images at once, 4 of each" {
	export GPURUN_STORE=$T/store
	for i in {1..8}; do
		image_of "i$i"
	done
	for i in {1..32}; do
		"$GPURUN" -q "$T/i$((i % 8 + 1)).tar" sh -c 'ls /d[0-9]*/* | grep -c .' > "$T/out.$i" 2> "$T/err.$i" &
	done
	wait
	had_all 32
	is "$(ls "$GPURUN_STORE/v1/images" | wc -l)" 8
	works verify
	works prune
}
