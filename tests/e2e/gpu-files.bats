#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The driver's files in a plan against what nvidia-ctk puts into a container (tests/fixtures/cdi),
# from an ordinary user's dry run on a machine of text files.  The driver is one of stubs, and
# NVIDIA's own where Debian's mirror can be reached; GPURUN_TEST_DRIVER_550 and _535 may name
# roots that driver-root.sh has laid out in full.
load common

LIST=$REPO/tests/fixtures/cdi/nvidia-ctk-1.20.txt
TRIPLET=$(uname -m)-linux-gnu

# an image with this machine's C library; the driver of stubs in two layouts
test_setup_file() {
	local f
	export IMAGE=$FILE_DIR/image DEBIAN=$FILE_DIR/debian RHEL=$FILE_DIR/rhel
	bash "$HELPERS/stub-driver.sh" "$DEBIAN" 550.163.01 debian
	bash "$HELPERS/stub-driver.sh" -M "$RHEL" 550.163.01 rhel
	for f in $(ldd /bin/sh | grep -o '/[^ ]*'); do
		mkdir -p "$IMAGE$(dirname "$f")"
		cp -L "$f" "$IMAGE$f"
	done
}

# host VERSION - a machine with four GPUs and a kernel module of that version: $HOST
host() {
	HOST=$T/host
	cp -r "$REPO/tests/fixtures/host-gpu4" "$HOST"
	chmod -R u+w "$HOST"
	sed -i "s/550\.163\.01/$1/" "$HOST/proc/driver/nvidia/version"
}

# plan ROOT VERSION CAPS - what comes from the driver: destinations, one a line, in $PLAN
plan() {
	host "$2"
	works --dry-run --sysroot "$HOST" --gpus all --gpu-caps "$3" --driver-root "$1" "$IMAGE" true
	PLAN=$(jq -r '.. | objects | select(.dst? and (.why | startswith("nvidia driver"))) | .dst' <<< "$output")
	output= # too much to show
}

has() {
	grep -qE -- "$1" <<< "$PLAN" || { echo "missing: $1"; return 1; }
}

lacks() {
	local found
	! found=$(grep -E -- "$1" <<< "$PLAN") || { echo "too much: $found"; return 1; }
}

# theirs ROOT VERSION - where their choice is found in our plan, of what ROOT has
theirs() {
	local kind path other name
	while read -r kind path other; do
		name=${path##*/}
		case $kind:$path in
		mount:*.so.*) [ ! -e "$1$path" ] || echo "/.gpurun/lib64/$name" ;;
		mount:/usr/*bin/*) [ ! -e "$1$path" ] || echo "/usr/bin/$name" ;;
		mount:*) [ ! -e "$1$path" ] || echo "${other:-$path}" ;;
		link:*/gbm/*) [ ! -e "$1${path%/gbm/*}/libnvidia-allocator.so.$2" ] || echo "/gbm/$name" ;;
		link:*.so) [ ! -L "$1$path" ] || echo "/.gpurun/lib64/$name" ;;
		link:*) [ ! -e "$1${path%/*}/${other%%.so*}.so.$2" ] || echo "/.gpurun/lib64/$name" ;;
		esac
	done < <(sed -n "s/@VERSION@/$2/g; s/@TRIPLET@/$TRIPLET/g; /^#/!p" "$LIST")
}

# equals_or_exceeds ROOT VERSION LEAST - at least LEAST entries of theirs, all of them in the plan
equals_or_exceeds() {
	local entry missing=
	local -a want
	plan "$1" "$2" all
	mapfile -t want < <(theirs "$1" "$2")
	[ ${#want[@]} -ge "$3" ] || { echo "only ${#want[@]} to compare"; return 1; }
	for entry in "${want[@]}"; do
		case $entry in
		/usr/bin/nvidia-persistenced) continue ;; # a daemon, one for a host
		/lib/firmware/*) continue ;;		  # the kernel loads it
		*/libnvidia-egl-*) # the only ones of a distribution's making; said
			grep -qxF "$entry" <<< "$PLAN" || [[ $stderr == *'newer glibc'* ]] || missing+="$entry " ;;
		/gbm/*) grep -q -- "$entry\$" <<< "$PLAN" || missing+="$entry " ;;
		*) grep -qxF "$entry" <<< "$PLAN" || missing+="$entry " ;;
		esac
	done
	is "$missing" ''
	# what nvidia-ctk loses behind absolute links
	has '^/usr/bin/nvidia-smi$'
}

# packages SERIES - NVIDIA's driver in $ROOT, its version in $V, or skip
packages() {
	local variable=GPURUN_TEST_DRIVER_$1 rc=0 out
	ROOT=${!variable-}
	if [ -z "$ROOT" ]; then
		ROOT=$T/packages
		out=$(bash "$HELPERS/driver-root.sh" "$1" "$ROOT" 2>&1) || rc=$?
		[ $rc != 77 ] || skip "$out"
		[ $rc = 0 ]
	fi
	V=$(ls "$ROOT"/usr/lib/*/nvidia/current/libcuda.so.*.*)
	V=${V##*/libcuda.so.}
	# all that C knows about it, each difference with its reason
	local unit=${BUILD:-$REPO/build}/unit/t_gpu_driver_cdi
	if [ -x "$unit" ]; then
		(cd "$REPO" && "$unit" "$ROOT" > "$T/unit" 2>&1) || { cat "$T/unit"; return 1; }
	fi
}

@test "a driver of stubs, as Debian and as RHEL install it: all that nvidia-ctk takes" {
	equals_or_exceeds "$DEBIAN" 550.163.01 50
	has '^/usr/share/nvidia/nvoptix.bin$'
	has '^/.gpurun/lib64/libnvidia-api.so.1$'
	plan "$RHEL" 550.163.01 all
	has '^/.gpurun/lib64/libcuda.so.550.163.01$'
	has '^/.gpurun/lib64/libvdpau_nvidia.so.1$'
}

@test "capabilities: compute has no graphics, utility no compute, video brings its own" {
	plan "$RHEL" 550.163.01 compute
	has 'libcuda.so.1$'
	lacks 'libnvidia-ml|nvidia-smi|EGL|glcore|libnvcuvid|vulkan|nvoptix'
	plan "$RHEL" 550.163.01 utility
	has 'libnvidia-ml.so.1$'
	has '^/usr/bin/nvidia-smi$'
	lacks 'libcuda|OpenCL'
	plan "$RHEL" 550.163.01 video
	has 'libnvcuvid.so.1$'
	has 'libcuda.so.1$'
	has 'libvdpau_nvidia.so.1$'
	plan "$RHEL" 550.163.01 graphics
	has 'libGLX_indirect.so.0$'
	has '^/usr/share/nvidia/nvoptix.bin$'
	lacks 'libcuda|nvidia-smi'
}

@test "the set-uid nvidia-modprobe, the host's daemons and the firmware stay on the host" {
	[ -u "$RHEL/usr/bin/nvidia-modprobe" ] || [ -x "$RHEL/usr/bin/nvidia-modprobe" ]
	plan "$RHEL" 550.163.01 all
	lacks 'modprobe|bin/nvidia-persistenced|nv-fabricmanager|firmware'
}

@test "Debian's packages of 550" {
	packages 550
	equals_or_exceeds "$ROOT" "$V" 5
}

@test "Debian's packages of 535" {
	packages 535
	equals_or_exceeds "$ROOT" "$V" 5
}
