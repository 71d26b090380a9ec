#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# slurm.sh - a Slurm of one node on the loopback, with four GPUs; everything below one directory.
#
#	slurm.sh start DIR none|v1|v2 [FILE...]  start it; FILEs go beside slurm.conf
#	slurm.sh as DIR COMMAND...               run COMMAND there as its ordinary user
#	slurm.sh root DIR COMMAND...             the same as root
#	slurm.sh processes DIR                   pids of its user's processes; fails when there are none
#	slurm.sh stop DIR                        end its jobs, its daemons, every process of its user
#
# none filters no devices (proctrack/linuxproc); v1 and v2 are ConstrainDevices with the cgroups of
# that version (proctrack/cgroup, task/cgroup).  Where both versions are mounted Slurm refuses v2:
# its daemon is then shown a /proc/PID/cgroup without v1 (slurm-cgroup2.c).
#
# The daemons live in the mount namespace of machine.sh: GPU I by PCI address is /dev/nvidia(3-I),
# and Slurm counts by the nodes' names, unless a FILE gres.conf says otherwise.  SLURM_TEST_DRIVER
# is the root of a driver to be laid over /usr.  The user, slurm-user, has an id of his own (DIR/uid),
# a line in a passwd that only the cluster sees, and DIR/home as his home directory.  In DIR/env stand
# the variables that his commands get.
#
# Needs root and Debian's munge, slurmctld, slurmd, slurm-client.  Exit status 77 and a reason: not
# here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '3,23s/^# \{0,1\}//p' "$0" >&2; exit 2; }
verb=$1 dir=$2 home=/home/slurm-user
shift 2

cannot() {
	echo "$*" >&2
	exit 77
}

# wait_for TENTHS COMMAND... - until it succeeds
wait_for() {
	local n=$1
	shift
	until "$@" > /dev/null 2>&1; do
		[ $((n -= 1)) -gt 0 ] || return 1
		sleep 0.1
	done
}

# pid_of DAEMON - its pid, when it is that daemon still (and not its remains: readlink fails)
pid_of() {
	local pid
	pid=$(cat "$dir/run/$1.pid" 2> /dev/null) || return 1
	[ "$(cat "/proc/$pid/comm" 2> /dev/null)" = "$1" ] && readlink "/proc/$pid/exe" > /dev/null && echo "$pid"
}

# ---- what this machine can do ----------------------------------------------------------------

cgroup2_mount() {
	findmnt -n -o TARGET -t cgroup2 | head -1
}

check_here() {
	local c
	[ "$(id -u)" = 0 ] || cannot "Slurm's daemons are started by root"
	for c in munged slurmctld slurmd srun; do
		command -v $c > /dev/null || cannot "$c is not installed"
	done
	unshare --mount true 2> /dev/null || cannot "no mount namespaces"
	case $mode in
	none) ;;
	v1)
		[ -w /sys/fs/cgroup/devices/devices.deny ] && [ -d /sys/fs/cgroup/freezer ] ||
			cannot "no cgroup v1 with devices and freezer"
		;;
	v2) [ -w "$(cgroup2_mount)/cgroup.procs" ] || cannot "no cgroup v2 to write to" ;;
	*) cannot "no such mode: $mode" ;;
	esac
}

# ---- configuration ---------------------------------------------------------------------------

ports() {
	python3 -c 'import socket
s = [socket.socket() for i in range(2)]
[x.bind(("127.0.0.1", 0)) for x in s]
print(*[x.getsockname()[1] for x in s])'
}

