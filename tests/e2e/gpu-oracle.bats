#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# GPUs proven without one: what a program in the container says about libraries and nodes differs
# between "not there", "there, but no GPU behind it" and "there, but not allowed".
#
#	nvidia-smi           12 no libnvidia-ml; 9 the library is there, no driver is loaded
#	cudaGetDeviceCount   35 no libcuda; 100 it is there, no device
#	open of a node       ENOENT not there; ENXIO may be opened; EPERM, EACCES may not
#
# The libraries are stubs, and NVIDIA's own where Debian's mirror can be reached.
load common
load gpu

test_setup_file() {
	[ "$(id -u)" = 0 ] || return 0
	stub_driver
	bash "$HELPERS/cc-any-glibc.sh" "$FILE_DIR/probe" "$HELPERS/gpu-probe.c"
	host_glibc "$FILE_DIR/root"
	image "$FILE_DIR/root" "$FILE_DIR/image.tar"
}

test_setup() {
	need_machine
	IMAGE=$FILE_DIR/image.tar
}

# host_glibc DIR - this machine's C library in a root of its own, a busybox and the probe
host_glibc() {
	local f
	mkdir -p "$1/bin" "$1/tmp"
	for f in $(ldd "$FILE_DIR/probe" | grep -o '/[^ ]*'); do
		mkdir -p "$1$(dirname "$f")"
		cp -L "$f" "$1$f"
		[ "${f##*/}" != libc.so.6 ] || cp -L "${f%/*}"/lib{m.so.6,pthread.so.0,rt.so.1} "$1${f%/*}/"
	done
	cp "$IMAGES/busybox/bin/"{busybox,hello-gpu} "$1/bin/"
	for f in sh cat find grep ls readlink env true; do
		ln -s busybox "$1/bin/$f"
	done
	cp "$FILE_DIR/probe" "$1/bin/"
}

# image ROOT TAR [MKIMAGE-OPTION...]
image() {
	mkimage "$1" --docker --env PATH=/usr/bin:/bin --cmd sh --tag "$(basename "$2" .tar):1" "${@:3}" "$2"
}

# real SERIES - NVIDIA's driver and a libcudart in $REAL, its $VERSION; or skip
real() {
	REAL=$FILE_DIR/real-$1
	[ -e "$REAL.version" ] || obtain driver-root.sh "$1" "$REAL"
	VERSION=$(cat "$REAL.version")
}

# libraries DIR - where the C library is in the root DIR
libraries() {
	dirname "$(find "$1" -name libc.so.6)"
}

# stub FILE SONAME - a library of the image's own, code on stdin
stub() {
	mkdir -p "$(dirname "$1")"
	${CC:-cc} -w -shared -fPIC -nostdlib -Wl,-soname,"$2" -x c - -o "$1"
}

# obtain HELPER ARG... - what is made of Debian's packages; where the mirror cannot be reached there
# is nothing to test
obtain() {
	local rc=0 out
	out=$(bash "$HELPERS/$1" "${@:2}") 2> "$T/reason" || rc=$?
	[ $rc != 77 ] || skip "$(cat "$T/reason")"
	[ $rc = 0 ] || { cat "$T/reason"; return 1; }
	echo "$out" > "$3.version"
}

# glibc SUITE - an image of that Debian's C library, the probe and NVIDIA's libcudarts: $GLIBC
glibc() {
	local root=$FILE_DIR/$1
	GLIBC=$FILE_DIR/$1.tar
	[ ! -e "$GLIBC" ] || return 0
	obtain glibc-root.sh "$1" "$root"
	mkdir -p "$root/bin"
	cp "$FILE_DIR/probe" "$root/bin/"
	cp -L "$FILE_DIR/real-550/usr/lib/nvidia/current/nvidia-smi" "$root/bin/its-smi"
	cp "$FILE_DIR"/real-*/usr/lib/*/libcudart.so.1[12]* "$root"/lib/*/
	image "$root" "$GLIBC"
}

# ---- libraries -------------------------------------------------------------------------------

