#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# deny-devices.sh v1|v2 MAJOR:MINOR... -- COMMAND... - run COMMAND where a device cgroup lets
# nobody read or write these character devices, as a job manager keeps a step from the GPUs that it
# was not given.  v1 is the controller "devices", v2 a BPF program.  Needs root.  Exit status 77 and
# a reason: not here.
set -eu
[ $# -ge 4 ] || { sed -n '3,6s/^# //p' "$0" >&2; exit 2; }
version=$1 devices=()
shift
while [ "$1" != -- ]; do
	devices+=("$1")
	shift
done
shift

cannot() {
	echo "$*" >&2
	exit 77
}

case $version in
v1) tree=/sys/fs/cgroup/devices ;;
v2) for tree in /sys/fs/cgroup /sys/fs/cgroup/unified; do
	[ ! -e $tree/cgroup.controllers ] || break
done ;;
esac
group=$tree/gpurun-test-$$
mkdir "$group" 2> /dev/null || cannot "no cgroup can be made in $tree"
trap 'rmdir "$group"' EXIT
if [ "$version" = v1 ]; then
	[ -w "$group/devices.deny" ] || cannot "$tree is no device controller"
	for d in "${devices[@]}"; do
		echo "c $d rw" > "$group/devices.deny"
	done
else
	deny=$(mktemp)
	trap 'rm -f "$deny"; rmdir "$group"' EXIT
	${CC:-cc} -std=gnu17 -O1 -Wall -o "$deny" "$(dirname "$0")/deny-devices.c"
	"$deny" "$group" "${devices[@]}" || cannot "no BPF program can be attached to a cgroup"
fi
status=0
bash -c 'echo $BASHPID > "$0/cgroup.procs" && exec "$@"' "$group" "$@" || status=$?
exit $status
