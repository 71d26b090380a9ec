#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What a job and a site put into a container: /etc/gpurun/site.d, fabrics, the launcher's and the
# user's directories.  Root makes a machine that has them (a private mount namespace), an ordinary
# user starts gpurun there in what looks like a job.
load common
load gpu

test_setup_file() {
	export IMAGE=$FILE_DIR/who.tar
	[ "$(id -u)" = 0 ] || return 0
	stub_driver
	mkdir -p "$FILE_DIR/host" "$FILE_DIR/image/bin" "$FILE_DIR/image/lib"
	who_library host "$FILE_DIR/host"
	who_library image "$FILE_DIR/image/lib"
	echo 'const char *who(void); int puts(const char *); int main(void) { puts(who()); return 0; }' |
		${CC:-cc} -o "$FILE_DIR/image/bin/whose" -x c - -x none "$FILE_DIR/image/lib/libwho.so.1"
	c_library "$FILE_DIR/image/bin/whose" "$FILE_DIR/image"
	cp "$IMAGES/busybox/bin/busybox" "$FILE_DIR/image/bin/"
	ln -s busybox "$FILE_DIR/image/bin/sh"
	mkimage "$FILE_DIR/image" --docker --env PATH=/bin --env LD_LIBRARY_PATH=/lib --cmd sh \
		--tag who:1 "$IMAGE"
}

# who_library NAME DIR - a library that says whose it is
who_library() {
	echo "const char *who(void); const char *who(void) { return \"$1\"; }" |
		${CC:-cc} -shared -fPIC -Wl,-soname,libwho.so.1 -o "$2/libwho.so.1" -x c -
}

