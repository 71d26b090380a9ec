#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# One command in a container: what it gets, what it does not get, and how it ends.
load common

in_bb() {
	silent "$BUSYBOX" "$@"
}

# ---- the end -----------------------------------------------------------------------------------

@test "the command's exit status is ours" {
	for n in 0 1 2 42 124 125 126 127 128 129 255; do
		try "$BUSYBOX" sh -c "exit $n"
		is "$status" $n
		is "$stderr" ''
	done
}

@test "128+n when a signal ended it" {
	for s in 1 2 6 9 11 13 15; do
		# who starts the tests may ignore some signals
		try_command env --default-signal "$GPURUN" "$BUSYBOX" sh -c "kill -$s \$\$"
		is "$status" $((128 + s))
	done
}

@test "127: not found, by name, by path, through a missing interpreter" {
	fails 127 "$BUSYBOX" no-such-command
	says no-such-command
	fails 127 "$BUSYBOX" /no/such/command
	fails 127 "$BUSYBOX" ./no-such-command
	small "$T/root"
	printf '#!/no/such/interpreter\n' > "$T/root/bin/script"
	chmod 755 "$T/root/bin/script"
	fails 127 "$T/root" script
	says script
}

@test "126: found, and cannot be run" {
	fails 126 "$BUSYBOX" /etc/passwd
	says passwd
	fails 126 "$BUSYBOX" /tmp
	small "$T/root"
	printf '\177ELFnonsense' > "$T/root/bin/broken"
	chmod 755 "$T/root/bin/broken"
	fails 126 "$T/root" broken
}

@test "PATH is looked through as the image has it" {
	small "$T/root"
	mkdir -p "$T/root/a" "$T/root/b"
	printf '#!/bin/sh\necho b\n' > "$T/root/b/tool"
	chmod 755 "$T/root/b/tool"
	echo "not executable" > "$T/root/a/tool"
	mkimage "$T/root" --docker --env PATH=/a:/b:/bin "$T/image"
	works "$T/image" tool
	is "$output" b
	works -e PATH=/bin "$T/image" sh -c 'tool 2> /dev/null || echo none'
	is "$output" none
	fails 127 -e PATH=/bin "$T/image" tool
}

@test "orphans are reaped and do not hold the end up" {
	works "$BUSYBOX" sh -c '(sleep 1000 &) ; (sh -c "sleep 1000 &" &) ; sh -c "exit 3"; echo $?'
	is "$output" 3
}

@test "zombies do not gather" {
	in_bb sh -c 'i=0; while [ $i -lt 50 ]; do (sh -c "true &" &); i=$((i+1)); done; sleep 0.3
		grep -l "^State:.Z" /proc/[0-9]*/status 2>/dev/null | wc -l'
	is "$output" 0
}

# ---- pipes -------------------------------------------------------------------------------------

@test "256 MiB through stdin and stdout unharmed" {
	mib=${GPURUN_TEST_PIPE_MIB:-256}
	want=$(head -c ${mib}M /dev/zero | tr '\0' g | sha256sum)
	got=$(head -c ${mib}M /dev/zero | tr '\0' g | "$GPURUN" "$BUSYBOX" cat | sha256sum)
	is "$got" "$want"
}

@test "stdin at its end, stdin closed, stdout closed" {
	try "$BUSYBOX" cat < /dev/null
	is "$status" 0
	try_command bash -c '"$0" "$1" sh -c "cat; echo hi" <&-' "$GPURUN" "$BUSYBOX"
	is "$output" hi
	try_command bash -c '"$0" "$1" sh -c "echo to nobody; echo to stderr >&2" >&-' "$GPURUN" "$BUSYBOX"
	is "$stderr" 'to stderr'
}

@test "a reader that goes away ends it with SIGPIPE" {
	try_command env --default-signal bash -c '"$0" "$1" yes | head -n 1; echo ${PIPESTATUS[0]}' "$GPURUN" "$BUSYBOX"
	is "$output" $'y\n141'
}

