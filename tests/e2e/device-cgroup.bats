#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The device filter on a cgroup of the container's own: by root, and by gpurun devd for users.
# What open(2) of a node says: EPERM the filter denies it, ENXIO it may be opened and no driver is
# there.  Every test has its own part of the tree of cgroups (version 2).
load common

test_setup() {
	need_root
	unshare --mount true || cannot "no mount namespaces"
	need python3 jq setpriv
	for TREE in /sys/fs/cgroup/unified /sys/fs/cgroup; do
		[ ! -e $TREE/cgroup.procs ] || break
	done
	GROUP=$TREE/test-$$-$BATS_TEST_NUMBER
	mkdir "$GROUP" 2> /dev/null || cannot "no cgroup can be made in $TREE"
	host true || cannot "no process can be put into a cgroup of $TREE"
	plan=$(host "$GPURUN" --dry-run "$BUSYBOX" true)
	is "$(jq -r .container.devices.cgroup <<< "$plan")" "$GROUP"
	host "$GPURUN" "$BUSYBOX" true
	mkdir "$T/user"
	mkdir -m 700 "$T/user"/{run,home,store}
}

test_teardown() {
	[ ! -d "${GROUP-}" ] || find "$GROUP" -depth -type d -exec rmdir {} + || find "$GROUP" -type d
}

host() {
	"$HELPERS/device-host.sh" "$GROUP" "$@"
}

# container WORD... - what can be opened: the node given, the one not given, and all of every /dev
NODES=(/dev/gpu0 /mnt/gpu0 /mnt/gpu1 /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/ptmx)
GIVEN=(-v /run/nodes:/mnt --device /run/nodes/gpu0:/dev/gpu0)
container() {
	try_command host "$GPURUN" "${GIVEN[@]}" "$@" "$BUSYBOX" hello-gpu "${NODES[@]}"
	[ "$status" = 0 ]
	opened
}

opened() {
	output=$(awk '{ printf "%s ", $2 }' <<< "$output")
}

OURS='ok ok ok ok ok ok '

leaves() {
	find "$GROUP" -mindepth 1 -type d | wc -l
}

off() {
	host "$GPURUN" --dry-run "$@" "$BUSYBOX" true | jq -r .container.devices.off
}

@test "what was not given cannot be opened, wherever its node is found" {
	container
	is "$stderr" ''
	is "$output" "ENXIO ENXIO EPERM $OURS"
}

@test "control: without the filter it can" {
	mkdir "$T/dir"
	container -v "$T/dir:/dev/dir"
	is "$output" "ENXIO ENXIO ENXIO $OURS"
	has "$(off -v "$T/dir:/dev/dir")" '--volume .*: devices in it are to work'
	container --pid host
	is "$output" "ENXIO ENXIO ENXIO $OURS"
}

@test "a container that could leave its cgroup has no filter, and says so" {
	has "$(off -v /:/host)" 'another cgroup'
	has "$(off -v /sys:/x)" 'another cgroup'
	is "$(off -v /sys:/x:ro)" null
}

@test "a terminal, a pipe and standard descriptors that are opened again" {
	try_command host "$GPURUN" -t "$BUSYBOX" sh -c 'echo a > /dev/tty; echo b > /dev/stdout; : < /dev/ptmx'
	is "$status" 0
	has "$output" 'a' && has "$output" 'b'
	is "$(host "$GPURUN" "$BUSYBOX" sh -c 'echo b > /dev/stdout' | cat)" b
}

@test "the cgroup goes with the container, whatever its end" {
	host "$GPURUN" "$BUSYBOX" sh -c 'sleep 100 & exit 3' || is $? 3
	is "$(leaves)" 0
	host "$GPURUN" "$BUSYBOX" no-such-command 2> /dev/null || is $? 127
	is "$(leaves)" 0
	host "$GPURUN" "$BUSYBOX" sh -c 'kill -9 $$' || is $? 137
	is "$(leaves)" 0
}

start() {
	host "$GPURUN" --name box "${GIVEN[@]}" "$BUSYBOX" sleep 1000 3>&- &
	WRAPPER=$!
	wait_for 5 running
}

running() {
	LAUNCHER=$("$GPURUN" ps --json | jq -e '.[] | select(.name == "box") | .launcher')
}

@test "kill -9 of the launcher: prune removes the cgroup, but not that of a live one" {
	start
	is "$(leaves)" 1
	"$GPURUN" prune
	is "$(leaves)" 1
	kill -9 "$LAUNCHER"
	wait "$WRAPPER" || is $? 137
	wait_for 5 no_process
	is "$(leaves)" 1
	"$GPURUN" prune
	is "$(leaves)" 0
}

