#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# gpurun doctor, on machines whose state is known.  The one with GPUs is machine.sh's; its driver
# is made of stubs, with a libcuda that computes without a GPU (tests/helpers/fake-cuda.c).
load common
load gpu

VERSION=550.163.01

test_setup_file() {
	export DRIVER IMAGE
	[ "$(id -u)" = 0 ] || return 0
	stub_driver
	IMAGE=$IMAGES/bash.tar
	DRIVER=$STUB/$(cd "$STUB" && find usr -name "libcuda.so.$VERSION" -type f -printf '%h')
	fake_cuda
	${CC:-cc} -shared -fPIC -O1 -w -Wl,-soname,libnvidia-ml.so.1 \
		-o "$DRIVER/libnvidia-ml.so.$VERSION" "$HELPERS/fake-nvml.c" -ldl
	echo 'gpus 3' > "$DRIVER/libnvidia-ml.so.$VERSION.conf"
}

# fake_cuda [CFLAG...] - the driver's libcuda
fake_cuda() {
	${CC:-cc} -shared -fPIC -O1 -Wl,-soname,libcuda.so.1 "$@" -o "$DRIVER/libcuda.so.$VERSION" \
		"$HELPERS/fake-cuda.c"
}

test_setup() {
	need python3
}

# on_gpus [MACHINE-OPTION...] -- DOCTOR-OPTION... - as an ordinary user
on_gpus() {
	need_machine
	split "$@"
	try_command user_machine "${MACHINE[@]}" -u 20001 -- "$GPURUN" doctor --json "${WORDS[@]}"
}

# finding LAYER NAME - "STATUS: WHY (FIX)"; there must be one
finding() {
	python3 -c 'import json, sys
for f in json.load(sys.stdin):
	assert sorted(f) == ["fix", "layer", "name", "status", "why"], f
	assert f["status"] in ("ok", "warn", "fail", "skip"), f
	assert f["why"] and "\n" not in f["why"] + (f["fix"] or ""), f
	if [f["layer"], f["name"]] == sys.argv[1:]:
		print("%s: %s (%s)" % (f["status"], f["why"], f["fix"]))' "$@" <<< "$output"
}

# finds LAYER NAME PATTERN
finds() {
	has "$(finding "$1" "$2")" "$3"
}

# failed - the checks that failed, "LAYER NAME" a line
failed() {
	python3 -c 'import json, sys
for f in json.load(sys.stdin):
	if f["status"] == "fail": print(f["layer"], f["name"])' <<< "$output"
}

# ---- the host --------------------------------------------------------------------------------

@test "one line a check, what helps below it, and a sum" {
	try doctor
	has "$output" '^host$'
	has "$output" '^  (ok|warn) +kernel +Linux [0-9]'
	has "$output" '^[0-9]+ ok, [0-9]+ warnings?, [0-9]+ failed, [0-9]+ skipped; gpurun doctor IMAGE'
	hasnt "$output" '^container$'
	is "$(grep -cvE '^(host|gpu)$|^  (ok|warn|fail|skip)  *[a-zA-Z]|^        fix: .|^[0-9]+ ok, ' <<< "$output")" 0
	is "$stderr" ''
}

@test "nothing fails where containers start; the status says so" {
	works doctor --json
	is "$(failed)" ''
	finds host 'user namespaces' '^ok'
	finds host store "^ok: $GPURUN_STORE"
	finds host libraries '^ok'
}

@test "no GPU: the checks about them are skipped" {
	[ ! -e /proc/driver/nvidia/version ] || skip "this machine has a GPU"
	works doctor --json
	finds gpu bus '^skip: no GPU on this machine'
	finds gpu NVML '^skip'
	finds gpu CUDA '^skip'
	is "$(failed)" ''
}

@test "no user namespaces: which limit, and the command that lifts it" {
	unshare --user --map-root-user true || cannot "no user namespaces"
	try_command unshare --user --map-root-user bash -c \
		'echo 0 > /proc/sys/user/max_user_namespaces && exec "$@"' - "$GPURUN" doctor --json
	is "$status" 1
	finds host 'user namespaces' '^fail: clone3: .*max_user_namespaces is 0 \(as root: sysctl -w user.max_user_namespaces='
	finds host proc '^skip'
}

@test "a store that cannot be used: what is wrong with it, and no image" {
	: > "$T/file"
	try doctor --json --store "$T/file" "$BUSYBOX"
	is "$status" 1
	finds host store "^fail: $T/file: .*--store DIR"
	finds host overlay '^skip: no store'
	finds image unpacked '^skip: no store'
	is "$(failed)" 'host store'
	finds container start '^skip: no image'
}

