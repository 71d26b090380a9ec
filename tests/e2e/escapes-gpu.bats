#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Escapes by what is done for GPUs: the holes of container toolkits, tried as root and as an
# ordinary user on a machine that looks as if it had three GPUs.
#
# CVE, or practice                    mechanism                               test                  control
# 2024-0132, 2025-23359 toolkit       compat libraries mounted from links     the image's compat... naive bind
# 2024-0133, 2024-0134 toolkit        mount points made below links           directories of...     naive mkdir, touch
# 2024-0135 toolkit                   the host's program changed              files of the driver.. naive copy, bind rw
# 2024-0136, 2024-0137 toolkit        ldconfig of the image is run            no program...         chroot ldconfig
# 2025-23266 toolkit                  hooks with the image's environment      the image's envir...  naive hook
# 2025-23267 toolkit                  links and pipes where ld.so.cache is    the linker's cache... naive write, read
# 2026-24260 toolkit                  the same by a race                      swapped...            naive check, mkdir
# env as authority, 2026-24196 driver the image's environment gives devices   devices that...       the command line's
# cuda_injection_path_shm             a file in /dev/shm names a library      the host's /dev/shm   --ipc host
# set-uid nvidia-modprobe             is there inside; files can be written   what comes from...    naive bind of /usr
# NVML in the launcher                gpus.bats: a start loads no library of the driver; t_gpu_forked
# hostile ld.so.cache, ELF            t_gpu_ldcache, t_base_elf and the fuzzers of both
load common
load gpu
load escapes

test_setup_file() {
	local f
	evil_programs
	[ "$(id -u)" = 0 ] || return 0
	stub_driver
	for f in $(ldd /bin/sh | grep -o '/[^ ]*'); do
		mkdir -p "$BASE$(dirname "$f")"
		cp -L "$f" "$BASE$f"
	done
	cp "$IMAGES/busybox/bin/hello-gpu" "$BASE/bin/"
	ldconfig -r "$BASE"
}

test_setup() {
	need_machine
	canary
	cat > "$T/both" <<- END
		"\$@"; echo ended \$?
		export XDG_RUNTIME_DIR=$T/user/run HOME=$T/user/home XDG_CONFIG_HOME=$T/user/home GPURUN_STORE=$T/user/store
		setpriv --reuid 20001 --regid 20001 --clear-groups "\$@"; echo ended \$?
	END
}

# starts WORD... - as root and as an ordinary user of one machine, with everything of the driver: it
# starts or says why not, and no file of the host is seen or touched
starts() {
	try_command machine -- bash "$T/both" "$GPURUN" -q --gpus 0 --gpu-caps all "$@" "$IMAGE" sh -c \
		'echo started; find / -xdev -name secret; grep -rs "a secret" /.gpurun /etc /usr /lib; true'
	hasnt "$(sed -E '/^(started|ended 0|ended 125)$/d' <<< "$output")" .
	is "$(grep -c '^gpurun: ' <<< "$stderr")" "$(grep -c 'ended 125' <<< "$output")"
	untouched
}

# must_start WORD... - the same, and it starts
must_start() {
	starts "$@"
	is "$output" $'started\nended 0\nstarted\nended 0'
}

@test "CVE-2024-0132, CVE-2025-23359: the image's compat libraries are links to the host" {
	local recipe
	for recipe in cuda-compat compat-dir; do
		rootfs $recipe
		must_start
		must_start --cuda-compat always
		must_start --cuda-compat never
		naive 'mkdir -p "$ROOT/lib/compat"
			for f in "$ROOT"/usr/local/cuda/compat/*; do
				to=$ROOT/lib/compat/${f##*/}
				[ -d "$f" ] && mkdir "$to" || : > "$to"
				mount --bind "$f" "$to"
			done
			grep -r . "$ROOT/lib/compat"'
		found 'a secret of the host'
	done
}

@test "CVE-2024-0133, CVE-2024-0134: directories of the driver's files are links to the host" {
	rootfs library-dirs
	starts
	naive 'for f in etc/OpenCL/vendors/nvidia.icd usr/lib64/libcuda.so.1; do
		mkdir -p "$ROOT/${f%/*}"; touch "$ROOT/$f"; done'
	touched
	[ -e "$HOST/dir/libcuda.so.1" ]
}