@test "exec: the same filter, also for what it leaves in the background" {
	start
	# from another cgroup: root may
	try_command "$GPURUN" exec box hello-gpu "${NODES[@]}"
	opened
	is "$output" "ENXIO ENXIO EPERM $OURS"
	is "$stderr" ''
	"$GPURUN" exec box sh -c '(sleep 1; hello-gpu /mnt/gpu1 > /tmp/late) > /dev/null 2>&1 &'
	is "$("$GPURUN" exec box sh -c 'while [ ! -s /tmp/late ]; do sleep 0.1; done; cat /tmp/late')" '/mnt/gpu1 EPERM'
	"$GPURUN" kill box
	wait "$WRAPPER" || :
	is "$(leaves)" 0
}

@test "exec: without the cgroup it is refused" {
	start
	# as if the record were of another place: the cgroup cannot be found there
	# shellcheck disable=SC2016 # for that shell
	try_command unshare --mount sh -c 'mount -t tmpfs none "$0" && exec "$@"' "$TREE" "$GPURUN" exec box true
	is "$status" 125
	one_message
	says 'gpurun-[0-9]+-[0-9]+: No such file'
	hints 'device filter'
	"$GPURUN" kill box
	wait "$WRAPPER" || :
}

# deny [-o] - a program on the cgroup above, which denies gpu0; -o: one that gives way
deny() {
	${CC:-cc} -std=gnu17 -O1 -Wall -o "$T/deny" "$HELPERS/deny-devices.c"
	"$T/deny" "$@" "$GROUP" 195:77
}

@test "a filter above stays in force: with its programs ours is one more" {
	deny
	container
	is "$output" "EPERM EPERM EPERM $OURS"
}

@test "a filter above that would give way to ours is left alone" {
	deny -o
	container
	is "$output" "EPERM EPERM ENXIO $OURS"
	is "$(leaves)" 0
}

@test "what the kernel refuses is said with --verbose, and the start goes on" {
	caps=-bpf,-net_admin,-sys_admin
	try_command host setpriv --bounding-set=$caps --inh-caps=-all --ambient-caps=-all \
		"$GPURUN" "${GIVEN[@]}" "$BUSYBOX" hello-gpu "${NODES[@]}"
	is "$status" 0
	is "$stderr" ''
	opened
	is "$output" "ENXIO ENXIO ENXIO $OURS"
	try_command host setpriv --bounding-set=$caps "$GPURUN" --verbose "$BUSYBOX" true
	has "$stderr" 'device cgroup: off: load a device program: Operation not permitted'
	try_command host "$GPURUN" --verbose "$BUSYBOX" true
	has "$stderr" 'device cgroup: on: 8 rules'
}

@test "doctor tries it" {
	has "$(host "$GPURUN" doctor)" 'device filter +a container .*only what it was given'
	has "$(host setpriv --bounding-set=-bpf,-sys_admin "$GPURUN" doctor)" 'device filter .*not permitted'
}

# ---- gpurun devd --------------------------------------------------------------------------------

# A cgroup that is the user's, as systemd delegates it.
delegated() {
	mkdir "$GROUP/$1"
	chown 20001 "$GROUP/$1" "$GROUP/$1"/cgroup.{procs,threads,subtree_control}
}

# user [-n] COMMAND... - as an ordinary user in the cgroup "own"; -n: without the service
user() {
	local service=(-d "$GPURUN" "$T/log")
	[ "$1" != -n ] || { service=() && shift; }
	[ -d "$GROUP/own" ] || delegated own
	chown -R 20001 "$T/user"
	env XDG_RUNTIME_DIR="$T/user/run" HOME="$T/user/home" GPURUN_STORE="$T/user/store" \
		"$HELPERS/device-host.sh" -u 20001 "${service[@]}" "$GROUP/own" "$@"
}

@test "devd: a user's container has the filter; without the service it has none" {
	# shellcheck disable=SC2016 # for that shell
	try_command user sh -c 'umask 077; exec "$@"' sh "$GPURUN" -q "${GIVEN[@]}" "$BUSYBOX" hello-gpu "${NODES[@]}"
	is "$status $stderr" '0 '
	opened
	is "$output" "ENXIO ENXIO EPERM $OURS"
	is "$(leaves)" 1
	[ ! -s "$T/log" ]
	try_command user -n "$GPURUN" -q "${GIVEN[@]}" "$BUSYBOX" hello-gpu "${NODES[@]}"
	is "$status $stderr" '0 '
	opened
	is "$output" "ENXIO ENXIO ENXIO $OURS"
	has "$(user "$GPURUN" doctor)" 'device filter +through gpurun devd'
}