@test "stubs: without GPUs nothing of the driver is there; with them libcuda, libnvidia-ml, nvidia-smi" {
	on -- --gpus none "$IMAGE" probe cuda nvml
	is "$output" $'libcuda.so.1: missing\nlibnvidia-ml.so.1: missing'
	on -- --gpus none "$IMAGE" nvidia-smi
	is "$status" 127
	on -- --gpus all "$IMAGE" probe cuda nvml libcuda.so libcuda.so.550.163.01 libnvidia-nvvm.so.4
	is "$status $stderr" '0 '
	is "$output" 'cuInit 100, driver 12040
nvmlInit 9
libcuda.so /.gpurun/lib64/libcuda.so.550.163.01
libcuda.so.550.163.01 /.gpurun/lib64/libcuda.so.550.163.01
libnvidia-nvvm.so.4 /.gpurun/lib64/libnvidia-nvvm.so.550.163.01'
	on -- --gpus all "$IMAGE" nvidia-smi
	is "$status $stderr" '9 '
	on -- "$IMAGE" nvidia-smi
	is "$status $stderr" '9 '
}

@test "stubs: a driver in /usr/lib64, one below --driver-root, none" {
	bash "$HELPERS/stub-driver.sh" "$T/rhel" 550.163.01 rhel
	mkdir -p "$T"/empty/{usr,etc}
	on -d "$T/rhel" -- --gpus device=0 "$IMAGE" probe cuda nvml
	is "$status $output" $'0 cuInit 100, driver 12040\nnvmlInit 9'
	on -d "$T/empty" -- --driver-root "$T/rhel" --gpus device=0 "$IMAGE" probe cuda nvml
	is "$status $output" $'0 cuInit 100, driver 12040\nnvmlInit 9'
	on -d "$T/empty" -- --gpus device=0 "$IMAGE" true
	is "$status" 125
	one_message
	says 'libcuda'
	hints 'driver-root'
	on -d "$T/empty" -- "$IMAGE" hello-gpu /dev/nvidia0
	is "$status $output" '0 /dev/nvidia0 ENOENT'
	says 'libcuda' 'no GPU'
}

@test "real: cudaGetDeviceCount 35, then 100; nvidia-smi 12, then 9; glibc 2.31, 2.36, 2.41" {
	local series suite
	for series in 550:12040 535:12020; do
		real ${series%:*}
	done
	for suite in bullseye bookworm trixie; do
		glibc $suite
		on_user -- --gpus none "$GLIBC" probe cudart
		is "$output" 'cudaGetDeviceCount 35, driver 0'
		on_user -- --gpus none "$GLIBC" its-smi
		is "$status" 12
		for series in 550:12040 535:12020; do
			real ${series%:*}
			on -d "$REAL" -v "$VERSION" -- --gpus device=0 "$GLIBC" probe cudart
			is "$status $output $stderr" "0 cudaGetDeviceCount 100, driver ${series#*:} "
			on_user -d "$REAL" -v "$VERSION" -- --gpus device=0 --read-only "$GLIBC" nvidia-smi
			is "$status" 9
		done
	done
}

@test "real: the oldest C library, read-only and owned by somebody else" {
	real 550
	real 535
	glibc bullseye
	on -d "$FILE_DIR/real-550" -- --gpus device=0 --read-only "$GLIBC" probe cudart
	is "$output" 'cudaGetDeviceCount 100, driver 12040'
	on_user -d "$FILE_DIR/real-550" -- --gpus device=0 "dir:$FILE_DIR/bullseye" probe cudart
	is "$output" 'cudaGetDeviceCount 100, driver 12040'
}

@test "a root that cannot be written: --read-only" {
	on -- --gpus device=0 --read-only "$IMAGE" probe cuda nvml
	is "$status $output $stderr" $'0 cuInit 100, driver 12040\nnvmlInit 9 '
}

