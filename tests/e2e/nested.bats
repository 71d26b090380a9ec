#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# gpurun where somebody has built walls already: it works, or says in one line why not.
load common

# An image that sees this machine's /usr and holds nothing else, and gpurun's words to use it.
test_setup() {
	mkdir -p "$T/nest"/{usr,etc,tmp,proc,sys,dev,images}
	for d in bin sbin lib lib32 lib64 libx32; do
		[ ! -L /$d ] || ln -s usr/$d "$T/nest/$d"
	done
	[ -L /lib ] || cannot "this system has no merged /usr"
	OUTER=(-v /usr:/usr:ro -v "$GPURUN:/gpurun:ro" -v "$IMAGES:/images:ro")
	[ ! -e /etc/ld.so.cache ] || OUTER+=(-v /etc/ld.so.cache:/etc/ld.so.cache:ro)
}

# inner COMMAND... - status 0 and the word, or 125 and one line
works_or_says() {
	try_command "$@"
	if [ "$status" = 0 ]; then
		is "$output" inside
	else
		is "$status" 125
		one_message
	fi
}

# Id 0 inside holds few capabilities, and the kernel maps an id 0 only for CAP_SETFCAP.
@test "real root: gpurun in gpurun --nested works or says why" {
	need_root
	works_or_says "$GPURUN" -q --nested "${OUTER[@]}" "$T/nest" /gpurun -q --store /tmp/store /images/busybox.tar echo inside
}

@test "gpurun in gpurun --nested" {
	need_user
	works --nested "${OUTER[@]}" "$T/nest" /gpurun -q --store /tmp/store /images/busybox.tar echo inside
	is "$output" inside
	works_or_says "$GPURUN" -q --nested --root "${OUTER[@]}" "$T/nest" \
		/gpurun -q --store /tmp/store /images/busybox.tar echo inside
}

@test "gpurun in gpurun in gpurun" {
	need_user
	works --nested "${OUTER[@]}" "$T/nest" /gpurun -q --nested --store /tmp/store \
		-v /usr:/usr:ro -v /gpurun:/gpurun:ro -v /images:/images:ro -v /lib:/lib:ro -v /lib64:/lib64:ro \
		/images/busybox.tar /gpurun -q --store /tmp/store /images/busybox.tar echo inside
	is "$output" inside
}

@test "gpurun in gpurun without --nested says why" {
	try_command "$GPURUN" "${OUTER[@]}" "$T/nest" /gpurun -q --store /tmp/store /images/busybox.tar echo inside
	is "$status" 125
	one_message
}

@test "inside bubblewrap" {
	need bwrap
	bwrap --ro-bind / / true || cannot "bwrap does not work here"
	works_or_says bwrap --dev-bind / / --proc /proc "$GPURUN" "$BUSYBOX" echo inside
	works_or_says bwrap --dev-bind / / --unshare-all --proc /proc "$GPURUN" "$BUSYBOX" echo inside
	works_or_says bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --tmpfs /run --tmpfs /dev/shm \
		--ro-bind "$GPURUN" /run/gpurun --ro-bind "$IMAGES" /run/images --unshare-all \
		/run/gpurun -q --store /tmp/store /run/images/busybox.tar echo inside
}

@test "under unshare -Ur, and with more namespaces" {
	works_or_says unshare -Ur "$GPURUN" "$BUSYBOX" echo inside
	is "$status" 0
	works_or_says unshare -Urm "$GPURUN" "$BUSYBOX" echo inside
	works_or_says unshare -Urmpf --mount-proc "$GPURUN" "$BUSYBOX" echo inside
	works_or_says unshare -U "$GPURUN" "$BUSYBOX" echo inside
}

@test "no user namespaces left: ENOSPC is explained" {
	try_command unshare -Ur sh -c 'echo 0 > /proc/sys/user/max_user_namespaces; exec "$@"' - \
		"$GPURUN" "$BUSYBOX" echo inside
	is "$status" 125
	one_message
	hints 'max_user_namespaces'
}

@test "in a chroot it says that a chroot is the reason, or works" {
	mkdir -p "$T/nest/mnt"
	works_or_says unshare -Urm sh -c '
		cd "$0" && mount --bind /usr usr && mount --rbind /proc proc && mount --rbind /sys sys &&
		mount --rbind /dev dev && touch gpurun && mount --bind "$1" gpurun &&
		mount --rbind "$2" images && exec chroot . /gpurun -q --store /tmp/store /images/busybox.tar echo inside' \
		"$T/nest" "$GPURUN" "$IMAGES"
}

@test "/proc with masks that cannot be taken off: it falls back and says so, --pid private is refused" {
	need bwrap
	walls=(bwrap --dev-bind / / --unshare-pid --proc /proc --ro-bind /dev/null /proc/version)
	"${walls[@]}" true || cannot "bwrap does not work here"
	try_command "${walls[@]}" "$GPURUN" "$BUSYBOX" echo inside
	is "$status" 0
	is "$output" inside
	try_command "${walls[@]}" "$GPURUN" --pid private "$BUSYBOX" echo inside
	if [ "$status" = 0 ]; then
		cannot "this kernel gives a fresh proc anyway"
	fi
	is "$status" 125
	one_message
	says 'proc'
}
