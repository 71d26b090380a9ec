#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Bundles of the OCI runtime specification: what a process inside sees is what config.json says
# (oci-bundle.py compares), by us and, where they are installed, by runc and crun.
load common

# bundle DIR [JQ] - a bundle of this user, its config.json changed by a jq program
bundle() {
	mkdir -p "$1"
	[ -d "$1/rootfs" ] || {
		small "$1/rootfs"
		mkdir -m 1777 "$1/rootfs/tmp"
		local n
		for n in grep head readlink stat tr wc; do
			ln -s busybox "$1/rootfs/bin/$n"
		done
	}
	python3 "$HELPERS/oci-bundle.py" config "$(id -u)" "$(id -g)" | jq "${2:-.}" > "$1/config.json"
}

# agrees [JQ] - the report of a process inside is what the bundle asks for
agrees() {
	bundle b "$1"
	silent oci-run --bundle b test
	python3 "$HELPERS/oci-bundle.py" check b < "$T/stdout"
}

# inside JQ COMMAND - $output of a shell command in the bundle
inside() {
	bundle b "$1 | .process.args = [\"sh\", \"-c\", $(jq -n --arg c "$2" '$c')]"
	works oci-run -b b test
}

# refuses JQ WORDS... - with one message that has the words
refuses() {
	bundle b "$1"
	fails 125 oci-run -b b test
	shift
	says "$@"
}

# What the host may not have is left out.
ONLY_MOUNTS='.linux.namespaces = [{type: "mount"}, {type: "user"}] | del(.hostname, .mounts[4])'

# ---- what is asked for is there ----------------------------------------------------------------

@test "the usual bundle" {
	agrees .
}

@test "a user of another number, with ambient capabilities" {
	agrees '.process.user = {uid: 33, gid: 34} | .linux.uidMappings[0].containerID = 33 |
		.linux.gidMappings[0].containerID = 34 | .process.capabilities |= (.ambient = .bounding |
		.inheritable = .bounding)'
}

@test "no namespace but those that are always ours" {
	agrees "$ONLY_MOUNTS"
}

@test "a cgroup namespace; the host's cgroups, read-only" {
	agrees '.linux.namespaces += [{type: "cgroup"}]'
	inside '.mounts += [{destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup",
		options: ["nosuid", "noexec", "nodev", "relatime", "ro"]}]' \
		'cd /sys/fs/cgroup && ls | head -1 && ! mkdir x 2> /dev/null'
	[ -n "$output" ]
}

@test "a writable root is the bundle's own directory" {
	agrees '.root.readonly = false'
	inside '.root.readonly = false' 'echo text > /tmp/made'
	is "$(cat b/rootfs/tmp/made)" text
}

@test "less: no capabilities, masks, limits or environment" {
	agrees 'del(.process.capabilities, .process.rlimits, .linux.maskedPaths, .linux.readonlyPaths) |
		.process.env = ["PATH=/bin"]'
}

@test "mounts: binds from the bundle and the host, in the order of the list" {
	mkdir -p b/data "$T/host/below"
	echo mine > b/data/file
	echo host > "$T/host/file"
	agrees '.mounts += [
		{destination: "/a", type: "none", source: "data", options: ["bind", "ro"]},
		{destination: "/b/c", type: "tmpfs", source: "tmpfs", options: ["size=1m", "mode=0700", "noexec"]},
		{destination: "/d", type: "bind", source: "'"$T/host"'", options: ["rbind", "nodev", "rprivate"]},
		{destination: "/e", type: "tmpfs", source: "tmpfs"},
		{destination: "/e/f", type: "bind", source: "data/file", options: ["bind"]}
	] | .root.readonly = false'
	bundle b '.root.readonly = false | .mounts += [
		{destination: "/e", type: "tmpfs", source: "tmpfs"},
		{destination: "/e/f", type: "bind", source: "data/file", options: ["bind"]},
		{destination: "/d", type: "bind", source: "'"$T/host"'", options: ["rbind"]}
	] | .process.args = ["cat", "/e/f", "/d/file"]'
	works oci-run -b b test
	is "$output" "mine
host"
}

@test "seccomp: the bundle's filter, and it alone" {
	agrees '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}'
	inside '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [
		{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 28}]}' \
		'/bin/busybox mkdir /tmp/x 2>&1 || true'
	has "$output" 'No space left'
}