@test "a root that cannot be written: a shared store, with an ld.so.cache and without" {
	cp -R "$FILE_DIR/root" "$T/root"
	echo /opt > "$T/root/etc/ld.so.conf" 2> /dev/null || mkdir "$T/root/etc"
	ldconfig -r "$T/root" 2> /dev/null
	image "$T/root" "$T/cached.tar"
	(umask 022 && GPURUN_STORE=$T/site "$GPURUN" -q "$IMAGE" true &&
		GPURUN_STORE=$T/site "$GPURUN" -q "$T/cached.tar" true)
	chmod -R a+rX "$T/site"
	export GPURUN_STORE_RO=$T/site
	on_user -- --gpus device=0 "$IMAGE" probe cuda nvml
	is "$status $output $stderr" $'0 cuInit 100, driver 12040\nnvmlInit 9 '
	on_user -- --gpus device=0 "$T/cached.tar" probe cuda nvml
	is "$status $output $stderr" $'0 cuInit 100, driver 12040\nnvmlInit 9 '
	[ ! -e "$T/user/store/v1/layers" ] || is "$(ls "$T/user/store/v1/layers")" ''
}

@test "musl: one warning, no library, the nodes are there" {
	mkdir -p "$T/musl/"{bin,lib}
	cp "$FILE_DIR/root/bin/hello-gpu" "$T/musl/bin/"
	stub "$T/musl/lib/ld-musl-$(uname -m).so.1" libc.musl.so.1 <<< 'int stub;'
	image "$T/musl" "$T/musl.tar"
	on -- --gpus device=0 "$T/musl.tar" hello-gpu /dev/nvidia2
	is "$status $output" '0 /dev/nvidia2 ENXIO'
	one_message
	says 'musl.*glibc'
	on_root -- --dry-run --gpus device=0 "$T/musl.tar" hello-gpu
	hasnt "$output" 'libcuda|nvidia-smi'
}

@test "an image that brings a libnvidia-ml: the host's is found; its own ld.so.cache stays as it was" {
	local libs
	cp -R "$FILE_DIR/root" "$T/root"
	libs=$(libraries "$T/root")
	stub "$libs/libnvidia-ml.so.1" libnvidia-ml.so.1 <<< 'int nvmlInit_v2(void) { return 42; }'
	stub "$T/root/opt/its/libother.so.1" libother.so.1 <<< 'int stub;'
	mkdir -p "$T/root/etc"
	printf '%s\n' 'include /etc/ld.so.conf.d/*.conf' /opt/its "${libs#"$T/root"}" > "$T/root/etc/ld.so.conf"
	ldconfig -r "$T/root"
	cp "$(command -v ldconfig)" "$T/root/bin/"
	image "$T/root" "$T/own.tar"
	on -- --gpus none "$T/own.tar" probe nvml libother.so.1
	is "$output" $'nvmlInit 42\nlibother.so.1 /opt/its/libother.so.1'
	on -- --gpus device=0 "$T/own.tar" probe nvml libother.so.1
	is "$status $output $stderr" $'0 nvmlInit 9\nlibother.so.1 /opt/its/libother.so.1 '
	on -- --gpus device=0 --read-only "$T/own.tar" probe nvml libother.so.1
	is "$status $output $stderr" $'0 nvmlInit 9\nlibother.so.1 /opt/its/libother.so.1 '
	# as every "apt install" does
	on -- --gpus device=0 "$T/own.tar" sh -c 'ldconfig && probe nvml libother.so.1'
	is "$status $output $stderr" $'0 nvmlInit 9\nlibother.so.1 /opt/its/libother.so.1 '
	find "$GPURUN_STORE" "$T/user/store" -path '*/opt/its/*' -prune -o -name ld.so.cache -print > "$T/caches"
	[ "$(wc -l < "$T/caches")" -ge 2 ]
	while read -r f; do cmp "$f" "$T/root/etc/ld.so.cache"; done < "$T/caches"
}