@test "CVE-2024-0135: files of the driver are links to the host, and what is bound is read-only" {
	rootfs driver-files
	starts
	evil ldconfig
	try_command machine -- bash "$T/both" "$GPURUN" -q --gpus 0 --gpu-caps all "$IMAGE" sh -c 'for f in /usr/bin/nvidia-smi /.gpurun/lib64/*; do
		[ -f $f ] || continue; (echo x >> $f) 2> /dev/null && echo "written: $f"; chmod 777 $f 2> /dev/null && echo "changed: $f"
		done; [ -x /usr/bin/nvidia-smi ] && echo tried'
	is "$output" $'tried\nended 0\ntried\nended 0'
	naive 'cp /bin/true "$ROOT/usr/bin/nvidia-smi"'
	touched
	echo program > "$T/program"
	naive 'mkdir -p "$ROOT/opt"; : > "$ROOT/opt/program"; mount --bind "${HOST%/host}/program" "$ROOT/opt/program"
		chroot "$ROOT" sh -c "echo x >> /opt/program"'
	is "$(cat "$T/program")" $'program\nx'
}

@test "CVE-2024-0136, CVE-2024-0137: no program of the image runs before the command" {
	local as
	rootfs ldconfig
	for as in on_root on_user; do
		for options in "" "--gpu-caps all" "-x nvidia-uvm -x nvidia-uvm-tools"; do
			machine=() words=()
			[[ $options == -x* ]] && machine=($options) || words=($options)
			$as "${machine[@]}" -- -q --gpus 0 "${words[@]}" "$IMAGE" sh -c 'ls /ran; echo started' 2> /dev/null
			is "$status $output" '0 started'
			untouched
		done
	done
	naive 'chroot "$ROOT" /sbin/ldconfig 2> /dev/null || true; cat "$ROOT/ran"'
	found /sbin/ldconfig
}

# A driver whose nvidia-modprobe is one that a library can be preloaded into.
hooked() {
	cp -a "$STUB" "$T/driver"
	printf '#!/bin/bash\n/bin/true\n/bin/mknod -m 666 /dev/nvidia-uvm c 511 0\n/bin/mknod -m 666 /dev/nvidia-uvm-tools c 511 1\n/bin/ls > %s\n' \
		"$WITNESS/cwd" > "$T/driver/usr/bin/nvidia-modprobe"
	# the bit is asked for; of a script it means nothing, and so nothing guards it but its environment
	chmod 4755 "$T/driver/usr/bin/nvidia-modprobe"
}

@test "CVE-2025-23266: the image's environment and root directory in what runs on the host" {
	local as
	rootfs preload
	hooked
	cd "$ROOT"
	for as in on_root on_user; do
		$as -- -q --gpus 0 --gpu-caps all "$IMAGE" true
		is "$status" 0
		$as -- -q --gpus 0 --userns subid "$IMAGE" true
		$as -- -q --gpus 0 -v "$T/tmp:/data" -t "$IMAGE" true
		is "$status" 0
		$as -d "$T/driver" -x nvidia-uvm -x nvidia-uvm-tools -- -q --gpus 0 "$IMAGE" true
		[ ! -e "$WITNESS/loaded" ]
	done
	on_root -d "$T/driver" -x nvidia-uvm -x nvidia-uvm-tools -- -q --gpus 0 "$IMAGE" true
	is "$status" 0
	hasnt "$(cat "$WITNESS/cwd")" evil
	[ ! -e "$WITNESS/loaded" ]
	# a hook of the host with what the image says
	naive 'cd "$ROOT"; LD_PRELOAD=/proc/self/cwd/evil.so /bin/true'
	grep -q /bin/ "$WITNESS/loaded"
}

@test "CVE-2025-23267: the linker's cache and its configuration are links, pipes, or without end" {
	local as
	rootfs ld-cache-link
	starts
	naive 'echo /usr/lib/nvidia > "$ROOT/etc/ld.so.conf.d/00-nvidia.conf"; cp /etc/ld.so.cache "$ROOT/etc/ld.so.cache"'
	touched
	canary
	rootfs ld-cache-fifo
	for as in on_root on_user; do
		$as -- -q --gpus 0 "$IMAGE" true 3>&- &
		wait_for 10 sh -c "! kill -0 $!"
		wait $! || true
	done
	try_command timeout 1 cat "$ROOT/etc/ld.so.cache"
	is "$status" 124
	# more than memory: the same limit for both
	cp -r "$BASE" "$T/huge"
	truncate -s 3G "$T/huge/etc/ld.so.cache" "$T/huge/etc/ld.so.conf"
	for as in on_root on_user; do
		(
			ulimit -v 1000000
			$as -- -q --gpus 0 "dir:$T/huge" echo started
			[ "$status" = 125 ] && one_message || is "$output" started
		)
	done
	(
		ulimit -v 1000000
		try_command python3 -c 'import sys; open(sys.argv[1], "rb").read()' "$T/huge/etc/ld.so.cache"
		[ "$status" != 0 ]
	)
}

