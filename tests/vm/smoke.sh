#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# What must work on every kernel, in TAP; runs as an ordinary user in the virtual machine.
image=/images/busybox.tar
n=0
cd /tmp || exit 1

# check NAME COMMAND... - must succeed
check() {
	name=$1
	shift
	n=$((n + 1))
	if "$@" > /tmp/out 2>&1; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name (status $?)"
		sed 's/^/# /' /tmp/out
	fi
}

# prints WANT WORD... - gpurun's output
prints() {
	want=$1
	shift
	got=$(gpurun "$@")
	[ "$got" = "$want" ] || {
		echo "got '$got', wanted '$want'"
		return 1
	}
}

status() {
	want=$1
	shift
	gpurun "$@"
	got=$?
	[ $got = "$want" ] || {
		echo "status $got, wanted $want"
		return 1
	}
}

same_list() {
	gpurun -q -v /images/list.sh:/list.sh "$1" sh /list.sh /t > /tmp/list && diff /tmp/list "/images/$2"
}

pipes() {
	want=$(head -c 20000000 /dev/zero | md5sum)
	got=$(head -c 20000000 /dev/zero | gpurun $image cat | md5sum)
	[ "$got" = "$want" ]
}

killed() {
	gpurun --name k $image sh -c 'sleep 1000 & echo ready; sleep 1000' > /tmp/ready &
	pid=$!
	i=0
	until grep -q ready /tmp/ready || [ $i = 200 ]; do
		sleep 0.1
		i=$((i + 1))
	done
	kill -9 $pid
	sleep 1
	! ps | grep 'sleep 100[0]' && gpurun prune > /dev/null && [ -z "$(find "$XDG_RUNTIME_DIR/gpurun" -type f)" ]
}

echo "# $(uname -r), id $(id -u)"
check "first start" prints hello -q $image echo hello
check "second start says nothing" prints '' $image sh -c true
check "exit status" status 7 $image sh -c 'exit 7'
check "status of a signal" status 137 $image sh -c 'kill -9 $$'
check "command not found" status 127 $image none
check "you are yourself" prints 1000 $image id -u
check "root inside" prints '0 ok' --root $image sh -c 'touch /f && chown 1:2 /f && echo $(id -u) ok'
check "layers" same_list /images/layers.tar expected
check "flattened tree" same_list /images/flat expected-flat
check "pipes" pipes
check "a directory of the image is removed and made again" prints 'new' $image \
	sh -c 'rm -r /etc && mkdir /etc && echo new > /etc/passwd && cat /etc/passwd'
check "writes are gone" prints 1 $image sh -c 'grep -c root: /etc/passwd'
check "--read-only" prints no --read-only $image sh -c 'touch /x 2> /dev/null || echo no'
check "--read-only --tmpfs" prints yes --read-only --tmpfs /w $image sh -c 'touch /w/x && echo yes'
check "--keep, first" prints '' --keep w $image sh -c 'echo kept > /kept; rm /etc/os-release'
check "--keep, again" prints 'kept gone' --keep w $image sh -c 'echo $(cat /kept) $([ -e /etc/os-release ] || echo gone)'
check "volumes" prints hi -v /tmp:/data $image sh -c 'echo hi > /data/v && cat /data/v'
check "-C" prints /tmp -C $image pwd
check "--net none" prints 1 --net none $image sh -c 'ip -o addr | grep -c 127.0.0.1'
check "no capabilities, no_new_privs, seccomp" prints '0000000000000000 1 2' $image \
	sh -c 'echo $(sed -n "s/^\(CapEff\|NoNewPrivs\|Seccomp\):.//p" /proc/self/status)'
check "terminal" prints yes -t $image sh -c 'test -t 0 && printf yes'
check "killed launcher" killed
check "verify" gpurun verify
check "prune" gpurun prune
check "plan" sh -c "gpurun --dry-run $image true | grep -q ops"
check "root's device filter" test "$(sed 's/.* //' /run/filter | tr '\n' ' ')" = 'ENXIO ENXIO EPERM '
echo "1..$n"