@test "libraries for better processors: found with a GPU as without one, but not before the driver's" {
	local dir its=/opt/its hwcaps=/opt/its/glibc-hwcaps/x86-64-v2
	grep -qw sse4_2 /proc/cpuinfo || skip 'no x86-64-v2 processor'
	cp -R "$FILE_DIR/root" "$T/root"
	for dir in $its $hwcaps; do
		stub "$T/root$dir/libnvidia-ml.so.1" libnvidia-ml.so.1 <<< 'int nvmlInit_v2(void) { return 42; }'
		stub "$T/root$dir/libother.so.1" libother.so.1 <<< 'int stub;'
	done
	mkdir -p "$T/root/etc"
	printf '%s\n' $its "$(libraries "$FILE_DIR/root" | sed "s|^$FILE_DIR/root||")" > "$T/root/etc/ld.so.conf"
	ldconfig -r "$T/root"
	image "$T/root" "$T/better.tar"
	on -- --gpus none "$T/better.tar" probe nvml libother.so.1
	is "$output" "nvmlInit 42"$'\n'"libother.so.1 $hwcaps/libother.so.1"
	on -- --gpus device=0 "$T/better.tar" probe nvml libother.so.1
	is "$status $output $stderr" "0 nvmlInit 9"$'\n'"libother.so.1 $hwcaps/libother.so.1 "
}

@test "--keep: what is kept works without GPUs, and with another driver" {
	bash "$HELPERS/stub-driver.sh" "$T/newer" 560.28.03 rhel
	on -- --keep work --gpus device=0 "$IMAGE" probe cuda
	is "$status $output $stderr" '0 cuInit 100, driver 12040 '
	on -- --keep work --gpus none "$IMAGE" probe cuda
	is "$status $output $stderr" '0 libcuda.so.1: missing '
	on -d "$T/newer" -v 560.28.03 -- --keep work --gpus device=0 "$IMAGE" probe cuda libcuda.so
	is "$status $stderr" '0 '
	is "$output" $'cuInit 100, driver 12060\nlibcuda.so /.gpurun/lib64/libcuda.so.560.28.03'
}

@test "the fast path maps no library of the driver; NVML does" {
	need strace
	traced() {
		try_command machine -- strace -E ASAN_OPTIONS=detect_leaks=0 -f -y -e trace=mmap,execve -o "$T/trace" "$GPURUN" "$@"
	}
	traced -q --gpus device=0 "$IMAGE" hello-gpu /dev/nvidia2
	is "$status $output" '0 /dev/nvidia2 ENXIO'
	hasnt "$(cat "$T/trace")" 'PROT_EXEC.*(libcuda|nvidia)|execve\("[^"]*nvidia'
	traced gpus
	has "$(cat "$T/trace")" 'PROT_EXEC.*libnvidia-ml'
}

@test "nor is one mapped in the launcher while the command runs" {
	cat > "$T/look" <<- 'END'
		coproc "$@"
		read -r line <&"${COPROC[0]}"
		cat "/proc/$COPROC_PID/maps"
		echo >&"${COPROC[1]}"
		wait
	END
	try_command machine -- bash "$T/look" "$GPURUN" -q --gpus device=0 "$IMAGE" sh -c 'echo ready; read line'
	has "$output" "$(basename "$GPURUN")"
	hasnt "$output" 'libcuda|nvidia|libarchive|json'
}

# ---- what fits together ----------------------------------------------------------------------

@test "a driver that was updated half: an error for --gpus 0, a warning and no GPU for auto" {
	on -v 550.54.14 -- --gpus device=0 "$IMAGE" true
	is "$status" 125
	one_message
	says '550\.54\.14.*550\.163\.01'
	hints 'reboot'
	on -v 555.42.02 -- --gpus device=0 "$IMAGE" true
	is "$status" 125
	one_message
	says '555\.42\.02.*550\.163\.01'
	hints 'install.*--driver-root'
	on -v 555.42.02 -- "$IMAGE" hello-gpu /dev/nvidia0 /dev/nvidiactl
	is "$status $output" $'0 /dev/nvidia0 ENOENT\n/dev/nvidiactl ENOENT'
	one_message
	says '555\.42\.02.*550\.163\.01.*no GPU'
}