@test "a store that others may write to" {
	mkdir "$T/open"
	chmod 777 "$T/open"
	try doctor --json --store "$T/open"
	is "$status" 1
	finds host store "^fail: .*open to others.*chmod go-w"
}

@test "the libraries of the check are those that are loaded elsewhere" {
	local here there
	here=$(grep -ohE '"lib[a-z0-9-]+\.so\.[0-9]+"' "$REPO/src/cli/doctor_host.c" | sort -u)
	there=$(grep -lF '<gpurun/lib.h>' "$REPO"/src/*/*.c | grep -v /doctor_ |
		xargs grep -ohE '"lib[a-z0-9-]+\.so\.[0-9]+"' | sort -u)
	is "$here" "$there"
}

@test "a missing library: its name, what it is for and its package" {
	unshare --user --map-root-user --mount true || cannot "no user namespaces"
	local lib
	lib=$(ldconfig -p 2> /dev/null | sed -n 's,.*libseccomp\.so\.2 .*=> ,,p' | head -1)
	[ -n "$lib" ] || lib=$(find /usr/lib /lib -name libseccomp.so.2 2> /dev/null | head -1)
	[ -n "$lib" ] || skip "libseccomp is not there"
	: > "$T/empty"
	try_command unshare --user --map-root-user --mount bash -c 'mount --bind "$0" "$1" && shift && exec "$@"' \
		"$T/empty" "$lib" "$GPURUN" doctor --json
	finds host libraries '^warn: .*libseccomp\.so\.2 \(--security-opt.*apt-get install libseccomp2'
}

# ---- the command line ------------------------------------------------------------------------

@test "a wrong command line is gpurun's own failure" {
	fails 125 doctor --gpus nonsense
	fails 125 doctor a b
	fails 125 doctor --nonsense
}

@test "an image that is not there" {
	try doctor --json "$T/none.tar"
	is "$status" 1
	is "$(failed)" 'image unpacked'
	finds container start '^skip: no image'
}

# ---- images without GPUs ---------------------------------------------------------------------

@test "an image: its C library, and that a container starts" {
	works doctor --json "$IMAGES/bash.tar"
	finds image unpacked '^ok: bash'
	finds image 'C library' '^ok: glibc 2\.'
	finds container start '^ok'
	works doctor --json "$BUSYBOX"
	finds image 'C library' '^ok: no dynamic linker'
	finds container start '^ok'
	finds container confinement '^ok: devices: fresh /dev'
	is "$("$GPURUN" --dry-run "$BUSYBOX" true | grep -c '"landlock_dev": true')" \
		"$(finding container confinement | grep -c ' + Landlock')"
	is "$(failed)" ''
}

@test "nothing of the probe is left in the store" {
	works doctor "$BUSYBOX"
	is "$(ls -A "$GPURUN_STORE/v1/scratch")" ''
}

# ---- GPUs --------------------------------------------------------------------------------------

@test "a machine with GPUs: only that no driver is behind the nodes" {
	on_gpus -- "$IMAGE"
	is "$status" 1
	is "$(failed)" 'container device nodes'
	finds gpu bus '^ok: 3 GPUs: NVIDIA A100-SXM4-40GB'
	finds gpu 'kernel module' "^ok: $VERSION"
	finds gpu 'device nodes' '^ok: 3 of 3'
	finds gpu nvidia-uvm '^ok'
	finds gpu nvidia-modprobe '^ok.*setuid'
	finds gpu libraries "^ok: $VERSION"
	finds gpu NVML '^ok: answers for 3 GPUs'
	finds gpu CUDA '^ok: 12\.4'
	finds gpu persistence '^warn'
	finds gpu 'fabric manager' '^skip: no NVSwitch'
	finds container GPUs '^ok: --gpus auto: 0000:3b'
	finds container start '^ok'
	finds container 'device nodes' '^fail: /dev/nvidiactl: No such device or address'
	finds container libcuda "^ok: /.gpurun/lib64/libcuda.so.$VERSION"
	finds container CUDA '^ok: CUDA 12\.4, 3 devices'
	finds container computing '^ok: 3 devices gave memory and added numbers'
}

@test "--gpus 1: that one, and the others are not there" {
	on_gpus -- --gpus 1 "$IMAGE"
	finds container GPUs '^ok: --gpus 1: 0000:5b'
	finds container 'device nodes' '^fail'
	hasnt "$(finding container 'device nodes')" 'can be seen|/dev/nvidia[02]'
	finds container CUDA '1 device '
	finds container computing '^ok: 1 device '
}

@test "--gpus none: nothing is asked of CUDA" {
	on_gpus -- --gpus none "$IMAGE"
	is "$status" 0
	finds container GPUs '^skip'
	finds container CUDA '^skip: no GPU is chosen'
}

@test "a GPU that computes wrongly, one without memory, a driver that fails" {
	need_machine
	fake_cuda -DFAKE_ADDEND=1
	on_gpus -- "$IMAGE"
	finds container computing '^fail: 0000:3b:00.0 Fake GPU 0: kernel: 1000'
	fake_cuda -DFAKE_ALLOC=2
	on_gpus -- "$IMAGE"
	finds container computing '^fail: .*: memory: 2 CUDA_ERROR_OUT_OF_MEMORY \(gpurun gpus'
	fake_cuda -DFAKE_INIT=802
	on_gpus -- "$IMAGE"
	finds container CUDA '^fail: cuInit: 802 .*fabricmanager'
	finds container computing '^skip: no CUDA device'
	fake_cuda
}

@test "nodes that the user may not open: why, and what to do" {
	on_gpus -m 600 -- "$IMAGE"
	is "$status" 1
	finds gpu 'device nodes' '^fail: 0 of 3 .*file mode.*chmod 666'
	finds container GPUs '^fail'
	finds container computing '^skip'
}

@test "nodes that a device cgroup denies" {
	need_machine
	local r=0
	bash "$HELPERS/deny-devices.sh" v1 195:2 -- true 2> "$T/why" || r=$?
	[ $r = 0 ] || cannot "$(cat "$T/why")"
	try_command bash "$HELPERS/deny-devices.sh" v1 195:2 -- \
		bash "$HELPERS/machine.sh" -d "$STUB" -- "$GPURUN" doctor --json
	finds gpu 'device nodes' '^ok: 2 of 3'
	finds gpu 'device cgroup' '^warn: 1 of 3 GPUs are denied.*/dev/nvidia2'
	try_command bash "$HELPERS/deny-devices.sh" v1 195:2 -- \
		env SLURM_JOB_ID=7 bash "$HELPERS/machine.sh" -d "$STUB" -- "$GPURUN" doctor --json
	finds gpu 'device cgroup' "^ok: 1 of 3 GPUs are not this job's"
}

@test "no control node, no nvidia-uvm" {
	on_gpus -x nvidiactl --
	finds gpu 'device nodes' '^fail: 0 of 3 .*/dev/nvidiactl: node missing.*nvidia-modprobe'
	on_gpus -x nvidia-uvm --
	finds gpu nvidia-uvm '^warn: /dev/nvidia-uvm is missing.*nvidia-modprobe -c 0 -u'
}

@test "libraries of another version than the kernel module" {
	on_gpus -v 535.261.03 -- "$IMAGE"
	is "$status" 1
	finds gpu libraries "^fail: .*$VERSION.*535\.261\.03.*(reboot|rmmod)"
	has "$(failed)" '^container libcuda'
}

@test "no libraries: where they were looked for" {
	mkdir -p "$T/nothing/usr/lib"
	chmod -R 755 "$T/nothing"
	on_gpus -- --driver-root "$T/nothing" "$IMAGE"
	finds gpu libraries '^fail: none found below .*--driver-root DIR'
	finds gpu NVML '^skip: no driver libraries'
}

@test "an image without glibc, with GPUs" {
	on_gpus -- "$BUSYBOX"
	is "$status" 1
	finds image 'C library' "^fail: no dynamic linker: NVIDIA's libraries need glibc"
	finds container libcuda '^fail'
}

@test "an image that wants a newer driver" {
	need_machine
	mkimage "$IMAGES/bash" --docker --env PATH=/bin --env 'NVIDIA_REQUIRE_CUDA=cuda>=13.0' \
		--env CUDA_VERSION=13.0.1 --cmd bash --tag newer:1 "$FILE_DIR/newer.tar"
	on_gpus -- "$FILE_DIR/newer.tar"
	finds image CUDA '^fail: .*13\.0'
}

@test "a CDI name: CUDA is tried with what the CDI files say" {
	on_gpus -- --gpus nvidia.com/gpu=nothing "$IMAGE"
	is "$status" 1
	finds container GPUs '^ok: --gpus nvidia.com/gpu=nothing'
	finds container start '^fail: .*nvidia.com/gpu=nothing'
	finds container CUDA '^skip'
}
