#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# machine.sh [-g N] [-m MODE] [-u UID] -- COMMAND... - run COMMAND on what looks like a machine
# with N (default 3) NVIDIA GPUs: a private mount namespace with
#	/dev                 the base nodes and nvidia*, of MODE (default 666); no driver is behind
#	                     them, so that open says ENXIO where it is allowed
#	/proc/driver/nvidia  what the driver would say, and /proc/devices
# GPU number I by PCI address has the device minor N-1-I: whoever mixes them up is found out.
# Needs root; with -u COMMAND runs as an ordinary user.  Nothing outside changes.
set -eu
gpus=3 mode=666 uid=
while getopts g:m:u: o; do
	case $o in
	g) gpus=$OPTARG ;;
	m) mode=$OPTARG ;;
	u) uid=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n '3,10s/^# \{0,1\}//p' "$0"; exit 2; }
if [ -z "${MACHINE_INSIDE-}" ]; then
	MACHINE_INSIDE=1 exec unshare --mount --propagation private \
		bash "$0" -g "$gpus" -m "$mode" ${uid:+-u "$uid"} -- "$@"
fi
unset MACHINE_INSIDE
version=550.163.01

# A second procfs, whole, stays mounted: the kernel gives a user namespace a fresh one only
# where it can see one that nothing is mounted over.
dir=/run/machine
mkdir -p $dir
mount -t tmpfs -o mode=755 machine $dir
mkdir $dir/proc $dir/dev $dir/driver
mount -t proc proc $dir/proc

base_nodes() {
	local n
	for n in null zero full random urandom tty ptmx net/tun; do
		[ -e /dev/$n ] || continue
		mkdir -p "$(dirname $dir/dev/$n)"
		: > $dir/dev/$n
		mount --bind /dev/$n $dir/dev/$n
	done
	mkdir $dir/dev/pts $dir/dev/shm $dir/dev/mqueue
	mount --rbind /dev/pts $dir/dev/pts
	mount --rbind /dev/shm $dir/dev/shm
	[ ! -d /dev/mqueue ] || mount --rbind /dev/mqueue $dir/dev/mqueue
	ln -s /proc/self/fd $dir/dev/fd
	for n in 0:stdin 1:stdout 2:stderr; do
		ln -s fd/${n%:*} $dir/dev/${n#*:}
	done
}

gpu_nodes() {
	local i
	for ((i = 0; i < gpus; i++)); do
		mknod -m "$mode" $dir/dev/nvidia$i c 195 $i
	done
	mknod -m 666 $dir/dev/nvidiactl c 195 255
	mknod -m 666 $dir/dev/nvidia-modeset c 195 254
	mknod -m 666 $dir/dev/nvidia-uvm c 511 0
	mknod -m 666 $dir/dev/nvidia-uvm-tools c 511 1
	mkdir $dir/dev/nvidia-caps
	mknod -m 400 $dir/dev/nvidia-caps/nvidia-cap1 c 236 1
	mknod -m 444 $dir/dev/nvidia-caps/nvidia-cap2 c 236 2
}

driver_files() {
	local i d=$dir/driver/nvidia bdf
	mkdir -p $d/gpus
	cat > $d/version <<- END
		NVRM version: NVIDIA UNIX x86_64 Kernel Module  $version  Tue Apr  8 12:41:17 UTC 2025
		GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
	END
	printf 'ModifyDeviceFiles: 1\nDeviceFileUID: 0\nDeviceFileGID: 0\nDeviceFileMode: 438\n' > $d/params
	for ((i = 0; i < gpus; i++)); do
		bdf=$(printf '0000:%02x:00.0' $((0x3b + 0x20 * i)))
		mkdir $d/gpus/$bdf
		printf '%s\n' "Model: 		 NVIDIA A100-SXM4-40GB" "IRQ:   		 $((100 + i))" \
			"$(printf 'GPU UUID: 	 GPU-%08x-1111-2222-3333-444444444444' $((0xedfee150 + i)))" \
			"Video BIOS: 	 92.00.45.00.03" "Bus Type: 	 PCIe" "DMA Size: 	 47 bits" \
			"DMA Mask: 	 0x7fffffffffff" "Bus Location: 	 $bdf" \
			"Device Minor: 	 $((gpus - 1 - i))" "GPU Firmware: 	 $version" "GPU Excluded:	 No" \
			> $d/gpus/$bdf/information
	done
	sed '/^Block/,$d; /^ *\(195\|236\|511\) /d; /^$/d' /proc/devices > $dir/devices
	printf '195 nvidia\n195 nvidia-modeset\n195 nvidiactl\n236 nvidia-caps\n511 nvidia-uvm\n\nBlock devices:\n' >> $dir/devices
}

umask 022
base_nodes
gpu_nodes
driver_files
mount -t tmpfs -o mode=555 driver /proc/driver
cp -R $dir/driver/. /proc/driver/
mount --bind $dir/devices /proc/devices
mount --rbind $dir/dev /dev
[ -z "$uid" ] || exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
exec "$@"