# c_library PROGRAM ROOT - this machine's, as far as the program wants it
c_library() {
	local f
	for f in $(LD_LIBRARY_PATH=$2/lib ldd "$1" | grep -o '/[^ ]*'); do
		[[ $f != "$2"/* ]] || continue
		mkdir -p "$2$(dirname "$f")"
		cp -L "$f" "$2$f"
	done
}

test_setup() {
	SITE=$T/site.d DISK=$T/disk
	mkdir -m 755 "$SITE" "$DISK"
	mkdir -m 777 "$DISK/work"
	: > "$T/nodes"
	unset HF_HOME TORCH_HOME TRITON_CACHE_DIR XDG_CACHE_HOME SSL_CERT_FILE CUDA_MPS_PIPE_DIRECTORY
	JOB=(SLURM_JOB_ID=7 SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_LOCALID=0 SLURM_NTASKS=1
		SLURM_STEP_TASKS_PER_NODE=1 TMPDIR=)
}

# site NAME - a file of the site, on stdin
site() {
	cat > "$SITE/$1"
	chmod 644 "$SITE/$1"
}

# at_site WORD... - gpurun, as an ordinary user in /mnt/work and the job $JOB, where $SITE is
# /etc/gpurun/site.d, $DISK is mounted on /mnt, and /dev has what $T/nodes lists
at_site() {
	need_machine
	chmod 755 "$T"
	try_command user_machine -g "${GPUS:-0}" -- bash -c '
		site=$1 disk=$2 nodes=$3
		shift 3
		mkdir -p /etc/gpurun/site.d
		cp -a "$site/." /etc/gpurun/site.d/
		mount --bind "$disk" /mnt
		while read -r path; do
			mkdir -p "$(dirname "$path")"
			mknod -m 666 "$path" c 1 3
		done < "$nodes"
		cd /mnt/work
		exec setpriv --reuid 20001 --regid 20001 --clear-groups env "$@"' \
		at_site "$SITE" "$DISK" "$T/nodes" "${JOB[@]}" "$GPURUN" "$@"
	forget_unpacking
}

# inside COMMAND - what a shell in the container says; it must be silent otherwise
inside() {
	at_site "${OPTIONS[@]}" "${USE:-$BUSYBOX}" sh -c "$1"
	is "$stderr" ''
	is "$status" 0
}

# ---- the site's list ---------------------------------------------------------------------------

@test "directories, files and variables of the site are inside, each with its options" {
	mkdir -m 777 "$DISK/scratch"
	mkdir "$DISK/software"
	echo tool > "$DISK/software/tool"
	echo yes > "$DISK/site.conf"
	site a.json <<- END
		{"mounts": [
			{"hostPath": "/mnt/scratch"},
			{"hostPath": "/mnt/software", "containerPath": "/software", "options": ["ro"]},
			{"hostPath": "/mnt/site.conf", "containerPath": "/etc/site/conf", "options": ["ro"]},
			{"hostPath": "/mnt/missing", "if_exists": true}],
		 "env": ["SITE=here"], "env_prepend": ["PATH=/software"]}
	END
	inside "echo \$SITE; ls /mnt; echo \$PATH | cut -d: -f1; cat /software/tool /etc/site/conf
		echo written > /mnt/scratch/file; touch /software/x 2> /dev/null || echo read-only"
	is "$output" $'here\nscratch\nwork\n/software\ntool\nyes\nread-only'
	is "$(cat "$DISK/scratch/file")" written
}

@test "device nodes by pattern" {
	printf '%s\n' /dev/fast0 /dev/fast1 /dev/other > "$T/nodes"
	site a.json <<< '{"deviceNodes": [{"path": "/dev/fast*"}]}'
	inside 'ls /dev | grep -E "fast|other"; cat /dev/fast0'
	is "$output" $'fast0\nfast1'
}

@test "a library of the host takes the place of the image's" {
	local USE=$IMAGE
	site empty.json <<< '{}'
	inside whose
	is "$output" image
	site 10-who.json <<< "{\"libraries\": [\"$FILE_DIR/host/lib*.so.*\"]}"
	inside 'whose; echo $LD_LIBRARY_PATH'
	is "$output" $'host\n/.gpurun/site/10-who:/lib'
	OPTIONS=(--read-only)
	inside whose
	is "$output" host
}

@test "libraries of the site and of the GPU's driver are there beside each other" {
	local USE=$IMAGE GPUS=2 OPTIONS=(--gpus 0)
	JOB+=(CUDA_VISIBLE_DEVICES=0,1)
	site mpi.json <<< "{\"libraries\": [\"$FILE_DIR/host/libwho.so.1\"]}"
	inside 'whose; cd /.gpurun; for f in lib64/libcuda.so.1 site/mpi/libwho.so.1; do
		[ -e $f ] && echo $f; done'
	is "$output" $'host\nlib64/libcuda.so.1\nsite/mpi/libwho.so.1'
}

@test "a file holds where it says: in steps, in batch jobs, everywhere, with --contain" {
	local when
	for when in step batch job always; do
		site $when.json <<< "{\"when\": \"$when\", \"env_prepend\": [\"WHERE=$when\"]}"
	done
	inside 'echo $WHERE'
	is "$output" step:job:always
	JOB=(SLURM_JOB_ID=7 TMPDIR=)
	inside 'echo $WHERE'
	is "$output" job:batch:always
	JOB=(TMPDIR=)
	inside 'echo $WHERE'
	is "$output" always
	JOB=(SLURM_JOB_ID=7 SLURM_STEP_ID=0 TMPDIR=)
	site fabric.json <<< '{"with_contain": true, "env": ["FABRIC=yes"]}'
	OPTIONS=(--contain)
	inside 'echo $WHERE$FABRIC'
	is "$output" yes
}

@test "what the user says wins over the site" {
	mkdir "$DISK/theirs" "$DISK/mine"
	echo site > "$DISK/theirs/file"
	echo mine > "$DISK/mine/file"
	site a.json <<- END
		{"mounts": [{"hostPath": "/mnt/theirs", "containerPath": "/data"}], "env": ["A=site"]}
	END
	inside 'cat /data/file; echo $A'
	is "$output" $'site\nsite'
	OPTIONS=(-v /mnt/mine:/data -e A=mine)
	inside 'cat /data/file; echo $A'
	is "$output" $'mine\nmine'
}

@test "a file that is wrong is an error by name, whoever starts what" {
	site broken.json <<< '{"mounts": ['
	at_site "$BUSYBOX" true
	is "$status" 125
	one_message
	says '/etc/gpurun/site.d/broken.json: not JSON'
	site broken.json <<< '{"mount": []}'
	JOB=(TMPDIR=)
	at_site "$BUSYBOX" true
	is "$status" 125
	one_message
	says '/etc/gpurun/site.d/broken.json: mount: an unknown member'
}

@test "a file that others than root can write is not accepted" {
	site a.json <<< '{}'
	chmod 664 "$SITE/a.json"
	at_site "$BUSYBOX" true
	is "$status" 125
	one_message
	says 'a.json: not accepted: others than root can write it'
	hints 'chmod go-w'
	chmod 644 "$SITE/a.json"
	chown 20001 "$SITE/a.json"
	at_site "$BUSYBOX" true
	is "$status" 125
	says "a.json: not accepted: it is not root's"
	chown 0 "$SITE/a.json"
	chmod 777 "$SITE"
	at_site "$BUSYBOX" true
	is "$status" 125
	says 'site.d: not accepted: others than root can write it'
}

@test "a mount that is missing on this node is an error" {
	site a.json <<< '{"mounts": [{"hostPath": "/mnt/gone"}]}'
	at_site "$BUSYBOX" true
	is "$status" 125
	one_message
	says 'a.json: mounts\[0\]: /mnt/gone: No such file or directory'
	hints if_exists
	site a.json <<< '{"if_exists": ["/mnt/gon?"], "mounts": [{"hostPath": "/mnt/gone"}]}'
	inside true
}

@test "doctor says what comes in unasked, and which file is wrong" {
	JOB=(TMPDIR=)
	at_site doctor
	has "$output" '^  ok +site +nothing of the host comes in unasked'
	site a.json <<< '{"when": "always", "mounts": [{"hostPath": "/mnt/work"}]}'
	at_site doctor
	has "$output" '^  ok +site +mounts and device nodes of .*: 1$'
	site a.json <<< '{"mounts": {}}'
	at_site doctor
	is "$status" 1
	has "$output" '^  fail +site +/etc/gpurun/site.d/a.json: mounts: not a list'
}

# Anybody can look at a machine of text files.
@test "the samples are accepted, and bring something where their things are" {
	local f host=$T/host
	mkdir -p "$host"
	cp -r "$REPO/tests/fixtures/host-plain/." "$host"
	chmod -R u+w "$host"
	printf '%s\0' HOME=/home/alice SLURM_JOB_ID=7 SLURM_STEP_ID=0 > "$host/proc/self/environ"
	mkdir -p "$host"/{etc/{gpurun/site.d,slurm},run/munge,scratch,usr/bin,usr/lib64/{slurm,libibverbs},dev/infiniband}
	for f in cxi0 infiniband/uverbs0; do
		echo 'c 231 192 rw' > "$host/dev/$f"
	done
	for f in sbatch scancel scontrol sinfo squeue srun; do
		: > "$host/usr/bin/$f"
	done
	# every library that a sample lists
	jq -r '.libraries[]?' "$REPO"/contrib/site.d/*.json | while read -r f; do
		mkdir -p "$host$(dirname "$f")"
		: > "$host${f//\*/}"
	done
	for f in "$REPO"/contrib/site.d/*.json; do
		install -m 644 "$f" "$host/etc/gpurun/site.d/"
	done
	works --dry-run --sysroot "$host" "$REPO/tests/fixtures/image" true
	PLAN=$(jq -r '.. | objects | select(.dst? and (.why | startswith("site:"))) | "\(.why) \(.dst)"' <<< "$output")
	output=
	for f in "$REPO"/contrib/site.d/*.json; do
		has "$PLAN" "^site: ${f##*/} /"
	done
	has "$PLAN" '^site: scratch.json /scratch$'
	has "$PLAN" '^site: cray-mpich.json /.gpurun/site/cray-mpich/libcxi'
	has "$PLAN" '^site: ofed.json /usr/lib64/libibverbs$'
	has "$PLAN" '^site: slurm-client.json /run/munge$'
	hasnt "$PLAN" projects
}

