#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images that are in the way of GPUs.  With something else where the driver's programs and files
# belong: what has no place is left out, the rest works, and no link leads to what the user mounts.
# With an environment that asks for more than libraries, or at great length.
load common
load gpu

test_setup_file() {
	local f
	[ "$(id -u)" = 0 ] || return 0
	stub_driver
	mkdir -p "$FILE_DIR/root"/{bin,tmp,etc,usr/bin,data/bin}
	for f in $(ldd /bin/sh | grep -o '/[^ ]*'); do
		mkdir -p "$FILE_DIR/root$(dirname "$f")"
		cp -L "$f" "$FILE_DIR/root$f"
	done
	cp "$IMAGES/busybox/bin/busybox" "$FILE_DIR/root/bin/"
	ln -s busybox "$FILE_DIR/root/bin/sh"
	ldconfig -r "$FILE_DIR/root"
}

test_setup() {
	need_machine
	cp -r "$FILE_DIR/root" "$T/root"
	mkdir -p "$T/mine/bin"
	chown -R 20001 "$T/mine"
}

# starts - with all parts of the driver; its libcuda is there, the user's directory as it was
starts() {
	mkimage "$T/root" --tar "$T/image.tar"
	on -- -q --gpus 0 --gpu-caps all -v "$T/mine:/data" "$T/image.tar" \
		sh -c 'test -s /.gpurun/lib64/libcuda.so.1 && echo started'
	is "$status" 0
	is "$output" started
	is "$(cd "$T/mine" && find . | sort | tr '\n' ' ')" '. ./bin '
}

@test "a directory in the place of a program" {
	mkdir "$T/root/usr/bin/nvidia-smi"
	starts
}

@test "/usr/bin leads to what the user mounts, or nowhere" {
	rmdir "$T/root/usr/bin"
	ln -s /data/bin "$T/root/usr/bin"
	starts
	rm -r "$T/root/data/bin"
	starts
}

@test "files in the place of directories of /etc" {
	touch "$T/root/etc/nvidia" "$T/root/etc/vulkan" "$T/root/etc/OpenCL"
	rm -rf "$T/root/etc/ld.so.conf.d"
	touch "$T/root/etc/ld.so.conf.d"
	starts
}

@test "links that go in circles" {
	ln -s loop "$T/root/etc/nvidia"
	ln -s nvidia "$T/root/etc/loop"
	starts
}

@test "what must be there is an error: /.gpurun is a link, ld.so.cache a directory" {
	ln -s /data "$T/root/.gpurun"
	mkimage "$T/root" --tar "$T/link.tar"
	on -- -q --gpus 0 "$T/link.tar" sh -c true
	is "$status" 125
	one_message
	says '/\.gpurun .*is not a directory inside the image'
	rm "$T/root/.gpurun" "$T/root/etc/ld.so.cache"
	mkdir "$T/root/etc/ld.so.cache"
	mkimage "$T/root" --tar "$T/cache.tar"
	on -- -q --gpus 0 "$T/cache.tar" sh -c true
	is "$status" 125
	says '/etc/ld\.so\.cache .*Is a directory'
}

@test "graphics of the image are told in short, with what the command has already" {
	local words
	words=$(printf 'graphics,%.0s' {1..2000})video
	mkimage "$T/root" --docker --env PATH=/bin --env "NVIDIA_DRIVER_CAPABILITIES=$words" --tag long:1 "$T/long.tar"
	on -- --gpus 0 "$T/long.tar" sh -c '[ ! -e /dev/nvidia-modeset ]'
	is "$status" 0
	is "$stderr" 'gpurun: the image asks for compute,video,graphics; to give it: --gpu-caps compute,utility,video,graphics'
}