@test "stdout belongs to the command, also while a new image is unpacked" {
	try --store "$T/store" "$BUSYBOX" echo mine
	is "$output" mine
	try --store "$T/store2" -q "$BUSYBOX" echo mine
	is "$output" mine
	is "$stderr" ''
}

@test "no descriptor leaks in, asked ones come through" {
	exec 7< /etc/passwd 9< /etc/group
	in_bb sh -c 'ls /proc/self/fd | tr "\n" " "'
	is "$output" '0 1 2 3 '
	try --preserve-fd 7 "$BUSYBOX" sh -c 'ls /proc/self/fd | tr "\n" " "; cat <&7'
	is "$status" 0
	has "$output" '^0 1 2 3 7 '
	has "$output" root:
	exec 7<&- 9<&-
	fails 125 --preserve-fd 77 "$BUSYBOX" true
	says 77
}

# ---- environment -------------------------------------------------------------------------------

@test "outside a job little of the environment comes in" {
	export SECRET=1 LD_PRELOAD= PYTHONPATH=/x TERM=vt100 TZ=UTC http_proxy=http://proxy.example:1
	in_bb env
	hasnt "$output" '^(SECRET|LD_|PYTHON)'
	has "$output" '^TERM=vt100$'
	has "$output" '^TZ=UTC$'
	has "$output" '^http_proxy='
	has "$output" '^container=gpurun$'
	has "$output" '^PATH=/bin:/usr/bin$'
	for v in HOME USER LOGNAME; do has "$output" "^$v=."; done
}

@test "--env-host all, none, GLOB" {
	export MINE_A=1 MINE_B=2 OTHER=3 TERM=vt100
	works --env-host all "$BUSYBOX" env
	has "$output" '^OTHER=3$'
	works --env-host 'MINE_*' "$BUSYBOX" env
	has "$output" '^MINE_A=1$'
	has "$output" '^MINE_B=2$'
	hasnt "$output" '^OTHER='
	works --env-host none "$BUSYBOX" env
	hasnt "$output" '^(OTHER|MINE|TERM)'
}

@test "-e, -e NAME, --env-file, and who wins" {
	printf '# comment\n\nA=file\nB=file with  spaces "kept"\nFROM_HOST\n' > "$T/env"
	export FROM_HOST=host NOT_SET_ANYWHERE=x
	unset NOT_SET_ANYWHERE
	works --env-file "$T/env" -e A=option -e FROM_HOST -e NOT_SET_ANYWHERE -e EMPTY= \
		"$BUSYBOX" env
	has "$output" '^A=option$'
	has "$output" '^B=file with  spaces "kept"$'
	has "$output" '^FROM_HOST=host$'
	has "$output" '^EMPTY=$'
	hasnt "$output" '^NOT_SET_ANYWHERE'
	works -e PATH=/bin -e HOME=/elsewhere "$BUSYBOX" env
	has "$output" '^PATH=/bin$'
	has "$output" '^HOME=/elsewhere$'
}

@test "HOME is there and can be written" {
	in_bb sh -c 'cd "$HOME" && echo x > file && cat file'
	is "$output" x
}

# ---- identity ----------------------------------------------------------------------------------

@test "you are yourself" {
	in_bb sh -c 'id -u; id -g; whoami; cat /proc/self/uid_map | tr -s " "'
	is "$(sed -n 1p <<< "$output")" "$(id -u)"
	is "$(sed -n 2p <<< "$output")" "$(id -g)"
	hasnt "$output" unknown
	is "$(sed -n 4p <<< "$output")" " $(id -u) $(id -u) 1"
}

@test "what is written outside belongs to you" {
	mkdir "$T/d"
	works -v "$T/d:/d" "$BUSYBOX" touch /d/a
	works -v "$T/d:/d" --root "$BUSYBOX" touch /d/b
	works -v "$T/d:/d" -u 4242:4343 "$BUSYBOX" touch /d/c
	is "$(stat -c %u:%g "$T/d/a" "$T/d/b" "$T/d/c" | sort -u)" "$(id -u):$(id -g)"
}

