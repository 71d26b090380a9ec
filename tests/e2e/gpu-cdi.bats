#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Devices by CDI name, on a machine that looks as if it had three GPUs: GPU 0 is /dev/nvidia2.
load common
load gpu

LIBS=/usr/lib/$(uname -m)-linux-gnu/nvidia/current
CDI=.config/cdi/gpu.yaml

# an image with this machine's C library and the probe
test_setup_file() {
	local f root=$FILE_DIR/root
	[ "$(id -u)" = 0 ] || return 0
	stub_driver
	export IMAGE=$FILE_DIR/image.tar
	mkdir -p "$root/bin"
	bash "$HELPERS/cc-any-glibc.sh" "$root/bin/probe" "$HELPERS/gpu-probe.c"
	for f in $(ldd "$root/bin/probe" | grep -o '/[^ ]*'); do
		mkdir -p "$root$(dirname "$f")"
		cp -L "$f" "$root$f"
	done
	cp "$IMAGES/busybox/bin/busybox" "$root/bin/"
	for f in sh cat ls grep readlink; do
		ln -s busybox "$root/bin/$f"
	done
	mkimage "$root" --docker --env PATH=/bin --cmd sh --tag cdi:1 "$IMAGE"
}

test_setup() {
	need_machine
	mkdir -m 755 "$T/vendor"
	echo 'of the vendor' > "$T/vendor/file"
	spec > "$T/spec"
	own < "$T/spec"
}

# own - the text on stdin is the CDI file of root and of the user
own() {
	local f
	for f in "$T/home" "$T/user/home"; do
		mkdir -p "$f/.config/cdi"
		cat "${1--}" > "$f/$CDI"
		set -- "$f/$CDI"
	done
	chmod 755 "$T" "$T/user"
	chown -R 20001 "$T/user/home"
}

spec() {
	cat <<- END
		cdiVersion: 0.5.0
		kind: nvidia.com/gpu
		devices:
		    - name: "0"
		      containerEdits:
		        deviceNodes:
		            - {path: /dev/nvidia2, major: 195, minor: 2, fileMode: 438, permissions: rwm}
		    - name: "1"
		      containerEdits: {deviceNodes: [{path: /dev/nvidia1}]}
		    - name: gone
		      containerEdits: {deviceNodes: [{path: /dev/nvidia7}]}
		    - name: hooked
		      containerEdits:
		        hooks: [{hookName: createRuntime, path: /opt/other/hook, args: [hook]}]
		containerEdits:
		    env: [NVIDIA_VISIBLE_DEVICES=void, FROM=file]
		    deviceNodes: [{path: /dev/nvidiactl, major: 195, minor: 255}, {path: /dev/nvidia-uvm, major: 1}]
		    mounts:
		        - hostPath: $LIBS/libcuda.so.550.163.01
		          containerPath: $LIBS/libcuda.so.550.163.01
		          options: [ro, nosuid, nodev, rbind, rprivate]
		        - hostPath: $T/vendor
		          containerPath: /opt/vendor
		          options: [ro, rbind]
		    hooks:
		        - hookName: createContainer
		          path: /usr/bin/nvidia-cdi-hook
		          args: [nvidia-cdi-hook, update-ldcache, --folder, $LIBS]
		        - hookName: createContainer
		          path: /usr/bin/nvidia-cdi-hook
		          args: [nvidia-cdi-hook, create-symlinks, --link, "libcuda.so.1::$LIBS/libcuda.so",
		                 --link, "file::/etc/vendor-link"]
	END
}

@test "a file of one's own: nodes, libraries, links, directories, environment" {
	on -- run --gpus nvidia.com/gpu=0 "$IMAGE" sh -c 'probe cuda libcuda.so; ls /dev/nvidia*
		cat /opt/vendor/file; readlink /etc/vendor-link; echo "$FROM $NVIDIA_VISIBLE_DEVICES"
		grep Modify /proc/driver/nvidia/params; ! (echo x > /opt/vendor/file) 2> /dev/null'
	is "$status" 0
	is "$output" "cuInit 100, driver 12040
libcuda.so /.gpurun/lib64/libcuda.so.550.163.01
/dev/nvidia-uvm
/dev/nvidia2
/dev/nvidiactl
of the vendor
file
file void
ModifyDeviceFiles: 0"
	is "$stderr" ''
}

@test "beside GPUs that were chosen otherwise" {
	on -- run --gpus 0 --device nvidia.com/gpu=1 "$IMAGE" sh -c 'probe cuda; ls /dev/nvidia?; echo $FROM'
	is "$output" "cuInit 100, driver 12040
/dev/nvidia1
/dev/nvidia2
file"
}

@test "the same from JSON" {
	echo '{"cdiVersion": "0.5.0", "kind": "v.com/c", "devices": [{"name": "x",
		"containerEdits": {"env": ["JSON=yes"]}}]}' > "$T/json"
	own < "$T/json"
	for f in "$T/home" "$T/user/home"; do
		mv "$f/$CDI" "$f/${CDI%.yaml}.json"
	done
	on -- run --device v.com/c=x "$IMAGE" sh -c 'echo $JSON'
	is "$output" yes
}

@test "a node that is not there any more" {
	on_user -- run --gpus nvidia.com/gpu=gone "$IMAGE" true
	is "$status" 125
	one_message
	says "nvidia.com/gpu=gone: /dev/nvidia7: node missing \($T/user/home/$CDI\)"
	hints 'stale.*nvidia-ctk cdi generate'
}

@test "a driver that is not that of the kernel module any more" {
	on_user -v 560.35.03 -- run --gpus nvidia.com/gpu=0 "$IMAGE" true
	is "$status" 125
	one_message
	says 'gpu.yaml is of driver 550.163.01, the kernel module is of 560.35.03'
}

@test "a name that is not there: those that are" {
	on_user -- run --gpus nvidia.com/gpu=9 "$IMAGE" true
	is "$status" 125
	one_message
	says 'nvidia.com/gpu=9: no CDI file has it; there are nvidia.com/gpu=0, nvidia.com/gpu=1, nvidia.com/gpu=gone, nvidia.com/gpu=hooked$'
	hints '--gpus 0 needs no CDI file'
}

@test "another maker's hook" {
	on_user -- run --gpus nvidia.com/gpu=hooked "$IMAGE" true
	is "$status" 125
	one_message
	says 'nvidia.com/gpu=hooked: its hook /opt/other/hook would have to run'
	hints 'never run'
}

# etc MODE OWNER - start with the file in /etc/cdi only
etc() {
	rm "$T/user/home/$CDI"
	try_command user_machine -- sh -c "mkdir -p /etc/cdi; cp '$T/spec' /etc/cdi/gpu.yaml
		chmod $1 /etc/cdi/gpu.yaml; chown $2 /etc/cdi/gpu.yaml
		exec setpriv --reuid 20001 --regid 20001 --clear-groups '$GPURUN' run --gpus nvidia.com/gpu=0 '$IMAGE' sh -c 'echo \$FROM'"
}

@test "/etc/cdi: root's file" {
	etc 644 0
	is "$output" file
}

@test "/etc/cdi: a file that others can write, or own" {
	etc 664 0
	is "$status" 125
	one_message
	says '/etc/cdi/gpu.yaml: not accepted: others than root can write it'
	own < "$T/spec"
	etc 644 20001
	is "$status" 125
	says '/etc/cdi/gpu.yaml: not accepted: it is not root.s'
}