@test "a terminal" {
	need python3
	bundle b '.process.terminal = true | .process.args = ["sh", "-c",
		"test -t 0 && test -t 1 && readlink /proc/self/fd/0; echo end"]'
	printf '%s\n' 'expect /dev/pts/0' 'expect end' 'end 0' > script
	python3 "$HELPERS/terminal.py" script "$GPURUN" oci-run -b b test
}

@test "the working directory is made; the command's words and its status are exact" {
	bundle b '.root.readonly = false | .process.cwd = "/made/here" | .process.args = ["sh", "-c",
		"pwd; printf \"<%s>\" \"$@\"; exit 7", "x", "a b", "", "c\nd"]'
	try oci-run -b b test
	is "$status" 7
	is "$output" "/made/here
<a b><><c
d>"
	bundle b '.process.args = ["/no/such/command"]'
	fails 127 oci-run -b b test
	bundle b '.process.args = ["sh", "-c", "kill -9 $$"]'
	try oci-run -b b test
	is "$status" 137
}

@test "nothing of the host's environment, files or habits comes along" {
	SECRET=1 inside '.process.env = ["PATH=/bin"]' \
		'tr "\0" "\n" < /proc/$$/environ; ls /etc /home /.gpurun 2> /dev/null || true'
	is "$output" PATH=/bin
}

@test "a linked rootfs; another name for the config's directory" {
	bundle real .
	mv real/rootfs elsewhere
	ln -s ../elsewhere real/rootfs
	ln -s real b
	works oci-run --bundle="$PWD/b/" test
	python3 "$HELPERS/oci-bundle.py" check b < "$T/stdout"
}

# ---- other runtimes see the same -----------------------------------------------------------------

@test "runc reports the same" {
	need runc
	bundle b .
	try_command runc --rootless true --root "$T/runc" run -b b test
	is "$status" 0
	python3 "$HELPERS/oci-bundle.py" check b < "$T/stdout"
}

# crun does not start where cgroups of both versions are mounted.
@test "crun reports the same" {
	need_root
	need crun
	bundle b .
	try_command unshare --mount sh -c 'umount -R /sys/fs/cgroup/unified 2> /dev/null
		exec crun --cgroup-manager=disabled --root "$0" run -b b test' "$T/crun"
	is "$status" 0
	python3 "$HELPERS/oci-bundle.py" check b < "$T/stdout"
}

# ---- refused -------------------------------------------------------------------------------------

@test "what is not done is refused by its name" {
	refuses '.hooks.prestart = [{path: "/bin/true"}]' 'hooks: not supported'
	refuses '.linux.resources.memory.limit = 1' 'linux.resources.memory: not supported'
	refuses '.linux.cgroupsPath = "/x"' 'linux.cgroupsPath: not supported'
	refuses '.linux.sysctl["net.core.somaxconn"] = "1"' 'linux.sysctl'
	refuses '.process.apparmorProfile = "x"' 'process.apparmorProfile'
	refuses '.process.user.additionalGids = [7]' 'process.user.additionalGids\[0\]'
	refuses '.linux.namespaces += [{type: "time"}]' 'namespaces\[6\]: time'
	refuses '.linux.namespaces[1].path = "/proc/self/ns/net"' 'network: joining'
	refuses '.mounts[0].options = ["hidepid=2"]' 'mounts\[0\].options\[0\]: hidepid=2'
	refuses '.mounts += [{destination: "/x", type: "ext4", source: "/dev/sda"}]' 'mounts\[6\]: ext4'
	refuses '.linux.devices = [{type: "c", path: "/dev/fuse", major: 10, minor: 229}]' \
		'linux.devices\[0\]: /dev/fuse'
	refuses '.linux.uidMappings[0].hostID += 1' 'linux.uidMappings: hostID'
	refuses '.linux.uidMappings[0].size = 2' 'linux.uidMappings\[0\]: more than one'
	refuses '.process.rlimits[0].hard = 18446744073709551615' 'RLIMIT_NOFILE: above the hard limit'
	refuses 'del(.linux.namespaces[3])' 'hostname: needs a uts namespace'
}

@test "a wrong bundle: one message with the place" {
	fails 125 oci-run --bundle . test
	says 'config.json: No such file'
	fails 125 oci-run test
	says 'no bundle named'
	hints 'oci-run --bundle DIR test'
	fails 125 oci-run --bundle .
	echo '{' > config.json
	fails 125 oci-run --bundle . test
	says 'config.json'
	head -c 3000000 /dev/zero > config.json
	fails 125 oci-run --bundle . test
	bundle b '.root.path = "nowhere"'
	fails 125 oci-run -b b test
	says 'root.path: .*nowhere: No such file'
	bundle b .
	fails 125 oci-run -b b ../test
	says 'an id has letters'
}