@test "-u by number and name, with a group" {
	works -u 4242:4343 "$BUSYBOX" sh -c 'id -u; id -g'
	is "$output" $'4242\n4343'
	works -u nobody "$BUSYBOX" sh -c 'id -u; whoami'
	is "$output" $'65534\nnobody'
	fails 125 -u nobody-here "$BUSYBOX" true
	says nobody-here
	fails 125 -u 2147483648 "$BUSYBOX" true
	works -u "$(id -u):$(id -g)" "$BUSYBOX" id -u
	is "$output" "$(id -u)"
}

@test "--root: root inside, and the chown family says yes" {
	works --root "$BUSYBOX" sh -c 'id -u; id -g; whoami; touch /f; chown 12:34 /f && echo chown ok
		chmod 0 /etc/passwd; cat /etc/passwd > /dev/null && echo still root'
	is "$output" $'0\n0\nroot\nchown ok\nstill root'
	works -u 0 "$BUSYBOX" id -u
	is "$output" 0
}

@test "--hostname, and the host's by default" {
	in_bb hostname
	is "$output" "$(hostname)"
	works -h box.example "$BUSYBOX" hostname
	is "$output" box.example
	works --hostname box "$BUSYBOX" sh -c 'hostname; cat /etc/hosts'
	has "$output" '^box$'
	[ "$(hostname)" != box ]
}

# ---- files -------------------------------------------------------------------------------------

@test "writes go nowhere" {
	in_bb sh -c 'echo x > /new; rm -r /usr; mkdir /usr; echo y > /usr/new; rm /etc/os-release; cat /new /usr/new'
	is "$output" $'x\ny'
	in_bb sh -c '[ ! -e /new ] && [ ! -e /usr/new ] && ls /usr/bin /etc/os-release'
	has "$output" '^env$'
	has "$output" os-release
}

@test "--read-only" {
	works --read-only "$BUSYBOX" sh -c 'touch /x 2>&1; touch /etc/x 2>&1; rm /etc/passwd 2>&1; true'
	is "$(grep -c 'Read-only file system' <<< "$output")" 3
	works --read-only --tmpfs /w "$BUSYBOX" sh -c 'touch /w/x /dev/shm/x && echo ok'
	is "$output" ok
}

@test "outside a job nothing of the host is there; -C brings the directory" {
	echo hello > script.sh
	in_bb sh -c "[ ! -e '$PWD' ] && pwd"
	is "$output" /
	works -C "$BUSYBOX" sh -c 'pwd; cat script.sh; echo more >> script.sh'
	is "$output" "$PWD"$'\nhello'
	is "$(cat script.sh)" $'hello\nmore'
}

@test "a script of the current directory that is missing inside gets the hint -C" {
	printf 'echo from script\n' > train.sh
	try "$BUSYBOX" sh train.sh
	[ "$status" != 0 ]
	hints '-C'
	works -C "$BUSYBOX" sh train.sh
	is "$output" 'from script'
	printf '#!/bin/sh\necho direct\n' > tool
	chmod 755 tool
	try "$BUSYBOX" ./tool
	is "$status" 127
	hints '-C'
	works -C "$BUSYBOX" ./tool
	is "$output" direct
}

@test "-w, and a directory that is missing" {
	works -w /tmp "$BUSYBOX" pwd
	is "$output" /tmp
	works -w /not/there "$BUSYBOX" pwd
	is "$output" /not/there
	fails 125 -w relative "$BUSYBOX" pwd
}

