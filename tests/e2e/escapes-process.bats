#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Escapes by what a process is and may ask of the kernel.
#
# CVE                                 mechanism                              test                control
# 2019-5736 runc                      /proc/self/exe of the launcher         the launcher's...   chroot(1) is written to
# 2016-9962 runc                      who enters is seen with its fds        who enters...       nsenter(1) is
# 2026-41163 bubblewrap, 2023-30549   set-uid launcher                       set-uid copy...     set-uid program
#   apptainer
# 2022-27650 crun (ambient, inherit.) capabilities of the caller come in     capabilities...     without gpurun
# 2026-30892 crun                     "-u 1" read as somebody else           -u takes...         awk's numbers
# no_new_privs                        set-uid file in a mount                set-uid file...     without gpurun
# 2017-5226, 2019-10063, 2023-28100   TIOCSTI, high bits, TIOCLINUX          characters...       seccomp=unconfined
# 2026-31431 kernel                   AF_ALG, also by i386 and x32           sockets...          seccomp=unconfined
# keyring                             the caller's session keyring           keys...             without gpurun
# 2020-15257 containerd-shim          abstract socket of the host network    abstract...         --net host
# 2022-0492 kernel                    release_agent of cgroup v1             release_agent...    mounted on the host
# 2023-25809 runc                     cgroup file system that can be written cgroups...          on the host
# real root                           /proc/sys, /sys, mknod, handles        real root...        on the host
# 2025-65105 apptainer, 2025-64750    a layer is silently not applied        a layer that...     setpriv(1)
#   singularity, GHSA-mmx5-32m4-wxvx   (each of them: ineffective.t)
load common
load escapes

test_setup_file() {
	evil_programs
	cp -r "$BASE" "$FILE_DIR/attacks"
	cp "$EVIL/attack" "$FILE_DIR/attacks/bin/"
	mkimage "$FILE_DIR/attacks" --docker --env PATH=/bin "$FILE_DIR/attacks.tar"
}

test_setup() {
	canary
	IMAGE=$FILE_DIR/attacks.tar
	PID=
}

test_teardown() {
	[ -z "$PID" ] || ends
	wait_for 3 no_process || true
	"$GPURUN" ps > /dev/null 2>&1 || true
}

# as_other COMMAND... - as an ordinary user, whom only root can become
as_other() {
	setpriv --reuid 20001 --regid 20001 --clear-groups env HOME=/tmp XDG_RUNTIME_DIR="$T/other/run" \
		GPURUN_STORE="$T/other/store" "$@"
}

need_other() {
	need_root
	mkdir -p -m 700 "$T/other"/{run,store}
	chown -R 20001:20001 "$T/other"
}

@test "CVE-2019-5736: the launcher's file, by way of /proc/self/exe" {
	local before options own
	BASE=$IMAGES/bash rootfs self-exe
	cp "$GPURUN" "$T/gpurun"
	before=$(sha256sum "$T/gpurun")
	for own in now later; do
		for options in "" --root "--pid host" "--pid host --no-init" "--security-opt landlock=off" \
			"--pid host --security-opt landlock=off"; do
			try_command "$T/gpurun" -q -e OWN=$own $options "$IMAGE"
			try_command "$T/gpurun" -q -e OWN=$own $options "$IMAGE" /own
			wait_for 5 no_process
			is "$(sha256sum "$T/gpurun")" "$before"
		done
		SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_LOCALID=0 \
			try_command "$T/gpurun" -q --contain -e OWN=$own "$IMAGE"
		wait_for 5 no_process
		is "$(sha256sum "$T/gpurun")" "$before"
	done
	GPURUN=$T/gpurun stays entered -e OWN= -e LD_PRELOAD= "$IMAGE"
	try_command "$T/gpurun" exec -e LD_PRELOAD=/bin/evil.so -e OWN=now entered /proc/self/exe
	ends
	is "$(sha256sum "$T/gpurun")" "$before"
	# chroot(1) is no launcher, but it ends like one
	cp "$(command -v chroot)" "$T/launcher"
	naive "mkdir -p '$ROOT/proc'; mount -t proc proc '$ROOT/proc'
		exec env LD_PRELOAD=/bin/evil.so OWN=now '$T/launcher' '$ROOT' /proc/self/exe"
	is "$(tail -c 5 "$T/launcher")" owned
}

