#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The machine goes down at a random moment while images are unpacked, removed, pruned and kept.
# What is then on the disk must open clean or heal: every image that is started afterwards has the
# right files, or what is wrong with it is said; no damaged tree runs.
#
# Two kinds of disk: the blocks of an ext4 file system that nobody unmounted (root, with loop
# devices); and a copy of the directory, of which a part is as if it had never been written, with
# another boot id (anybody).
#
#	CUTS       how many of each (25)
#	CUTS_SEED
set -u
. "$(dirname "$0")/../e2e/common.bash"

if [ "$(id -u)" = 0 ] && [ -z "${POWER_CUT_NS-}" ]; then
	POWER_CUT_NS=1 exec unshare -m --propagation private bash "$0" "$@"
fi

cuts=${CUTS:-25}
seed=${CUTS_SEED:-$RANDOM}
tests=0 failed=0
declare -A counted

say() {
	tests=$((tests + 1))
	echo "$1 $tests - $2"
	[ "$1" = ok ] || failed=$((failed + 1))
}

complain() {
	bad=$((bad + 1))
	echo "# cut $n: $*"
	sed 's/^/# /' "$T/err"
}

# ---- what is going on when the machine goes down ------------------------------------------------

# Images that share their lowest layer, two in one piece.
make_images() {
	local i f
	small "$T/root"
	ln -s busybox "$T/root/bin/md5sum"
	mkdir "$T/root/files"
	for f in {1..60}; do
		head -c $((RANDOM % 20000)) /dev/urandom > "$T/root/files/$f"
	done
	head -c 1000000 /dev/urandom > "$T/root/files/noise"
	truncate -s 3000000 "$T/root/files/hole"
	for i in 1 2 3 4; do
		mkdir -p "$T/layer$i/files"
		echo "$i" > "$T/layer$i/files/which"
		if [ $((i % 2)) = 0 ]; then
			cp "$T/layer$i/files/which" "$T/root/files/which"
			tar -C "$T/root" -Scf "$T/image$i.tar" .
			rm "$T/root/files/which"
		else
			mkimage "$T/root" --layer "$T/layer$i" --docker --tag "cut:$i" "$T/image$i.tar"
		fi
		cat "$T"/root/files/* "$T/layer$i/files/which" | md5sum > "$T/sum$i"
	done
}

# Until it is killed.
writer() {
	local i
	trap - EXIT
	while true; do
		i=$((RANDOM % 4 + 1))
		case $((RANDOM % 10)) in
		0) "$GPURUN" rm "cut:$i" ;;
		1) "$GPURUN" prune ;;
		2) "$GPURUN" prune --all ;;
		3 | 4) "$GPURUN" -q --keep "k$i" "$T/image$i.tar" sh -c 'echo line >> /log' ;;
		*) "$GPURUN" -q "$T/image$i.tar" true ;;
		esac
	done > /dev/null 2>&1
}

# ---- what is found ------------------------------------------------------------------------------

count() {
	counted[$1]=$((${counted[$1]-0} + 1))
}

# look STORE - start everything
look() {
	local i name GPURUN_STORE=$1
	export GPURUN_STORE
	for i in 1 2 3 4; do
		name=cut:$i
		[ $((i % 2)) != 0 ] || name=image$i
		# by name there is only what the store has
		if "$GPURUN" "$name" sh -c 'cat /files/* | md5sum' > "$T/out" 2> "$T/err"; then
			count "found by its name"
			cmp -s "$T/out" "$T/sum$i" || complain "$name: a damaged tree runs"
		else
			count "not there by its name"
			grep -q '^gpurun: ' "$T/err" || complain "$name: nothing is said"
		fi
		! grep -q 'damaged' "$T/err" || count "damaged, and said so"
		if "$GPURUN" "$T/image$i.tar" sh -c 'cat /files/* | md5sum' > "$T/out" 2> "$T/err"; then
			cmp -s "$T/out" "$T/sum$i" || complain "image$i.tar: a damaged tree runs"
		elif grep -q '^hint: .*gpurun rm' "$T/err" && "$GPURUN" rm "$name" > /dev/null 2>> "$T/err" &&
			"$GPURUN" "$T/image$i.tar" sh -c 'cat /files/* | md5sum' > "$T/out" 2>> "$T/err"; then
			count "a layer is missing, and what to do is said"
			cmp -s "$T/out" "$T/sum$i" || complain "image$i.tar: a damaged tree runs"
		else
			complain "image$i.tar does not start"
		fi
		! grep -q 'damaged' "$T/err" || count "damaged, and unpacked again"
	done
	for i in 1 2 3 4; do
		"$GPURUN" -q --keep "k$i" "$T/image$i.tar" true 2> "$T/err" || complain "--keep k$i"
	done
	"$GPURUN" prune > "$T/out" 2> "$T/err" || complain "prune"
	! grep -q damaged "$T/err" || complain "prune finds a damaged record"
	"$GPURUN" verify > "$T/err" 2>&1 || complain "verify"
	for i in tmp trash scratch; do
		[ -z "$(ls -A "$1/v1/$i")" ] || complain "left in $i: $(ls -A "$1/v1/$i")"
	done
}

# run_writer SECONDS - and let it go on after them
run_writer() {
	writer &
	WRITER=$!
	sleep "$1"
}

end_writer() {
	kill -KILL $WRITER
	wait $WRITER 2> /dev/null
	find_marked
	[ ${#LEFT[@]} = 0 ] || kill -KILL "${LEFT[@]}" 2> /dev/null
	wait_for 10 no_process
}

moment() {
	printf -v MOMENT '%d.%03d' $((RANDOM % 3)) $((RANDOM % 1000))
}

# ---- blocks of a file system --------------------------------------------------------------------

# Twice the same: nothing was written in between, so it is how the disk was at one moment.  Nobody
# goes on meanwhile; what the kernel has not written yet stays so.
copy_disk() {
	local i
	find_marked
	kill -STOP "${LEFT[@]}" 2> /dev/null
	for i in {1..100}; do
		cp --sparse=always "$T/disk" "$T/cut"
		cmp -s "$T/disk" "$T/cut" && return
	done
	return 1
}

# The kernel that comes up has another id.
other_boot() {
	umount /proc/sys/kernel/random/boot_id 2> /dev/null
	cat /proc/sys/kernel/random/uuid > "$T/boot"
	mount --bind "$T/boot" /proc/sys/kernel/random/boot_id
}

blocks() {
	mkdir "$T/mnt" "$T/after"
	truncate -s 128M "$T/disk"
	mkfs.ext4 -q -F "$T/disk" || return 1
	# names are on disk after a second, contents after half a minute
	mount -o loop,commit=1 "$T/disk" "$T/mnt" || return 1
	mkdir -m 700 "$T/mnt/store"
	export GPURUN_STORE=$T/mnt/store
	for ((n = 1; n <= cuts; n++)); do
		moment
		run_writer "$MOMENT"
		copy_disk || complain "the disk does not hold still"
		e2fsck -fy "$T/cut" > "$T/err" 2>&1
		[ $? -le 2 ] || complain "e2fsck"
		mount -o loop "$T/cut" "$T/after" || complain "mount"
		end_writer
		other_boot
		look "$T/after/store"
		umount "$T/after"
		umount /proc/sys/kernel/random/boot_id
	done
	umount "$T/mnt"
}

# ---- a copy of the directory --------------------------------------------------------------------

# Of the files that were not written yet nothing is there, or the size only, or a part.
lose() {
	local f size
	while read -r -d '' f; do
		[ $((RANDOM % 8)) = 0 ] || continue
		size=$(stat -c %s "$f")
		case $((RANDOM % 3)) in
		0) truncate -s 0 "$f" ;;
		1) truncate -s 0 "$f" && truncate -s "$size" "$f" ;;
		2) truncate -s $((size / 2)) "$f" ;;
		esac
	done < <(find "$1/v1/images" "$1/v1/layers" "$1/v1/trees" "$1/v1/tmp" -type f -perm -u+w \
		-links 1 -print0)
	find "$1/v1/images" -type f | while read -r f; do
		[ ! -s "$f" ] || printf 01234567-89ab-cdef-0123-456789abcdef |
			dd of="$f" bs=1 seek=20 conv=notrunc status=none
	done
}

directories() {
	export GPURUN_STORE=$T/store
	mkdir -m 700 "$T/store"
	for ((n = 1; n <= cuts; n++)); do
		moment
		run_writer "$MOMENT"
		rm -rf "$T/copy"
		cp -a "$T/store" "$T/copy" 2> /dev/null # things vanish on the way
		end_writer
		[ $((n % 4)) = 0 ] || lose "$T/copy"
		chmod 700 "$T/copy"
		look "$T/copy"
	done
}

# verdict NAME
verdict() {
	local what
	for what in "${!counted[@]}"; do
		echo "# $what: ${counted[$what]}"
	done
	counted=()
	[ $bad = 0 ] && say ok "$1: $cuts cuts" || say "not ok" "$1: $bad complaints"
}

BATS_TEST_NUMBER=1
setup_file
trap teardown_file EXIT
setup
echo "# seed $seed"
RANDOM=$seed
make_images
n=0 bad=0
directories
verdict "a copy of the directory"
if [ "$(id -u)" = 0 ] && command -v mkfs.ext4 > /dev/null && [ -e /dev/loop-control ]; then
	n=0 bad=0
	blocks || complain "no ext4 on a loop device"
	verdict "the blocks of ext4"
	umount "$T/after" "$T/mnt" 2> /dev/null
else
	echo "ok $((++tests)) # SKIP for root, with mkfs.ext4 and loop devices"
fi
export GPURUN_STORE=$FILE_DIR/store
echo "1..$tests"
[ $failed = 0 ]