@test "-v: directories, files, read-only, the same path" {
	mkdir d
	echo content > d/file
	works -v "$PWD/d:/data" "$BUSYBOX" sh -c 'cat /data/file; echo x > /data/new'
	is "$output" content
	is "$(cat d/new)" x
	works -v "$PWD/d/file:/etc/one" "$BUSYBOX" cat /etc/one
	is "$output" content
	works -v "$PWD/d:/data:ro" "$BUSYBOX" sh -c 'touch /data/no 2>&1; true'
	has "$output" 'Read-only'
	works -v "$PWD/d" "$BUSYBOX" cat "$PWD/d/file"
	is "$output" content
	works -v ./d:/data "$BUSYBOX" cat /data/file
	is "$output" content
	works -B "$PWD/d:/a,$PWD/d/file:/b" "$BUSYBOX" cat /a/file /b
	is "$output" $'content\ncontent'
	works --mount "type=bind,source=$PWD/d,target=/m,readonly" "$BUSYBOX" sh -c 'cat /m/file; touch /m/x 2>&1; true'
	has "$output" content
	has "$output" Read-only
	# of two on one place the later one is seen
	works -v "$PWD/d:/data:ro" -v "$PWD/d:/data" "$BUSYBOX" touch /data/later
	works -v "$PWD/d:/data" -v "$PWD/d:/data:ro" "$BUSYBOX" sh -c 'touch /data/no 2>&1; true'
	has "$output" 'Read-only'
}

@test "-v: over a symbolic link of the image it stays inside" {
	small "$T/root"
	ln -s "$T/outside" "$T/root/link"
	mkdir "$T/outside" d
	echo content > d/file
	try -v "$PWD/d:/link/sub" "$T/root" sh -c 'cat /link/sub/file'
	is "$(ls -A "$T/outside")" ''
	[ "$status" != 0 ] || is "$output" content
	rm "$T/root/link"
	mkdir "$T/root/real"
	ln -s /real "$T/root/link"
	works -v "$PWD/d:/link/sub" "$T/root" cat /real/sub/file
	is "$output" content
	is "$(ls -A "$T/root/real")" ''
}

@test "-v: what is missing is an error that names it" {
	fails 125 -v "$PWD/none:/x" "$BUSYBOX" true
	says "$PWD/none"
	fails 125 -v name:/x "$BUSYBOX" true
	says name
	[ ! -e none ]
}

# In memory it would be allowed, so these directories of the host must be on a disk.
@test "-v: a link of the image does not choose where in a mounted directory something is made" {
	local disk
	for disk in "$T" /var/tmp /tmp ''; do
		[ -n "$disk" ] || skip "no directory on a disk"
		[ -w "$disk" ] && [ "$(stat -f -c %T "$disk")" != tmpfs ] && break
	done
	disk=$(mktemp -d "$disk/gpurun-e2e.XXXXXX")
	mkdir "$disk/a" "$disk/b"
	small "$T/root"
	ln -s /data "$T/root/var"
	try -v "$disk/a:/var/sub/x" -v "$disk/b:/data" "dir:$T/root" true
	[ "$status" = 125 ] && says '/var/sub/x .*a link of the image' && [ ! -e "$disk/b/sub" ] &&
		try -w /var/sub -v "$disk/b:/data" "dir:$T/root" true &&
		[ "$status" = 125 ] && says '/var/sub: .*a link of the image' && [ ! -e "$disk/b/sub" ] &&
		works -v "$disk/a:/data/sub/x" -v "$disk/b:/data" "dir:$T/root" true &&
		[ -d "$disk/b/sub/x" ] &&
		works -v "$disk/a:/var/sub/x" -v "$disk/b:/data" "dir:$T/root" true || {
		rm -r "$disk"
		return 1
	}
	rm -r "$disk"
}

@test "--tmpfs and --shm-size" {
	works --tmpfs /t:size=1m,mode=700 "$BUSYBOX" sh -c 'stat -c %a /t; df -k /t | tail -1 | tr -s " " | cut -d" " -f2'
	is "$output" $'700\n1024'
	works --shm-size 8m "$BUSYBOX" sh -c 'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; stat -c %a /dev/shm'
	is "$output" $'8192\n1777'
	works --mount type=tmpfs,target=/t,tmpfs-size=2m "$BUSYBOX" sh -c 'df -k /t | tail -1 | tr -s " " | cut -d" " -f2'
	is "$output" 2048
}