# ---- the job ------------------------------------------------------------------------------------

@test "fabrics: their nodes are there in a job, and a low limit of locked memory is said once" {
	printf '/dev/%s\n' infiniband/uverbs0 infiniband/rdma_cm xpmem knem gdrdrv cxi0 hfi1_0 mem0 \
		> "$T/nodes"
	JOB+=(prlimit --memlock=1048576)
	at_site "$BUSYBOX" sh -c 'cd /dev; ls -d infiniband/* xpmem knem gdrdrv cxi0 hfi1_0 mem0 2> /dev/null; cat xpmem'
	is "$output" "$(printf '%s\n' cxi0 gdrdrv hfi1_0 infiniband/rdma_cm infiniband/uverbs0 knem xpmem)"
	is "$(grep -c 'at most 1024 KiB' <<< "$stderr")" 1
	says PropagateResourceLimitsExcept=MEMLOCK
	JOB+=(env SLURM_LOCALID=1 SLURM_PROCID=1)
	inside 'ls /dev/xpmem'
	is "$output" /dev/xpmem
	JOB=(TMPDIR=)
	inside 'ls /dev | grep -E "infiniband|xpmem|knem|gdrdrv|cxi|hfi" || echo none'
	is "$output" none
}

@test "PMIx: its directory and its modules, also with --contain; PALS" {
	need_root
	mkdir "$DISK/pmix.7.0" "$DISK/pals"
	echo store > "$DISK/pmix.7.0/store"
	echo layout > "$DISK/pals/apinfo"
	chown -R 20001 "$DISK/pmix.7.0" "$DISK/pals"
	JOB+=(PMIX_SERVER_TMPDIR=/mnt/pmix.7.0 PMIX_SYSTEM_TMPDIR=/tmp PMIX_GDS_MODULE=ds21,hash
		PMIX_SECURITY_MODE=munge,native PMIX_PTL_MODULE=tcp PMIX_MCA_ptl=mine
		PALS_SPOOL_DIR=/mnt/pals PALS_APINFO=/mnt/pals/apinfo)
	OPTIONS=(--contain)
	inside 'cat /mnt/pmix.7.0/store /mnt/pals/apinfo; touch /mnt/pmix.7.0/new
		echo $PMIX_MCA_gds $PMIX_MCA_psec $PMIX_MCA_ptl'
	is "$output" $'store\nlayout\nds21,hash munge,native mine'
	[ -e "$DISK/pmix.7.0/new" ]
}

