# SPDX-License-Identifier: Apache-2.0
# For the tests that try to escape (escapes-*.bats): "load escapes" behind "load common".
# Every row has two halves: the attack on gpurun, which must fail, and its control, the same attack
# where the protection is not there, which must succeed: or else the first half proves nothing.

# The programs of the attacks, once a file: in $EVIL, and from there in every evil image's /bin.
# BASE is a busybox with as few names as they need, quick to pack.
evil_programs() {
	local name
	export EVIL=$FILE_DIR/evil WITNESS=$FILE_DIR/witness BASE=$FILE_DIR/base
	small "$BASE"
	for name in chroot cp cut find grep head mkdir mknod mount mv readlink rm rmdir sort stat stty tail touch tr tty umount unshare wc; do
		ln -s busybox "$BASE/bin/$name"
	done
	mkdir -m 1777 "$BASE/tmp"
	mkdir "$BASE/etc" "$BASE/dev" "$BASE/proc" "$BASE/root"
	cp "$IMAGES/busybox/etc/passwd" "$IMAGES/busybox/etc/group" "$BASE/etc/"
	mkdir -p "$EVIL" "$WITNESS"
	chmod 1777 "$WITNESS"
	${CC:-cc} -std=gnu17 -O1 -Wall -static -s -o "$EVIL/attack" "$REPO/images/evil/attack.c"
	${CC:-cc} -std=gnu17 -O1 -Wall -shared -fPIC -s -DWITNESS="\"$WITNESS/loaded\"" \
		-o "$EVIL/evil.so" "$REPO/images/evil/evil.c"
}

# What must stay as it is: $HOST, a directory of the host at which the images aim.
canary() {
	HOST=$T/host
	mkdir -p "$HOST/dir"
	echo 'a secret of the host' > "$HOST/secret"
	CANARY=$(canary_now)
}

canary_now() {
	(cd "$HOST" && find . -printf '%y %m %U %G %s %T@ %p %l\n' | sort && cat secret)
}

untouched() {
	is "$(canary_now)" "$CANARY"
}

touched() {
	[ "$(canary_now)" != "$CANARY" ] || { echo "control: nothing of the host was touched"; return 1; }
}

# evil NAME [MKIMAGE-OPTION...] - the image of that recipe, on busybox: $IMAGE
evil() {
	IMAGE=$T/$1.tar
	sh "$REPO/images/evil/build.sh" "$1" "$IMAGE" "$HOST" "${@:2}"
}

# rootfs NAME - the same as a directory, for the launchers of the controls: $ROOT
rootfs() {
	evil "$1" --tar
	ROOT=$T/$1.root
	mkdir "$ROOT"
	tar -C "$ROOT" -xf "$IMAGE"
	evil "$1"
}

# naive SCRIPT - the launcher of the controls: what it does with $ROOT in a mount namespace of its
# own (as the root of a user namespace, unless we are root) it does by paths, as once was usual.
naive() {
	local -a spaces=(--mount --pid --fork --propagation private)
	[ "$(id -u)" = 0 ] || spaces+=(--user --map-root-user)
	ROOT=$ROOT HOST=$HOST try_command unshare "${spaces[@]}" bash -euc "$1"
}

# found WORD - what the control must have seen
found() {
	grep -qF -- "$1" <<< "$output" || { printf 'control: no %q in: %s %s\n' "$1" "$output" "$stderr"; return 1; }
}

# A container that stays, named NAME: pid in $PID, and its image.
stays() {
	"$GPURUN" -q --name "$@" sh -c 'echo ready; exec sleep 1000' > "$T/$1.out" 2>&1 < /dev/null &
	PID=$!
	wait_for 10 grep -q ready "$T/$1.out"
	wait_for 10 "$GPURUN" inspect "$1"
}

ends() {
	kill -9 "$PID" 2> /dev/null || true
	wait "$PID" 2> /dev/null || true
	PID=
}
