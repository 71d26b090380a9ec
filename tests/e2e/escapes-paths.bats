#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Escapes by paths, links and descriptors: what the image or a mounted directory holds where the
# launcher makes, mounts or enters something.
#
# CVE                                   mechanism                           test              control
# 2026-41579 runc, 2026-47766 crun      the image's /dev is a link out      /dev is a link    naive mkdir, mount
# 2025-31133 runc                       mask made of the image's /dev/null  /dev/null is...   naive bind
# 2025-52565 runc                       /dev/console bound from a link      terminals...      naive bind
# 2019-19921 2023-27561 2023-28642      /proc is a link, or not procfs      /proc is...       naive mount; no check
#   2025-52881 runc                     the same, covered later              /proc and /sys...   naive mount
# 2026-87766 bubblewrap, 2024-45310     mount point below a link is made    mount points...   naive mkdir; bwrap < 0.12
#   runc, 2018-15664 docker cp
# the same, with a race                 directory and link swapped          swapped...        naive check, then mkdir
# 2024-21626 runc                       working directory by a leaked fd    a directory...    naive chdir with a leak
# 2026-48785 apptainer, 2026-47215      "/scratch" allows "/scratch2"       names that...     prefix of strings
#   singularity
load common
load escapes

test_setup_file() {
	evil_programs
}

test_setup() {
	canary
	PID=
}

test_teardown() {
	[ -z "$PID" ] || ends
	wait_for 3 no_process || true
	"$GPURUN" ps > /dev/null 2>&1 || true
}

@test "CVE-2026-41579, CVE-2026-47766: /dev is a link to a directory of the host" {
	rootfs dev-link
	for options in "" -t --root; do
		try -q $options "$IMAGE" sh -c 'stat -f -c %T /dev; ls /dev; echo x > /dev/null'
		[ "$status" = 125 ] || has "$output" tmpfs
		hasnt "$output" secret
		untouched
	done
	naive 'mkdir -p "$ROOT/dev/shm"; mount --bind /dev/null "$ROOT/dev/secret"; cat "$ROOT/dev/secret" | wc -c'
	found 0
	touched
}

@test "CVE-2025-31133: /dev/null is a link to a file of the host, and masks are made of it" {
	rootfs dev-null-link
	for options in "" -t --root; do
		works -q $options --security-opt mask=/etc/passwd "$IMAGE" sh -c \
			'for f in /etc/passwd /proc/kcore /proc/keys /proc/timer_list /dev/null; do
			[ ! -e $f ] || { cat $f; echo x > $f; stat -c %t:%T $f; }; done 2> /dev/null | sort -u'
		is "$(tr -d '\r' <<< "$output")" 1:3
		untouched
	done
	naive 'mount --bind "$ROOT/dev/null" "$ROOT/etc/passwd"; cat "$ROOT/etc/passwd"; echo x > "$ROOT/etc/passwd"'
	found 'a secret of the host'
	touched
}

@test "CVE-2025-52565: terminals of the image are links to a file of the host" {
	rootfs console-link
	for options in -t "-t --root" ""; do
		works -q $options "$IMAGE" sh -c 'for f in /dev/console /dev/pts/0 /dev/ptmx /dev/tty; do
			[ ! -e $f ] || [ -c $f ] || echo "$f is a file"; (echo x > $f) 2> /dev/null; done; echo done'
		has "$output" done
		hasnt "$output" 'is a file'
		untouched
	done
	stays tty "$IMAGE"
	works exec -t tty sh -c 'tty; echo x > $(tty)'
	has "$output" '/dev/pts/'
	untouched
	ends
	naive 'mount --bind "$ROOT/dev/pts/0" "$ROOT/etc/passwd"; echo x > "$ROOT/etc/passwd"'
	touched
}

@test "CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: /proc is a link to a directory of the host" {
	rootfs proc-link
	for options in "" --root; do
		try -q $options "$IMAGE" sh -c 'stat -f -c %T /proc/self/; head -c 1 /proc/kcore | wc -c; ls -d /proc/secret'
		[ "$status" = 125 ] || is "$output" $'proc\n0'
		untouched
	done
	naive 'mount -t proc proc "$ROOT/proc"; stat -f -c %T "$HOST"'
	found proc
}

@test "/proc and /sys are links through what is covered later, so that no mask is found" {
	local where
	for where in proc sys sysproc root; do
		WHERE=$where evil proc-hop
		for options in "" --root "--pid host"; do
			try -q $options "$IMAGE" sh -c '
				for d in /x /.. /x/.. /proc /sys; do
					for f in sys/kernel/core_pattern irq/default_smp_affinity sysrq-trigger kernel/uevent_helper; do
						[ ! -f $d/$f ] || ! (: >> $d/$f) 2> /dev/null || echo "$d/$f can be written"
					done
					for f in keys timer_list firmware/acpi; do
						[ ! -f $d/$f ] || [ -z "$(head -c 1 $d/$f 2> /dev/null)" ] || echo "$d/$f can be read"
						[ ! -d $d/$f ] || echo "$d/$f is there"
					done
				done'
			is "$output" ''
			[ "$status" = 125 ] || is "$status" 0
		done
	done
	WHERE=proc rootfs proc-hop
	naive 'cd "$ROOT"; rm proc; ln -s "$ROOT/dev/hop" proc; ln -sf "$ROOT/x" dev/hop
		mount -t proc proc "$ROOT/proc"; mount -t tmpfs none "$ROOT/dev"
		mount --bind /dev/null "$ROOT/proc/keys" || cat "$ROOT/x/keys" "$ROOT/x/version"'
	found Linux
}