@test "CVE-2016-9962: who enters a container is not seen with what it holds of the host" {
	local -; set +o functrace # quick: see find_marked
	local n pid options
	need nsenter setpriv
	# Landlock forbids it as well; without it only that we cannot be dumped stands in the way
	for options in "" "--security-opt landlock=off"; do
		"$GPURUN" -q --name watched $options "$IMAGE" \
			attack watch "$HOST/secret" "$(stat -c %i "$GPURUN")" > "$T/seen" 2>&1 &
		PID=$!
		wait_for 10 grep -q watching "$T/seen"
		wait_for 10 "$GPURUN" inspect watched
		for n in {1..15}; do
			works exec watched true
		done
		works exec watched sh -c 'for f in exe root cwd fd/3 fd/4; do readlink /proc/1/$f; done
			ls /proc/1/root/ 2> /dev/null; attack trace 1; true'
		is "$output" $'EACCES\nEPERM'
		is "$(cat "$T/seen")" watching
		[ -n "$options" ] || ends
	done
	# the same program of another tool, at rest
	find_marked
	for pid in "${LEFT[@]}"; do
		tr '\0' ' ' < "/proc/$pid/cmdline" | grep -q '^attack watch' && break
	done
	nsenter -t "$pid" --user --preserve-credentials --pid \
		setpriv --bounding-set=-all --inh-caps=-all sleep 3 &
	wait_for 5 grep -q root "$T/seen" || { echo "control: not seen"; false; }
	works exec watched attack trace "$(grep -m 1 root "$T/seen" | cut -d' ' -f1)"
	is "$output" $'ok\nok'
	wait $!
	ends
}

@test "CVE-2026-41163, CVE-2023-30549: a set-uid copy refuses to do anything" {
	need_other
	for program in "$GPURUN" "$EVIL/attack"; do
		cp "$program" "$T/"
		chmod 4755 "$T/${program##*/}"
	done
	[ ! -u "$GPURUN" ] && [ ! -g "$GPURUN" ]
	try_command as_other "$T/gpurun" -q "$IMAGE" true
	is "$status" 125
	one_message
	try_command as_other "$T/gpurun" version
	is "$status" 125
	chmod 2755 "$T/gpurun"
	try_command as_other "$T/gpurun" -q "$IMAGE" true
	is "$status" 125
	try_command as_other "$T/attack" uid
	is "$output" 0
}

@test "CVE-2022-27650: capabilities that the caller would hand down" {
	local with=(setpriv --inh-caps +chown,+sys_chroot --ambient-caps +chown,+sys_chroot)
	need setpriv
	[ "$(id -u)" = 0 ] || with=(unshare --user --map-root-user "${with[@]}")
	"${with[@]}" true || cannot "no ambient capabilities here"
	for options in "" "--pid host" "--userns single"; do
		try_command "${with[@]}" "$GPURUN" -q $options "$IMAGE" grep Cap /proc/self/status
		is "$status" 0
		for set in Inh Amb Prm Eff Bnd; do has "$output" "^Cap$set:.0000000000000000$"; done
	done
	stays plain "$IMAGE"
	try_command "${with[@]}" "$GPURUN" exec plain grep Cap /proc/self/status
	[ "$status" != 0 ] || for set in Inh Amb Prm Eff Bnd; do has "$output" "^Cap$set:.0000000000000000$"; done
	ends
	try_command "${with[@]}" grep Cap /proc/self/status
	hasnt "$output" '^CapAmb:.0000000000000000$'
	hasnt "$output" '^CapInh:.0000000000000000$'
}