@test "devd: a cgroup that is not the user's: no filter, and nobody is asked" {
	delegated own
	chown 0 "$GROUP/own/cgroup.procs"
	has "$(user "$GPURUN" --dry-run "$BUSYBOX" true | jq -r .container.devices.off)" 'no cgroup'
}

# peer CASE,... [OTHER] - conversations of the user's, with what the service answers
peer() {
	try_command user env python3 "$HELPERS/devd-peer.py" "$1" "$GROUP/own/leaf" "${@:2}"
	is "$status $stderr" '0 '
}

@test "devd: peers that mean no good" {
	delegated own
	delegated own/leaf
	peer good,magic,tiny,version,short,long,count,huge,many,type,major,any-major,minor,access,starve,starve-one,no-fd,two-fds,many-fds,not-cgroup,socket,file,stall,good
	is "$output" "good 0 1 granted
magic EPROTO 0 not a request
tiny EPROTO 0 not a request
version EPROTO 0 a request of another version
short EPROTO 0 a request of the wrong length
long EPROTO 0 a request of the wrong length
count EPROTO 0 a request of the wrong length
huge EMSGSIZE 0 no request: Message too long
many EMSGSIZE 0 no request: Message too long
type EINVAL 0 rule 8 is none
major EINVAL 0 rule 8 is none
any-major EINVAL 0 rule 8 is none
minor EINVAL 0 rule 8 is none
access EINVAL 0 rule 8 is none
starve EINVAL 0 the nodes of every /dev must be allowed
starve-one EINVAL 0 the nodes of every /dev must be allowed
no-fd EPROTO 0 not one descriptor but none
two-fds EPROTO 0 not one descriptor but several
many-fds EPROTO 0 not one descriptor but several
not-cgroup EINVAL 0 not a cgroup of version 2
socket EINVAL 0 not a cgroup of version 2
file ENOTDIR 0 the cgroup: Not a directory
stall ETIMEDOUT 0 no request: Connection timed out
good 0 1 granted"
	# one line each for the journal
	is "$(grep -c '^gpurun: uid 20001: ' "$T/log") $(wc -l < "$T/log")" '22 22'
}

@test "devd: cgroups of others" {
	delegated own
	delegated own/leaf
	mkdir "$GROUP/roots"
	delegated procs
	chown 0 "$GROUP/procs/cgroup.procs"
	peer other "$GROUP/roots"
	is "$output" 'other EPERM 0 the cgroup is not yours'
	peer other "$GROUP/procs"
	is "$output" 'other EPERM 0 the cgroup is not yours'
	peer other "$GROUP/own"
	is "$output" 'other EBUSY 0 the cgroup has others below it'
	peer other "$TREE"
	is "$output" "other EINVAL 0 not a cgroup below $TREE"
}

@test "devd: one filter for a cgroup, none over one that would give way" {
	delegated own
	delegated own/leaf
	# shellcheck disable=SC2016 # for the user's shell
	user sh -c 'mkfifo "$HOME/hold"
		python3 "$0" good "$1" --hold < "$HOME/hold" > "$HOME/first" &
		exec 3> "$HOME/hold"
		while [ ! -s "$HOME/first" ]; do sleep 0.05; done
		python3 "$0" good "$1"
		exec 3>&-
		wait' "$HELPERS/devd-peer.py" "$GROUP/own/leaf" > "$T/second"
	is "$(cat "$T/user/home/first")" 'good 0 1 granted'
	is "$(cat "$T/second")" 'good EBUSY 0 the cgroup has a device program already'
	deny -o
	peer good
	is "$output" 'good EPERM 0 a device program of a cgroup above would be replaced'
}

# In a mount namespace of the user's own ".." of a cgroup leads where the user likes.
@test "devd: a descriptor of a mount of the user's own" {
	delegated own
	delegated own/leaf
	deny -o
	# shellcheck disable=SC2016 # for that shell
	try_command user unshare -Urm sh -c 'mkdir -p "$HOME/a/b" && mount --bind "$1" "$HOME/a/b" &&
		exec python3 "$0" good "$HOME/a/b"' "$HELPERS/devd-peer.py" "$GROUP/own/leaf"
	has "$output" '^good E(INVAL|PERM|NOENT) 0 '
}

@test "devd: is started for a connection only" {
	fails 125 devd
	says 'service manager'
	hints 'systemctl'
	try_command env LISTEN_FDS=1 LISTEN_PID=$$ "$GPURUN" devd
	is "$status" 125
	# shellcheck disable=SC2016 # for that shell
	try_command sh -c 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" devd 3< /dev/null' "$GPURUN"
	is "$status" 125
	says 'SEQPACKET'
}