@test "--scratch DIR: the same on disk, gone at the end" {
	mkdir "$T/scratch"
	works --scratch "$T/scratch" "$BUSYBOX" sh -c 'head -c 1000000 /dev/zero > /big; rm -r /etc; ls -d /big'
	is "$output" /big
	is "$(ls -A "$T/scratch")" ''
	works --scratch "$T/scratch" -v "$T/scratch:/s" "$BUSYBOX" sh -c 'rm -rf /s/* 2> /dev/null; echo a > /a; cat /a'
	is "$output" a
	fails 125 --scratch "$T/none" "$BUSYBOX" true
}

@test "the host's /etc/resolv.conf and hosts are there" {
	[ ! -e /etc/resolv.conf ] || {
		in_bb cat /etc/resolv.conf
		is "$output" "$(cat /etc/resolv.conf)"
	}
	in_bb grep -c localhost /etc/hosts
	works --add-host thing:192.0.2.7 --dns 192.0.2.53 "$BUSYBOX" sh -c 'grep thing /etc/hosts; cat /etc/resolv.conf'
	has "$output" '^192\.0\.2\.7[[:space:]]+thing$'
	has "$output" '^nameserver 192\.0\.2\.53$'
}

# ---- what it may do ----------------------------------------------------------------------------

@test "no capabilities, no_new_privs, a seccomp filter" {
	in_bb cat /proc/self/status
	for c in CapInh CapPrm CapEff CapBnd CapAmb; do
		has "$output" "^$c:.0000000000000000$"
	done
	has "$output" '^NoNewPrivs:.1$'
	has "$output" '^Seccomp:.2$'
}

@test "--root keeps three that reach only your own files" {
	works --root "$BUSYBOX" cat /proc/self/status
	# CAP_DAC_OVERRIDE 1, CAP_FOWNER 3, CAP_FSETID 4
	for c in CapPrm CapEff CapBnd; do has "$output" "^$c:.000000000000001a$"; done
	for c in CapInh CapAmb; do has "$output" "^$c:.0000000000000000$"; done
	has "$output" '^NoNewPrivs:.1$'
}

@test "--cap-add and --cap-drop" {
	works --root --cap-drop FOWNER --cap-add CAP_SYS_CHROOT "$BUSYBOX" grep CapEff /proc/self/status
	has "$output" '0000000000040012$'
	works --cap-add sys_ptrace "$BUSYBOX" grep CapEff /proc/self/status
	has "$output" '0000000000080000$'
	fails 125 --cap-add CAP_NONSENSE "$BUSYBOX" true
	says CAP_NONSENSE
}

@test "what the filter and the namespaces forbid" {
	in_bb sh -c 'mount -t tmpfs none /tmp 2> /dev/null && echo mounted
		unshare -r true 2> /dev/null && echo unshared
		mknod /tmp/null c 1 3 2> /dev/null && echo mknod
		dmesg > /dev/null 2>&1 && echo dmesg
		hostname other 2> /dev/null && echo hostname
		true'
	is "$output" ''
}

@test "--security-opt seccomp=unconfined is seen; a file is loaded" {
	works --security-opt seccomp=unconfined "$BUSYBOX" grep Seccomp: /proc/self/status
	has "$output" '0$'
	printf '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":28}]}' > profile.json
	works --security-opt seccomp=profile.json "$BUSYBOX" sh -c 'mkdir /x 2>&1; grep Seccomp: /proc/self/status'
	has "$output" 'No space left'
	has "$output" 'Seccomp:.2$'
	echo '{' > profile.json
	fails 125 --security-opt seccomp=profile.json "$BUSYBOX" true
	says profile.json
}