@test "CVE-2019-19921, CVE-2025-52881: /proc is the image's own, in which settings would be lost" {
	rootfs proc-fake
	works -q --pid private "$IMAGE" sh -c 'stat -f -c %T /proc /proc/self/attr; cat /proc/self/status'
	is "$(head -2 <<< "$output" | sort -u)" proc
	has "$output" '^Seccomp:.2$'
	has "$output" '^NoNewPrivs:.1$'
	# who only writes to a path and believes it
	try_command sh -c 'echo label > "$1/proc/self/attr/exec" && grep Seccomp: "$1/proc/self/status" && stat -f -c %T "$1/proc"' - "$ROOT"
	is "$status" 0
	found $'Seccomp:\t2'
	hasnt "$output" '^proc$'
}

@test "CVE-2026-87766, CVE-2024-45310: mount points below links that lead out" {
	local -; set +o functrace # quick: see find_marked
	rootfs links-out
	mkdir "$T/source"
	for link in absolute relative magic file; do
		for dst in /$link /$link/new /$link/dir/new/deeper; do
			try -q -v "$T/source:$dst" "$IMAGE" true
			untouched
			try -q --tmpfs "$dst" "$IMAGE" sh -c "echo x > $dst/made"
			untouched
			try -q -w "$dst" "$IMAGE" sh -c 'echo x > made'
			untouched
			try -q -v "$HOST/secret:$dst:ro" "$IMAGE" true
			untouched
		done
	done
	# and what every start puts into /etc and the home directory
	evil etc-links
	for options in "" --root; do
		works -q $options -h box --add-host a:192.0.2.1 --dns 192.0.2.2 "$IMAGE" sh -c \
			'for f in passwd group hosts hostname resolv.conf; do echo x >> /etc/$f; done; echo x > ~/made' 2> /dev/null
		hasnt "$output" 'a secret'
		untouched
	done
	evil home-link
	for options in "" --root; do
		try -q $options "$IMAGE" sh -c 'echo x > ~/made'
		untouched
	done
	for link in absolute relative; do
		naive "mkdir -p '$ROOT/$link/made.$link'"
		[ -d "$HOST/made.$link" ]
	done
	naive 'echo 0:0 > "$ROOT/file"'
	touched
}

# A tool of others that has the hole still, where one is installed.
@test "CVE-2026-87766: bubblewrap before 0.12 makes it on the host" {
	need bwrap
	case $(bwrap --version) in
	*' 0.'[0-9].* | *' 0.1'[01].*) ;;
	*) skip "bwrap is too new" ;;
	esac
	rootfs links-out
	mkdir "$T/source" "$ROOT/newroot"
	# its new root is at /newroot while it works, and the old one at /oldroot
	ln -s "/oldroot$HOST" "$ROOT/old"
	try_command bwrap --bind "$ROOT" / --ro-bind "$T/source" /old/made true
	[ -d "$HOST/made" ] || cannot "this bwrap does not follow it"
	rmdir "$HOST/made"
	canary
	mkimage "$ROOT" --docker "$T/image"
	try -q -v "$T/source:/old/made:ro" "$T/image" true
	untouched
}

