#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# device-host.sh [-u UID] [-d GPURUN LOG] CGROUP COMMAND... - run COMMAND in that cgroup (version 2),
# as the user, in a mount namespace with two nodes that anybody may open (ENXIO: no driver is behind
# them), /run/nodes/gpu0 (195:77) and gpu1 (195:78); -d: gpurun devd listens there.  Needs root.
set -eu
if [ -z "${DEVICE_HOST-}" ]; then
	export DEVICE_HOST=1
	exec unshare --mount --propagation private "$0" "$@"
fi
uid='' gpurun=''
while getopts u:d: opt; do
	case $opt in
	u) uid=$OPTARG ;;
	d) gpurun=$OPTARG log=${!OPTIND}
		OPTIND=$((OPTIND + 1)) ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
unset DEVICE_HOST
group=$1
shift
mount -t tmpfs -o mode=755 none /run
mkdir -p /run/nodes /run/gpurun
mknod -m 666 /run/nodes/gpu0 c 195 77
mknod -m 666 /run/nodes/gpu1 c 195 78
server=
if [ -n "$gpurun" ]; then
	# with the rights that contrib/systemd leaves it
	setpriv --bounding-set=-all,+bpf,+net_admin python3 "$(dirname "$0")/devd.py" "$gpurun" /run/gpurun/devd.sock "$log" &
	server=$!
	trap 'kill $server; wait $server 2> /dev/null || :' EXIT
	for ((i = 0; i < 500; i++)); do
		[ ! -S /run/gpurun/devd.sock ] || break
		sleep 0.02
	done
fi
[ -z "$uid" ] || set -- setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
status=0
bash -c 'echo $BASHPID > "$0/cgroup.procs" && exec "$@"' "$group" "$@" || status=$?
exit $status