@test "CVE-2026-30892: -u takes a number as it stands, or nothing" {
	local -; set +o functrace # quick: see find_marked
	local who numbers=0
	stays whose "$IMAGE"
	for who in 0x0 1e3 1000abc ' 1000' +5 -1 5.0 5,0 08x 4294967295 4294967296 18446744073709551616 \
		99999999999999999999 5:5: 5:abc abc:5 5:-1 5:4294967295 '' $'5\n0'; do
		try -q -u "$who" "$IMAGE" id -u
		is "$status" 125
		is "$output" ''
		try exec -u "$who" whose id -u
		is "$status" 125
		is "$output" ''
		# the number that is taken where what follows it is not looked at
		[ -z "$(awk -v v="$who" 'BEGIN { if (v + 0 > 0) print v + 0 }')" ] || numbers=$((numbers + 1))
	done
	[ $numbers -ge 8 ]
	for who in 1 7 4242 2147483647; do
		works -q -u $who "$IMAGE" sh -c 'id -u; id -g'
		is "$output" "$who"$'\n'"$(id -g)"
		works -q -u $who:$who "$IMAGE" sh -c 'id -u; id -g'
		is "$output" "$who"$'\n'"$who"
	done
	ends
}

@test "no_new_privs: a set-uid file in what is mounted" {
	need_other
	mkdir "$T/bin"
	cp "$EVIL/attack" "$T/bin/"
	chmod 4755 "$T/bin/attack"
	for options in "" --root "-u 0" "--security-opt seccomp=unconfined" --nested; do
		try_command as_other "$GPURUN" -q $options -v "$T/bin:/data" "$IMAGE" sh -c \
			'/data/attack uid; grep NoNewPrivs: /proc/self/status; grep CapEff: /proc/self/status'
		is "$status" 0
		has "$output" '^NoNewPrivs:.1$'
	done
	try_command as_other "$GPURUN" -q -v "$T/bin:/data" "$IMAGE" sh -c '/data/attack uid; touch /data/mine'
	is "$output" 20001
	[ ! -e "$T/bin/mine" ]
	try_command as_other "$T/bin/attack" uid
	is "$output" 0
}

@test "CVE-2017-5226, CVE-2019-10063, CVE-2023-28100: characters put into the caller's terminal" {
	local script
	need python3
	script='for r in "0x5412" "0x5412 1" "0x5412 0xffffffff" "0x541c" "0x541c 1"; do attack ioctl $r; done'
	terminal() {
		try_command python3 "$HELPERS/terminal.py" $'expect END\nend\n' \
			"$GPURUN" -q --no-tty "$@" "$IMAGE" sh -c "($script) > /out/answers; echo END"
		is "$status" 0
		output=$(cat "$T/tmp/answers")
	}
	for options in "" --root --nested "--pid host"; do
		terminal -v "$T/tmp:/out" $options
		is "$(sort -u <<< "$output" | tr '\n' ' ')" 'EPERM '
	done
	terminal -v "$T/tmp:/out" --security-opt seccomp=unconfined
	if [ "$(sysctl -n dev.tty.legacy_tiocsti 2> /dev/null || echo 1)" = 1 ]; then
		is "$(head -3 <<< "$output" | tr '\n' ' ')" 'ok ok ok '
	else
		is "$(head -3 <<< "$output" | sort -u)" EIO
	fi
	# no console stands behind this terminal: the driver says so, and no filter
	is "$(sed -n 4,5p <<< "$output" | sort -u)" ENOTTY
}

@test "CVE-2026-31431: sockets of the kernel's crypto and of the hypervisor, by all calls" {
	local family call
	for options in "" --root --nested; do
		for family in 38 40; do
			works -q $options "$IMAGE" sh -c "for c in socket socket32 socketx32; do attack \$c $family; done; true"
			is "$(tr '\n' ' ' <<< "$output")" 'EPERM EPERM ENOSYS ENOSYS ENOSYS '
		done
	done
	for family in 38 40; do
		works -q --security-opt seccomp=unconfined "$IMAGE" sh -c "for c in socket socket32; do attack \$c $family; done; true"
		hasnt "$output" EPERM
		# not every kernel has these families, not every one runs i386 programs
		[ "$(uname -m)" != x86_64 ] || ! "$EVIL/attack" socket32 1 | grep -q ok || hasnt "$output" ENOSYS
	done
	works -q "$IMAGE" attack socket 1
}