@test "NVIDIA_REQUIRE_CUDA that is not met: 125, --no-require starts, auto warns" {
	image "$FILE_DIR/root" "$T/newer.tar" --env 'NVIDIA_REQUIRE_CUDA=cuda>=13.0 driver>=580'
	on -- --gpus device=0 "$T/newer.tar" true
	is "$status" 125
	one_message
	says 'cuda>=13\.0' '12\.4'
	on -- --no-require --gpus device=0 "$T/newer.tar" probe cuda
	is "$status $output $stderr" '0 cuInit 100, driver 12040 '
	on -- -e NVIDIA_DISABLE_REQUIRE=true --gpus device=0 "$T/newer.tar" true
	is "$status $stderr" '0 '
	on -- "$T/newer.tar" true
	is "$status" 0
	one_message
	image "$FILE_DIR/root" "$T/older.tar" --env 'NVIDIA_REQUIRE_CUDA=cuda>=12.4'
	on -- --gpus device=0 "$T/older.tar" true
	is "$status $stderr" '0 '
}

# compat_image DRIVERS - with libcuda 560.28.03 in cuda/compat, its note naming these branches
compat_image() {
	local root=$T/compat$1 lib=usr/local/cuda/compat/libcuda.so.560.28.03
	cp -R "$FILE_DIR/root" "$root"
	mkdir -p "$root/$(dirname $lib)"
	cat > "$T/compat.c" <<- 'END'
		int cuInit(unsigned int flags) { return 100; }
		int cuDriverGetVersion(int *v) { *v = 12060; return 0; }
		#ifdef DRIVERS
		__asm__(".section .note.cuda.fwd_compatibility,\"a\",%note\n"
			".long 19, 2f - 1f, 1\n.asciz \"NVIDIA Corporation\"\n.balign 4\n"
			"1: .ascii \"{\\\"format\\\":1,\\\"CUDA version\\\":\\\"12.6\\\",\\\"driver\\\":[" DRIVERS "]}\"\n"
			"2: .balign 4\n.previous");
		#endif
	END
	${CC:-cc} -w -shared -fPIC -nostdlib -Wl,-soname,libcuda.so.1 ${1:+-DDRIVERS="\"$1\""} \
		-o "$root/$lib" "$T/compat.c"
	ln -s "${lib##*/}" "$root/$(dirname $lib)/libcuda.so.1"
	COMPAT=$T/compat$1.tar
	image "$root" "$COMPAT"
}

@test "forward compatibility: by the branch of the driver, by the note, by --cuda-compat" {
	local its='cuInit 100, driver 12060' ours='cuInit 100, driver 12040'
	compat_image ''
	on -- --gpus device=0 "$COMPAT" probe cuda libcuda.so libcuda.so.1
	is "$status $stderr" '0 '
	is "$output" "$its
libcuda.so /usr/local/cuda/compat/libcuda.so.560.28.03
libcuda.so.1 /usr/local/cuda/compat/libcuda.so.560.28.03"
	on_user -- --gpus device=0 --cuda-compat never "$COMPAT" probe cuda
	is "$output" "$ours"
	on_user -- --gpus none "$COMPAT" probe cuda
	is "$output" 'libcuda.so.1: missing'
	compat_image 535,550,555
	on_user -- --gpus device=0 "$COMPAT" probe cuda
	is "$output" "$its"
	compat_image 535
	on_user -- --gpus device=0 "$COMPAT" probe cuda
	is "$output" "$ours"
	on_user -- --gpus device=0 --cuda-compat always "$COMPAT" probe cuda
	is "$output" "$its"
}

# ---- nodes -----------------------------------------------------------------------------------