@test "TMPDIR and directories that variables name; not with --contain, not outside of a job" {
	local look
	mkdir -m 777 "$DISK/job" "$DISK/hf"
	echo model > "$DISK/hf/model"
	echo certificate > "$DISK/ca.pem"
	look='cat /mnt/hf/model /mnt/ca.pem 2> /dev/null; touch /mnt/job/new 2> /dev/null && echo written; true'
	JOB+=(TMPDIR=/mnt/job HF_HOME=/mnt/hf SSL_CERT_FILE=/mnt/ca.pem)
	inside "$look"'; echo $TMPDIR $HF_HOME'
	is "$output" $'model\ncertificate\nwritten\n/mnt/job /mnt/hf'
	[ -e "$DISK/job/new" ]
	OPTIONS=(--contain)
	at_site "${OPTIONS[@]}" "$BUSYBOX" sh -c "$look"'; echo $HF_HOME'
	is "$output" ''
	JOB=(TMPDIR=/mnt/job HF_HOME=/mnt/hf)
	at_site "$BUSYBOX" sh -c "$look"'; echo $HF_HOME'
	is "$output" ''
}

@test "TMPDIR that is a directory of the image's own is not put over it" {
	JOB+=(TMPDIR=/usr HF_HOME=/)
	at_site "$BUSYBOX" sh -c 'ls /usr/share/host 2> /dev/null; echo fine'
	is "$output" fine
	says 'left out of the environment: TMPDIR, HF_HOME'
}

@test "NCCL's topology: the file that is named" {
	echo '<system/>' > "$DISK/topo.xml"
	JOB+=(NCCL_TOPO_FILE=/mnt/topo.xml NCCL_GRAPH_FILE=/mnt/none)
	inside 'cat $NCCL_TOPO_FILE; (: > /mnt/topo.xml) 2> /dev/null || echo read-only'
	is "$output" $'<system/>\nread-only'
}