@test "keys of the caller's session" {
	try_command "$EVIL/attack" plant gpurun-test 'a secret key' "$EVIL/attack" find gpurun-test
	[ "$status" = 0 ] || cannot "no keyrings in this kernel"
	found 'a secret key'
	for options in "" --root --nested "--pid host" "--security-opt seccomp=unconfined"; do
		try_command "$EVIL/attack" plant gpurun-test 'a secret key' "$GPURUN" -q $options "$IMAGE" attack find gpurun-test
		hasnt "$output" 'a secret key'
		has "$output" '^(EPERM|ENOKEY)'
	done
	stays keys "$IMAGE"
	try_command "$EVIL/attack" plant gpurun-test 'a secret key' "$GPURUN" exec keys attack find gpurun-test
	has "$output" '^(EPERM|ENOKEY)'
	ends
}

@test "CVE-2020-15257: abstract sockets, of the host and of ours" {
	"$EVIL/attack" listen gpurun-test-$$ > /dev/null &
	PID=$!
	wait_for 5 grep -q "@gpurun-test-$$" /proc/net/unix
	try -q --net none "$IMAGE" attack connect gpurun-test-$$
	is "$output" ECONNREFUSED
	# what SECURITY.md says of the host's network
	try -q "$IMAGE" attack connect gpurun-test-$$
	is "$output" ok
	ends
	# gpurun itself has none: in a network of its own nothing listens but the container's program
	unshare --user --map-root-user --net true || cannot "no network namespaces"
	try_command unshare --user --map-root-user --net sh -c \
		'"$@" sh -c "grep -c @ /proc/net/unix; attack listen x > /dev/null & sleep 0.3; grep -c @x /proc/net/unix; kill \$!"' \
		- "$GPURUN" -q --pid host "$IMAGE"
	is "$output" $'0\n1'
}

@test "CVE-2022-0492: a cgroup's release_agent" {
	local attack options
	attack='mkdir /tmp/c; for o in none,name=evil$$ rdma memory devices pids; do
		unshare -rmC mount -t cgroup -o $o cgroup /tmp/c && echo mounted
		mount -t cgroup -o $o cgroup /tmp/c || continue
		echo mounted; (echo /bin/true > /tmp/c/release_agent) && echo written
	done 2> /dev/null
	find / -name release_agent 2> /dev/null | while read -r f; do (: >> $f) 2> /dev/null && echo $f; done; true'
	for options in "" --root "--security-opt seccomp=unconfined" "--root --security-opt seccomp=unconfined" --nested "--nested --root"; do
		try -q $options "$BUSYBOX" sh -c "$attack"
		hasnt "$output" 'mounted|written|release_agent'
	done
	[ "$(id -u)" = 0 ] || return 0
	# on the host the kernel runs it when the group is empty
	mkdir "$T/c"
	mount -t cgroup -o none,name=gpurun$$ cgroup "$T/c" || cannot "no cgroup of version 1 can be mounted"
	printf '#!/bin/sh\necho ran > %s/ran\n' "$WITNESS" > "$T/agent"
	chmod 755 "$T/agent"
	mkdir "$T/c/group"
	echo "$T/agent" > "$T/c/release_agent"
	echo 1 > "$T/c/group/notify_on_release"
	sh -c 'echo $$ > "$1/cgroup.procs"' - "$T/c/group"
	wait_for 5 test -e "$WITNESS/ran" || true
	rmdir "$T/c/group"
	umount "$T/c"
	[ -e "$WITNESS/ran" ]
}