# The node's name is in the paths of its cgroups: it must be nobody else's.
write_conf() {
	local ctld slurmd host proctrack=linuxproc task=none
	read -r ctld slurmd <<< "$(ports)"
	host=$(hostname)
	[ "$mode" = none ] || proctrack=cgroup task=cgroup
	cat > "$dir/etc/slurm.conf" <<- END
		ClusterName=gpurun
		SlurmctldHost=$host(127.0.0.1)
		SlurmctldPort=$ctld
		SlurmdPort=$slurmd
		SlurmUser=root
		SlurmdUser=root
		AuthType=auth/munge
		AuthInfo=socket=$dir/run/munge.sock
		CredType=cred/munge
		StateSaveLocation=$dir/state
		SlurmdSpoolDir=$dir/spool
		SlurmctldPidFile=$dir/run/slurmctld.pid
		SlurmdPidFile=$dir/run/slurmd.pid
		SlurmctldLogFile=$dir/log/slurmctld
		SlurmdLogFile=$dir/log/slurmd
		SlurmdDebug=verbose
		ProctrackType=proctrack/$proctrack
		TaskPlugin=task/$task
		SelectType=select/cons_tres
		SelectTypeParameters=CR_Core
		SchedulerType=sched/builtin
		SchedulerParameters=batch_sched_delay=0,sched_interval=1
		SlurmdParameters=config_overrides
		PlugStackConfig=$dir/etc/plugstack.conf
		KillWait=2
		ReturnToService=2
		GresTypes=gpu
		NodeName=$node NodeAddr=127.0.0.1 NodeHostname=$host CPUs=64 RealMemory=1000 Gres=gpu:4
		PartitionName=all Nodes=$node Default=YES OverSubscribe=YES
	END
	cat > "$dir/etc/gres.conf" <<- END
		AutoDetect=off
		NodeName=$node Name=gpu File=/dev/nvidia[0-3]
	END
	: > "$dir/etc/plugstack.conf"
	{
		echo "CgroupPlugin=cgroup/${mode/none/v1}"
		case $mode in
		v1) echo CgroupMountpoint=/sys/fs/cgroup ;;
		v2) printf '%s\n' "CgroupMountpoint=$(cgroup2_mount)" IgnoreSystemd=yes ;;
		esac
		[ "$mode" = none ] || echo ConstrainDevices=yes
	} > "$dir/etc/cgroup.conf"
}

# ---- start, inside of machine.sh ------------------------------------------------------------

# The daemons hold the namespace.
daemons() {
	mode=$(cat "$dir/mode") node=$(cat "$dir/node")
	mount --bind "$dir/passwd" /etc/passwd
	mount --bind "$dir/group" /etc/group
	mount -t tmpfs -o mode=755 home /home
	mkdir "$home"
	mount --bind "$dir/home" "$home"
	munged --force --key-file="$dir/run/munge.key" --socket="$dir/run/munge.sock" \
		--pid-file="$dir/run/munged.pid" --log-file="$dir/log/munged" \
		--seed-file="$dir/run/munge.seed" --num-threads=2
	slurmctld -f "$SLURM_CONF" -L "$dir/log/slurmctld"
	if [ -e "$dir/cgroup2.so" ]; then
		export LD_PRELOAD=$dir/cgroup2.so
	fi
	slurmd -f "$SLURM_CONF" -L "$dir/log/slurmd" -N "$node"
}

idle() {
	[ "$(SLURM_CONF=$dir/etc/slurm.conf sinfo -h -o %T)" = idle ]
}