# Many starts while a second container swaps a directory of a shared volume and a link out.
@test "CVE-2018-15664, CVE-2026-41579, CVE-2026-47766, CVE-2026-87766: swapped while it starts" {
	local -; set +o functrace # quick: see find_marked
	local vol=$T/vol starts=${GPURUN_TEST_RACES:-60} n worked=0
	mkdir -p "$vol/x" "$T/source"
	ln -s "$HOST" "$vol/out"
	ln -s "../../../../../../../../..$HOST" "$vol/up"
	rootfs links-out
	for link in out up; do
		"$GPURUN" -q --name "swap-$link" -v "$vol:/vol" "$IMAGE" attack swap /vol/x "/vol/$link" > "$T/swap" 2>&1 &
		PID=$!
		wait_for 10 "$GPURUN" inspect "swap-$link"
		for ((n = 0; n < starts / 2; n++)); do
			case $((n % 4)) in
			0) try -q -v "$vol:/vol" -v "$T/source:/vol/x/a$n/b" "$IMAGE" true ;;
			1) try -q -v "$vol:/vol" --tmpfs "/vol/x/c$n" "$IMAGE" sh -c "echo x > /vol/x/c$n/made" ;;
			2) try -q -v "$vol:/vol" -w "/vol/x/d$n/e" "$IMAGE" sh -c 'echo x > made' ;;
			3) try -q -v "$vol:/vol" -v "$HOST/secret:/vol/x/dir/f$n:ro" "$IMAGE" true ;;
			esac
			[ "$status" != 0 ] || worked=$((worked + 1))
		done
		untouched
		[ "$worked" -gt 0 ]
		ends
		is "$(cat "$T/swap")" ''
		# who looks first and makes then, at the same swapping
		rm -rf "$vol/x"/* 2> /dev/null || true
		"$EVIL/attack" swap "$vol/x" "$vol/$link" &
		PID=$!
		for ((n = 0; n < 5000; n++)); do
			[ -L "$vol/x" ] || mkdir -p "$vol/x/raced/$n" 2> /dev/null || true
			[ ! -e "$HOST/raced" ] || break
		done
		ends
		touched
		rm -rf "$HOST/raced" "$vol/x"
		[ -d "$vol/$link" ] && [ ! -L "$vol/$link" ] && rm -r "$vol/$link"
		mkdir -p "$vol/x"
		canary
	done
}

@test "CVE-2024-21626: a directory of the host as working directory, by a descriptor that leaked" {
	local -; set +o functrace # quick: see find_marked
	local fd
	rootfs workdir-fd
	exec 7< / 9< "$HOST"
	for fd in {3..40}; do
		try -q -w "/proc/self/fd/$fd" "$IMAGE" cat secret ".$HOST/secret" "../..$HOST/secret"
		hasnt "$output" 'a secret'
	done
	for fd in 7 9 10 11 12; do
		FD=$fd evil workdir-fd
		try -q "$IMAGE" cat secret ".$HOST/secret" "../../../..$HOST/secret"
		hasnt "$output" 'a secret'
		try -q "$IMAGE" "/proc/self/fd/$fd/bin/busybox" echo 'a secret'
		hasnt "$output" 'a secret'
	done
	stays joined "$BUSYBOX"
	for fd in {3..40}; do
		try exec -w "/proc/self/fd/$fd" joined cat secret ".$HOST/secret" "../..$HOST/secret"
		hasnt "$output" 'a secret'
	done
	ends
	# a leak and a chdir that nobody checks
	naive 'exec 7< /; cp -a /proc/self/fd/. "$HOST/fds" 2> /dev/null || true; mount --rbind /proc "$ROOT/proc"
		chroot "$ROOT" sh -c "cd /proc/self/fd/7 && cat .$HOST/secret"'
	found 'a secret of the host'
	exec 7<&- 9<&-
}

@test "CVE-2024-21626 in a step of a job: no descriptor of ours, and no directory outside" {
	local -; set +o functrace # quick: see find_marked
	local fd
	export SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_NTASKS=2 SLURM_STEP_TASKS_PER_NODE=2 SLURM_PROCID=0 SLURM_LOCALID=0
	for shared in --contain "--contain --share none"; do
		SLURM_PROCID=1 SLURM_LOCALID=1 "$GPURUN" -q $shared "$BUSYBOX" sh -c 'echo; exec sleep 1000' > "$T/rank" &
		PID=$!
		wait_for 10 test -s "$T/rank"
		for fd in {3..40}; do
			try -q $shared -w "/proc/self/fd/$fd" "$BUSYBOX" cat secret ".$HOST/secret" "../..$HOST/secret"
			hasnt "$output" 'a secret'
		done
		# what the caller hands over is the caller's will, but no working directory
		exec 7< / 9< "$HOST"
		for fd in 7 9; do
			try -q $shared -w "/proc/self/fd/$fd" "$BUSYBOX" sh -c "cat secret .$HOST/secret; pwd"
			hasnt "$output" 'a secret'
		done
		# the control: as a descriptor it is there
		works -q $shared "$BUSYBOX" cat "/proc/self/fd/9/secret"
		found 'a secret of the host'
		exec 7<&- 9<&-
		ends
	done
}

@test "CVE-2026-48785, CVE-2026-47215: names that only begin alike" {
	mkdir -p "$T/scratch/x" "$T/scratch2/x"
	export HF_HOME=$T/scratch/x
	works --env-host HF_HOME -v "$T/scratch" "$BUSYBOX" env
	has "$output" '^HF_HOME='
	export HF_HOME=$T/scratch2/x
	works --env-host HF_HOME -v "$T/scratch" "$BUSYBOX" env
	hasnt "$output" '^HF_HOME='
	unset HF_HOME
	# a mount does not take the masks and mounts of its neighbour with it
	echo one > "$T/scratch/f"
	echo two > "$T/scratch2/f"
	works -q -v "$T/scratch:/data" -v "$T/scratch2:/data2:ro" --security-opt mask=/data/x "$BUSYBOX" \
		sh -c 'cat /data/f /data2/f; ls -d /data2/x; touch /data/new; touch /data2/new 2> /dev/null || echo ro'
	is "$output" $'one\ntwo\n/data2/x\nro'
	# Landlock: /dev2 is not /dev
	mkdir "$T/dev2"
	works -q -v /dev:/dev2 "$BUSYBOX" sh -c 'stty -F /dev2/ptmx 2>&1; true'
	[ ! -e /sys/kernel/security/landlock ] || has "$output" 'ermission denied|Inappropriate'
	# who compares strings
	[[ $T/scratch2/x == "$T/scratch"* ]]
}