@test "paths of /proc and /sys are masked or read-only" {
	in_bb sh -c '
		for p in /proc/kcore /proc/keys /proc/timer_list /proc/sched_debug /proc/interrupts; do
			[ ! -e $p ] || [ "$(head -c 1 $p 2>/dev/null | wc -c)" = 0 ] || echo "$p reads"
		done
		for p in /proc/sys/vm/swappiness /proc/sysrq-trigger /sys/kernel/mm/transparent_hugepage/enabled; do
			[ ! -e $p ] || ! (: >> $p) 2>/dev/null || echo "$p writes"
		done
		[ -z "$(ls -A /sys/firmware 2>/dev/null)" ] || echo firmware
		true'
	is "$output" ''
}

@test "--security-opt mask and unmask" {
	works --security-opt mask=/etc/passwd --security-opt mask=/usr "$BUSYBOX" sh -c 'cat /etc/passwd; ls /usr'
	is "$output" ''
	if [ "$(id -u)" = 0 ]; then
		fails 125 --security-opt unmask=/proc/kcore "$BUSYBOX" true
		says unmask
	else
		works --security-opt unmask=/proc/timer_list "$BUSYBOX" true
	fi
}

@test "real root inside is fenced in: /proc/sys, /sys and the masks hold" {
	need_root
	before=$(cat /proc/sys/vm/swappiness /proc/sys/kernel/core_pattern)
	works --root --cap-add ALL "$BUSYBOX" sh -c '
		echo 1 > /proc/sys/vm/swappiness; echo x > /proc/sys/kernel/core_pattern
		mount -o remount,rw /proc/sys; mount -o remount,bind,rw /sys; umount /proc/sys; umount /proc/kcore
		echo 2 > /proc/sys/vm/swappiness
		echo b > /proc/sysrq-trigger; head -c 1 /proc/kcore | wc -c' 2> /dev/null || true
	is "$(cat /proc/sys/vm/swappiness /proc/sys/kernel/core_pattern)" "$before"
}

@test "the state directory is not inside with a mount that holds it, and the masks have no way around" {
	works --ipc host "$BUSYBOX" sh -c "ls -A $XDG_RUNTIME_DIR/gpurun; grep -c gpurun/mnt /proc/self/mountinfo || true"
	is "$output" 0
	works -v "$T/run:/x" "$BUSYBOX" sh -c 'ls -A /x/gpurun; touch /x/gpurun/y 2>&1 | grep -o Read-only'
	is "$output" Read-only
	works -v "$T/run:/x" "$BUSYBOX" sh -c 'rmdir /x/gpurun 2> /dev/null || mv /x/gpurun /x/y 2> /dev/null || echo stays'
	is "$output" stays
}

@test "/dev holds the base nodes, and they work" {
	in_bb sh -c 'ls /dev | tr "\n" " "; ls -ld /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx | sed "s/.* \/dev/\/dev/"'
	for n in null zero full random urandom tty fd stdin stdout stderr ptmx pts shm $(grep -o mqueue /proc/filesystems); do
		has "$output" "(^| )$n( |$)"
	done
	hasnt "$output" '(^| )(sda|vda|mem|kmsg|kvm|fuse|console|loop0)( |$)'
	in_bb sh -c 'echo x > /dev/null && head -c 4 /dev/zero | od -An -tx1 && head -c 1 /dev/urandom | wc -c
		echo x > /dev/full 2> /dev/null || echo full'
	is "$output" $' 00 00 00 00\n1\nfull'
}

@test "--device brings a node" {
	[ -c /dev/net/tun ] || cannot "no /dev/net/tun"
	works --device /dev/net/tun "$BUSYBOX" sh -c 'ls -l /dev/net/tun | cut -c1'
	is "$output" c
	works --device /dev/zero:/dev/other "$BUSYBOX" sh -c 'head -c 2 /dev/other | od -An -tx1'
	is "$output" ' 00 00'
	fails 125 --device /dev/no-such-node "$BUSYBOX" true
	fails 125 --device /etc/passwd "$BUSYBOX" true
}