@test "the open errno oracle: the chosen GPU ENXIO, the others ENOENT, never EACCES" {
	nodes=(/dev/nvidia{0,1,2,ctl,-uvm,-uvm-tools,-modeset} /dev/nvidia-caps/nvidia-cap{1,2})
	on -- --gpus device=1 "$IMAGE" hello-gpu "${nodes[@]}"
	is "$(sed 's,.* ,,' <<< "$output" | tr '\n' ' ')" \
		'ENOENT ENXIO ENOENT ENXIO ENXIO ENXIO ENOENT ENOENT ENOENT '
	on -- --gpus none "$IMAGE" hello-gpu "${nodes[@]}"
	is "$(sed 's,.* ,,' <<< "$output" | sort -u)" ENOENT
}

@test "/proc/driver/nvidia: the chosen GPU only, and nobody is to make device nodes" {
	on -- --gpus device=1 "$IMAGE" sh -c 'cd /proc/driver/nvidia && find . -type f && cat params &&
		grep -h Minor gpus/*/information'
	is "$status" 0
	is "$(grep '^\./' <<< "$output" | sort)" './gpus/0000:5b:00.0/information
./params
./registry
./version'
	has "$output" '^ModifyDeviceFiles: 0$'
	has "$output" 'Device Minor:.*1$'
	on -- --gpus device=1 "$IMAGE" sh -c ': > /proc/driver/nvidia/params'
	[ "$status" != 0 ]
}

@test "GPUs in MIG mode: the nodes and files of its instances, not those that manage" {
	on -M -- --gpus device=0 "$IMAGE" sh -c 'cd /dev/nvidia-caps && ls; cd /proc/driver/nvidia && find capabilities -type f'
	is "$(LC_ALL=C sort <<< "$output")" 'capabilities/gpu2/mig/gi1/access
capabilities/gpu2/mig/gi1/ci0/access
capabilities/gpu2/mig/gi2/access
capabilities/gpu2/mig/gi2/ci0/access
nvidia-cap282
nvidia-cap283
nvidia-cap291
nvidia-cap292'
	on -M -- --gpus device=1 "$IMAGE" find /dev/nvidia-caps /proc/driver/nvidia/capabilities
	is "$output" ''
}

@test "one MIG device: the nodes of its instances; NVML says which it is" {
	local nvml
	cp -a "$STUB" "$T/driver"
	nvml=$(echo "$T"/driver/usr/lib/*/nvidia/current/libnvidia-ml.so.550.163.01)
	${CC:-cc} -w -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o "$nvml" "$HELPERS/fake-nvml.c"
	printf '%s\n' 'gpus 3' 'mig 0' > "$nvml.conf"
	on -d "$T/driver" -M -- --gpus 0:1 "$IMAGE" sh -c 'ls /dev/nvidia-caps; hello-gpu /dev/nvidia0 /dev/nvidia2
		cd /proc/driver/nvidia && find capabilities gpus -type f'
	is "$status $stderr" '0 '
	is "$(LC_ALL=C sort <<< "$output")" '/dev/nvidia0 ENOENT
/dev/nvidia2 ENXIO
capabilities/gpu2/mig/gi2/access
capabilities/gpu2/mig/gi2/ci0/access
gpus/0000:3b:00.0/information
nvidia-cap291
nvidia-cap292'
	on -M -- --gpus 0:1 "$IMAGE" true
	is "$status" 125
	one_message
}