start() {
	mode=$1
	shift
	check_here
	umask 022
	node=gpurun$$
	uid=$((100000 + $$ % 100000))
	mkdir -p "$dir"/{etc,state,spool,log,run}
	install -d -m 700 -o "$uid" -g "$uid" "$dir/home"
	echo "$mode" > "$dir/mode"
	echo "$node" > "$dir/node"
	echo "$uid" > "$dir/uid"
	{ cat /etc/passwd && echo "slurm-user:x:$uid:$uid::$home:/bin/sh"; } > "$dir/passwd"
	{ cat /etc/group && echo "slurm-user:x:$uid:"; } > "$dir/group"
	[ -e "$dir/env" ] || : > "$dir/env"
	(umask 077 && head -c 1024 /dev/urandom > "$dir/run/munge.key")
	write_conf
	[ $# = 0 ] || cp "$@" "$dir/etc/"
	sed -i "s/@NODE@/$node/" "$dir/etc/gres.conf"
	if [ "$mode" = v2 ]; then
		mkdir -p "$(cgroup2_mount)/system.slice"
		[ "$(wc -l < /proc/self/cgroup)" = 1 ] || ${CC:-cc} -std=gnu17 -O1 -Wall -shared -fPIC \
			-o "$dir/cgroup2.so" "$here/slurm-cgroup2.c" -ldl
	fi
	export SLURM_CONF=$dir/etc/slurm.conf
	bash "$here/machine.sh" -g 4 ${SLURM_TEST_DRIVER:+-d "$SLURM_TEST_DRIVER"} -- \
		bash "$0" daemons "$dir" > "$dir/log/start" 2>&1 < /dev/null || true
	wait_for 50 idle || {
		tail -n 5 "$dir"/log/* >&2
		stop
		exit 1
	}
}

# ---- run --------------------------------------------------------------------------------------

# inside HOME COMMAND... - in the cluster's mount namespace, with the environment that a user has
inside() {
	local pid e=() home=$1
	shift
	pid=$(pid_of slurmd) || { echo "slurmd is not running" >&2; exit 1; }
	mapfile -t e < "$dir/env"
	exec nsenter --mount --target "$pid" env -i -C "$home" HOME="$home" \
		PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin LANG=C.UTF-8 \
		SLURM_CONF="$dir/etc/slurm.conf" "${e[@]}" "$@"
}

as() {
	uid=$(cat "$dir/uid")
	inside $home USER=slurm-user LOGNAME=slurm-user \
		setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
}

# ---- stop -------------------------------------------------------------------------------------

# users_processes - pids of the cluster's user, but for those that wait to be reaped
users_processes() {
	ps -U "$(cat "$dir/uid")" -o stat=,pid= | awk '!/^Z/ { print $2; n++ } END { exit !n }'
}

# stepds - pids of this cluster's slurmstepds: they have its configuration in their environment
stepds() {
	local p found=1
	for p in $(pgrep slurmstepd); do
		tr '\0' '\n' < "/proc/$p/environ" 2> /dev/null | grep -qxF "SLURM_CONF=$dir/etc/slurm.conf" || continue
		echo "$p"
		found=0
	done
	return $found
}

nobody() {
	! users_processes && ! stepds
}

# Nothing that they would write on their way out is wanted.
end_daemon() {
	local pid
	pid=$(pid_of "$1") || return 0
	kill -9 "$pid"
	wait_for 50 gone "$1"
}

gone() {
	! pid_of "$1"
}

remove_cgroups() {
	local d
	for d in /sys/fs/cgroup/*/"slurm_$(cat "$dir/node")" "$(cgroup2_mount)"/system.slice/"$(cat "$dir/node")"_*; do
		[ ! -d "$d" ] || find "$d" -depth -type d -exec rmdir {} +
	done
	[ "$mode" != v2 ] || rmdir "$(cgroup2_mount)/system.slice" 2> /dev/null || true
}

stop() {
	[ -e "$dir/uid" ] || return 0
	mode=$(cat "$dir/mode")
	export SLURM_CONF=$dir/etc/slurm.conf
	! pid_of slurmctld > /dev/null || scancel -f -s KILL -u "$(cat "$dir/uid")" 2> /dev/null || true
	wait_for 30 nobody || {
		# shellcheck disable=SC2046 # one word a pid
		kill -9 $(users_processes) $(stepds) 2> /dev/null || true
		wait_for 20 nobody || echo "processes are left: $(users_processes; stepds)" >&2
	}
	end_daemon slurmd
	end_daemon slurmctld
	end_daemon munged
	remove_cgroups
	rm -rf "/dev/shm/gpurun-$(cat "$dir/uid")"
}

case $verb in
start) start "$@" ;;
daemons) daemons ;;
as) as "$@" ;;
root) inside /root USER=root LOGNAME=root "$@" ;;
processes) users_processes ;;
stop) stop ;;
*) exit 2 ;;
esac