@test "CVE-2026-24260: swapped while the driver's files are put there" {
	local vol=$T/vol starts=${GPURUN_TEST_RACES:-60} n as swapper
	mkdir -p "$vol/vulkan"
	chmod -R 777 "$vol" "$HOST/dir"
	CANARY=$(canary_now)
	ln -s "$HOST/dir" "$vol/out"
	rootfs preload
	# all of them on one machine
	cat > "$T/many" <<- 'END'
		worked=0
		for ((n = 0; n < $1; n++)); do
			"${@:2}" true && worked=$((worked + 1))
		done 2> /dev/null
		echo "$worked worked"
	END
	"$EVIL/attack" swap "$vol/vulkan" "$vol/out" 3>&- &
	swapper=$!
	for as in machine "user_machine -u 20001"; do
		try_command ${as% -*} ${as#*machine} -- bash "$T/many" $((starts / 2)) "$GPURUN" -q --gpus 0 --gpu-caps all \
			-v "$vol:/usr/share" -v "$vol:/etc/vulkan/x" "$IMAGE"
		has "$output" '^[1-9][0-9]* worked$'
		untouched
	done
	for ((n = 0; n < 5000; n++)); do
		[ -L "$vol/vulkan" ] || mkdir -p "$vol/vulkan/icd.d/$n" 2> /dev/null || true
		[ ! -e "$HOST/dir/icd.d" ] || break
	done
	kill $swapper
	touched
}

@test "env as authority: devices that only the image asks for" {
	local nodes='/dev/nvidia0 /dev/nvidia1 /dev/nvidia2 /dev/nvidiactl /dev/nvidia-modeset /dev/nvidia-caps/nvidia-cap1 /dev/nvidia-caps-imex-channels/channel0 /dev/dri/renderD128'
	evil asks-for-all
	with_imex() {
		local as=$1
		shift
		[ "$as" = root ] && set -- machine -r -- bash "$T/imex" 0 "$@" || set -- user_machine -r -- bash "$T/imex" 20001 "$@"
		try_command "$@"
		output=$(sed 's,.* ,,' <<< "$output" | tr '\n' ' ')
	}
	cat > "$T/imex" <<- 'END'
		mkdir /dev/nvidia-caps-imex-channels
		mknod -m 666 /dev/nvidia-caps-imex-channels/channel0 c 237 0
		exec setpriv --reuid "$1" --regid "$1" --clear-groups "${@:2}"
	END
	local as
	for as in root user; do
		with_imex $as "$GPURUN" -q --gpus none "$IMAGE" hello-gpu $nodes
		is "$output" 'ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT ENOENT '
		with_imex $as "$GPURUN" -q --gpus 0 "$IMAGE" hello-gpu $nodes
		is "$output" 'ENOENT ENOENT ENXIO ENXIO ENOENT ENOENT ENOENT ENOENT '
		with_imex $as "$GPURUN" -q --gpus all --gpu-caps all --imex 0 "$IMAGE" hello-gpu $nodes
		has "$output" '^ENXIO ENXIO ENXIO ENXIO ENXIO ENOENT ENXIO (ENXIO|ok) $'
	done
}

@test "cuda_injection_path_shm: the host's /dev/shm is not there" {
	local f=/dev/shm/cuda_injection_path_shm
	[ ! -e $f ] || skip "$f is there already"
	echo /evil.so > $f
	on -- -q --gpus 0 "$BUSYBOX" ls -A /dev/shm
	rm $f
	is "$status $output" '0 '
	echo /evil.so > $f
	on_root -- -q --gpus 0 --ipc host "$BUSYBOX" cat $f
	rm $f
	is "$output" /evil.so
}

@test "set-uid nvidia-modprobe: what comes from the host is read-only, nosuid, nodev, and has no set-uid file" {
	local as
	[ -u "$STUB/usr/bin/nvidia-modprobe" ]
	rootfs preload
	for as in on_root on_user; do
		$as -- -q --gpus 0 --gpu-caps all -e LD_PRELOAD= -e LD_AUDIT= "$IMAGE" sh -c \
			'find / -xdev -perm -4000 -type f; find /usr /.gpurun -name "*modprobe*"; find /usr/bin /.gpurun -type f -perm -4000
			cut -d" " -f5,6 /proc/self/mountinfo | grep -E "^/(\.gpurun/lib64|usr|etc/(OpenCL|vulkan|nvidia))/"'
		is "$status" 0
		has "$output" '/nvidia-smi '
		has "$output" '/.gpurun/lib64/libcuda'
		is "$(grep -v ' ro,nosuid,nodev' <<< "$output")" ''
	done
	# who mounts the driver's directory as it is
	naive "mkdir -p '$ROOT/usr/bin'; mount --bind '$STUB/usr/bin' '$ROOT/usr/bin'; chroot '$ROOT' find /usr/bin -perm -4000"
	found nvidia-modprobe
}