@test "graphics: modeset, /dev/dri of the chosen GPU, the files of EGL, Vulkan and OpenCL" {
	on -r -- --gpus device=0 --gpu-caps graphics,compute,utility "$IMAGE" sh -c 'ls /dev/dri
		readlink /dev/dri/by-path/pci-0000:3b:00.0-card
		cat /usr/share/glvnd/egl_vendor.d/10_nvidia.json /etc/vulkan/icd.d/nvidia_icd.json
		cat /etc/OpenCL/vendors/nvidia.icd /etc/nvidia/nvidia-application-profiles-rc.d/*
		probe libEGL_nvidia.so.0 libnvidia-glcore.so.550.163.01 libGLX_indirect.so.0
		hello-gpu /dev/nvidia-modeset'
	is "$status $stderr" '0 '
	has "$output" 'libEGL_nvidia.so.0"'
	has "$output" 'libnvidia-opencl.so.1$'
	has "$output" '"EGLVisibleDGPUDevices",0x4'
	has "$output" '^libEGL_nvidia.so.0 /.gpurun/lib64/libEGL_nvidia.so.550.163.01$'
	has "$output" '^libGLX_indirect.so.0 /.gpurun/lib64/libGLX_nvidia.so.550.163.01$'
	has "$output" '^/dev/nvidia-modeset ENXIO$'
	is "$(grep -E '^(card|renderD|by-path|\.\./)' <<< "$output" | tr '\n' ' ')" \
		'by-path card2 renderD130 ../card2 '
	on -r -- --gpus device=0 "$IMAGE" find /dev/dri /usr/share/glvnd /dev/nvidia-modeset
	is "$output" ''
}

@test "what the image says grants nothing: NVIDIA_VISIBLE_DEVICES=all" {
	image "$FILE_DIR/root" "$T/all.tar" --env NVIDIA_VISIBLE_DEVICES=all \
		--env NVIDIA_DRIVER_CAPABILITIES=all
	on -r -- --gpus none "$T/all.tar" hello-gpu /dev/nvidia{0,1,2,ctl,-uvm,-modeset} /dev/dri/card0
	is "$(sed 's,.* ,,' <<< "$output" | sort -u)" ENOENT
	on -r -- --gpus device=1 "$T/all.tar" sh -c 'hello-gpu /dev/nvidia0 /dev/nvidia-modeset; echo $NVIDIA_VISIBLE_DEVICES'
	is "$output" $'/dev/nvidia0 ENOENT\n/dev/nvidia-modeset ENOENT\nvoid'
}

# ---- /dev/nvidia-uvm ---------------------------------------------------------------------------

@test "/dev/nvidia-uvm is missing: the host's nvidia-modprobe makes it, and learns nothing of ours" {
	export EVIL=1 LD_PRELOAD_SAID=no NVIDIA_VISIBLE_DEVICES=all
	cat > "$T/try" <<- 'END'
		"$@" || exit
		cat /run/machine/modprobe
	END
	chmod 755 "$T/tmp"
	for as in machine 'user_machine -u 20001'; do
		try_command ${as% -*} -x nvidia-uvm -x nvidia-uvm-tools ${as#*machine} -- \
			bash "$T/try" "$GPURUN" -q --gpus device=0 "$IMAGE" hello-gpu /dev/nvidia-uvm /dev/nvidia-uvm-tools
		is "$status $stderr" '0 '
		is "$output" '/dev/nvidia-uvm ENXIO
/dev/nvidia-uvm-tools ENXIO
cwd /
arg -c
arg 0
arg -u
env PATH=/usr/sbin:/usr/bin:/sbin:/bin
env LC_ALL=C'
	done
}

@test "/dev/nvidia-uvm is missing and cannot be made: the command to do it, as an error or a warning" {
	cp -a "$STUB" "$T/plain"
	rm "$T/plain/usr/bin/nvidia-modprobe"
	on -d "$T/plain" -x nvidia-uvm -- --gpus device=0 "$IMAGE" true
	is "$status" 125
	one_message
	says '/dev/nvidia-uvm'
	hints 'sudo nvidia-modprobe -c ?0 -u'
	on -d "$T/plain" -x nvidia-uvm -- "$IMAGE" hello-gpu /dev/nvidia2
	is "$status $output" '0 /dev/nvidia2 ENXIO'
	one_message
	says 'nvidia-modprobe -c ?0 -u'
	on -d "$T/plain" -x nvidia-uvm -- --gpus device=0 --gpu-caps utility "$IMAGE" hello-gpu /dev/nvidia2
	is "$status $output $stderr" '0 /dev/nvidia2 ENXIO '
}

@test "--dry-run makes nothing" {
	try_command machine -x nvidia-uvm -- bash -c '"$@"; ls /run/machine/modprobe' - \
		"$GPURUN" -q --dry-run --gpus device=0 "$IMAGE" true
	has "$stderr" 'nvidia-uvm'
	has "$stderr" 'modprobe.*No such file'
}