@test "--device refuses a node on a nodev mount, also of the file system that /dev is" {
	unshare --user --map-root-user --mount true || cannot "no user namespaces"
	mkdir "$T/dev"
	try_command unshare --user --map-root-user --mount bash -c \
		'mount --rbind /dev "$0" && mount -o remount,bind,nodev "$0" && exec "$@"' \
		"$T/dev" "$GPURUN" --device "$T/dev/zero:/dev/other" "$BUSYBOX" true
	is "$status" 125
	says 'mounted nodev'
}

@test "own PID and IPC namespaces; the process sees only itself" {
	in_bb sh -c 'ls /proc | grep -c "^[0-9]"'
	[ "$output" -le 4 ]
	for ns in pid ipc mnt user; do
		in_bb readlink /proc/self/ns/$ns
		[ "$output" != "$(readlink /proc/self/ns/$ns)" ]
	done
	in_bb readlink /proc/self/ns/net
	is "$output" "$(readlink /proc/self/ns/net)"
}

@test "--pid host, --ipc host, --uts host, --no-init" {
	for ns in pid ipc uts; do
		works --$ns host "$BUSYBOX" readlink /proc/self/ns/$ns
		is "$output" "$(readlink /proc/self/ns/$ns)"
		works --$ns private "$BUSYBOX" readlink /proc/self/ns/$ns
		[ "$output" != "$(readlink /proc/self/ns/$ns)" ]
	done
	works --no-init "$BUSYBOX" sh -c 'echo $$'
	is "$output" 1
	works "$BUSYBOX" sh -c '[ $$ != 1 ] && cat /proc/1/comm 2>/dev/null; true'
}

@test "--net none: only loopback, and it is up" {
	works --net none "$BUSYBOX" sh -c 'ls /sys/class/net 2>/dev/null; ip -o addr 2>/dev/null | grep -c 127.0.0.1; tail -n +3 /proc/net/dev | wc -l'
	has "$output" '^1$'
	hasnt "$output" 'eth|ens|wlan'
	works --network none "$BUSYBOX" sh -c 'echo pong | nc -l -p 7777 & sleep 0.3; nc 127.0.0.1 7777 < /dev/null'
	is "$output" pong
}

@test "--ulimit" {
	works --ulimit nofile=64:128 "$BUSYBOX" sh -c 'ulimit -Sn; ulimit -Hn'
	is "$output" $'64\n128'
	works --ulimit core=0 "$BUSYBOX" sh -c 'ulimit -c'
	is "$output" 0
	fails 125 --ulimit nonsense=1 "$BUSYBOX" true
	says nonsense
	(
		ulimit -n 256
		try --ulimit nofile=1000000000 "$BUSYBOX" sh -c 'ulimit -Hn'
		is "$status" 0
		[ "$(id -u)" = 0 ] || { is "$output" 256 && is "$(grep -c '^gpurun: ' <<< "$stderr")" 1; }
	)
}

@test "the caller's umask stays, signals are as new" {
	umask 027
	in_bb sh -c 'umask; grep -E "^Sig(Blk|Ign|Cgt)" /proc/self/status'
	has "$output" '^0?027$'
	# SIGPIPE and SIGTERM as new; who ignores SIGINT (a background job) means it
	try_command env --default-signal bash -c 'trap "" PIPE TERM; exec "$@"' - \
		"$GPURUN" "$BUSYBOX" grep -E "^Sig(Blk|Ign)" /proc/self/status
	is "$status" 0
	is "$(grep -c 0000000000000000 <<< "$output")" 2
}

@test "many small things at once: 20 containers side by side" {
	works "$BUSYBOX" true
	for i in {1..20}; do
		"$GPURUN" "$BUSYBOX" sh -c "echo $i; sleep 0.1" > "$T/out$i" &
	done
	wait
	is "$(cat "$T"/out* | sort -n | tr '\n' ' ')" "$(seq 20 | tr '\n' ' ')"
}