@test "members that the specification does not know are named in a warning" {
	bundle b '.linux.maskedPath = ["/x"] | .process.args = ["true"]'
	works oci-run -b b test
	is "$(grep -c 'linux.maskedPath: not a member' <<< "$stderr")" 1
}

@test "--dry-run prints the plan, and does nothing" {
	bundle b .
	works oci-run --dry-run -b b test
	jq -e '.container.root.kind == "bind" and .process.cwd == "/tmp"' <<< "$output"
}

# ---- GPUs ----------------------------------------------------------------------------------------

@test "annotations choose GPUs; a wrong one is refused" {
	refuses '.annotations["org.gpurun.gpus"] = "9"' '--gpus 9|no GPU'
	refuses '.annotations["org.gpurun.gpu-caps"] = "odd"' 'org.gpurun.gpu-caps'
	refuses '.annotations["org.gpurun.odd"] = "1"' 'annotations.org.gpurun.odd'
	bundle b '.annotations["org.gpurun.gpus"] = "none" | .process.args = ["true"]'
	silent oci-run -b b test
}

# ---- verbs, and the ranks of a step -----------------------------------------------------------------

@test "its id names it to ps, exec and kill" {
	bundle b '.process.args = ["sleep", "1000"]'
	"$GPURUN" oci-run -b b my.bundle &
	local pid=$!
	wait_for 5 eval '"$GPURUN" ps | grep -q my.bundle'
	fails 125 oci-run -b b my.bundle
	works exec my.bundle cat /proc/sys/kernel/hostname
	is "$output" bundle
	works kill my.bundle
	wait_for 5 eval '! kill -0 '$pid' 2> /dev/null'
}

# As Slurm does it: the variables stand in process.env, ours has the one of oci.conf; a config.json
# a task.
ranks() {
	local i
	export SLURM_PROCID=0
	for i in 0 1; do
		bundle task-$i ".root.path = \"$PWD/root\" | .process.env += [\"SLURM_JOB_ID=7\",
			\"SLURM_STEP_ID=0\", \"SLURM_PROCID=$i\", \"SLURM_LOCALID=$i\",
			\"SLURM_STEP_TASKS_PER_NODE=2\"] | .mounts += [{destination: \"/tmp/spool\",
			type: \"none\", source: \"$PWD/task-$i\", options: [\"bind\"]}] | $1"
	done
	rm -rf root
	mv task-0/rootfs root
	mkdir -p root/tmp/spool
}

SAME='.process.args = ["sh", "-c", "readlink /proc/self/ns/mnt; exec sleep 1000"]'

@test "no image makes itself the task of a job, nor gets the descriptors of one" {
	bundle b '.process.env += ["SLURM_JOB_ID=7", "SLURM_STEP_ID=0", "PMI_FD=9"] |
		.process.args = ["sh", "-c", "ls /proc/self/fd | tr \"\\n\" \" \""]'
	works oci-run -b b own 9< / 8< /etc
	is "$output" '0 1 2 3 '
	try oci-run --dry-run -b b own
	is "$(jq -r '[.container.share_key, .process.keep_fds] | @csv' <<< "$output")" ,false
	export SLURM_PROCID=0
	works oci-run -b b own 9< / 8< /etc
	is "$output" '0 1 2 3 '
}

@test "ranks of a step share a container, by what stands in process.env" {
	need_user
	ranks "$ONLY_MOUNTS | $SAME"
	"$GPURUN" oci-run -b task-0 7.0.0 > first &
	local one=$!
	wait_for 5 test -s first
	"$GPURUN" oci-run -b task-1 7.0.1 > second &
	local two=$!
	wait_for 5 test -s second
	is "$(cat second)" "$(cat first)"
	is "$(cat /proc/$two/comm)" sleep
	kill $one $two
	wait $one || is $? 143
	wait $two || is $? 143
}

@test "with a pid namespace each rank has a container of its own" {
	ranks "$SAME"
	"$GPURUN" oci-run -b task-0 7.0.0 > first &
	"$GPURUN" oci-run -b task-1 7.0.1 > second &
	wait_for 5 test -s first
	wait_for 5 test -s second
	[ "$(cat second)" != "$(cat first)" ]
	kill $(jobs -p)
	wait
}