@test "CVE-2023-25809: cgroups cannot be changed from inside" {
	local options hierarchy group
	for options in "" --root "--pid host" "--ipc host --pid host --uts host" --nested; do
		try -q $options "$BUSYBOX" sh -c 'find /sys/fs/cgroup -type d 2> /dev/null | while read -r d; do
			mkdir $d/evil 2> /dev/null && echo $d; done
			find /sys/fs/cgroup -type f 2> /dev/null | while read -r f; do (: >> $f) 2> /dev/null && echo $f; done; true'
		is "$status" 0
		is "$output" ''
	done
	need_root
	# a group that the user may change, and does from outside
	while read -r _ hierarchy type _; do
		case $type in cgroup | cgroup2) ;; *) continue ;; esac
		group=$hierarchy/gpurun-test-$$
		mkdir "$group" 2> /dev/null && break
		group=
	done < /proc/mounts
	[ -n "$group" ] || cannot "no cgroup can be made"
	chown -R 20001 "$group"
	need_other
	try_command as_other "$GPURUN" -q "$BUSYBOX" sh -c "mkdir $group/inside"
	[ ! -d "$group/inside" ] && as_other mkdir "$group/outside" && rmdir "$group/outside" "$group" || {
		rmdir "$group"/* "$group"
		return 1
	}
}

@test "real root: kernel settings, devices that were not given, files by handle" {
	local options settings node disk
	need_root
	settings='/proc/sys/kernel/core_pattern /proc/sys/kernel/modprobe /proc/sys/vm/overcommit_memory
		/proc/sys/fs/binfmt_misc/register /proc/sysrq-trigger /sys/kernel/uevent_helper
		/sys/kernel/mm/transparent_hugepage/enabled /sys/module/kernel/parameters/panic
		/proc/irq/default_smp_affinity /sys/kernel/security/landlock'
	for options in "" "--cap-add SYS_CHROOT --cap-add MKNOD --cap-add SYS_PTRACE --cap-add NET_ADMIN --cap-add DAC_READ_SEARCH" \
		"--pid host --ipc host --uts host" "--security-opt seccomp=unconfined" "--security-opt landlock=off"; do
		works -q $options "$BUSYBOX" sh -c 'attack() { for f; do (: >> $f) 2> /dev/null && echo $f; done; }
			attack "$@"
			for p in / /proc /proc/sys /sys; do mount -o remount,rw $p; mount -o remount,bind,rw $p; umount -l $p; done 2> /dev/null
			attack "$@"
			for d in proc sysfs; do mkdir -p /tmp/$d && mount -t $d $d /tmp/$d && echo mounted $d; done 2> /dev/null
			unshare -m true 2> /dev/null && echo unshared
			chroot /proc/1/root true 2> /dev/null && echo chroot
			true' - $settings
		is "$output" ''
	done
	for f in $settings; do
		[ ! -f "$f" ] || [ ! -w "$f" ] || { (: >> "$f") && found_one=1; }
	done
	[ -n "$found_one" ]
	# nodes: made inside, in a mount, in the image
	mkdir "$T/root" "$T/nodes"
	cp -r "$BASE/." "$T/root"
	cp "$EVIL/attack" "$T/root/bin/"
	for node in "$T/root/zero" "$T/nodes/zero"; do mknod -m 666 "$node" c 1 5; done
	try -q --cap-add MKNOD -v "$T/nodes:/nodes" "dir:$T/root" sh -c \
		'for d in /tmp /dev /dev/shm /nodes; do mknod $d/made c 1 5 && attack device $d/made; done; attack device /zero; true' 2> /dev/null
	hasnt "$output" ok
	try_command chroot "$T/root" attack device /zero
	is "$output" ok
	# any file of a file system, by number
	cp "$EVIL/attack" "$T/attack"
	"$T/attack" handle "$T" "$HOST/secret" || cannot "no file handles here"
	for options in "" --root "--cap-add DAC_READ_SEARCH" "--cap-add DAC_READ_SEARCH --security-opt seccomp=unconfined"; do
		try -q $options -v "$HOST/dir:/dir" -v "$HOST/secret:/secret" "$IMAGE" attack handle /dir /secret
		[ "$options" = "--cap-add DAC_READ_SEARCH --security-opt seccomp=unconfined" ] || is "$output" EPERM
	done
}

# The kernel says yes and does nothing.
@test "CVE-2025-65105, CVE-2025-64750, GHSA-mmx5-32m4-wxvx: a layer that was not applied" {
	local call
	need strace setpriv
	says_yes() {
		try_command strace -f -o "$T/trace" -E ASAN_OPTIONS=detect_leaks=0 -e trace=$call -e inject=$call:retval=0 "$@"
		grep -q INJECTED "$T/trace"
	}
	for call in seccomp capset prctl mount_setattr move_mount umount2; do
		for options in "" --root; do
			says_yes "$GPURUN" -q $options "$IMAGE" echo ran
			is "$status" 125
			is "$output" ''
			one_message
		done
	done
	# who does not look
	call=prctl
	says_yes setpriv --no-new-privs grep NoNewPrivs: /proc/self/status
	is "$status" 0
	found $'NoNewPrivs:\t0'
}
