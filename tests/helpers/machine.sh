#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# machine.sh [OPTION]... -- COMMAND... - run COMMAND on what looks like a machine with NVIDIA GPUs:
# a private mount namespace with
#	/dev                 the base nodes and nvidia*; no driver is behind them, so that open says
#	                     ENXIO where it is allowed
#	/proc/driver/nvidia  what the driver would say, and /proc/devices
#	/sys/bus/pci         the GPUs
# GPU number I by PCI address has the device minor N-1-I: whoever mixes them up is found out.
#	-g N       so many GPUs (default 3)
#	-m MODE    of /dev/nvidiaN (default 666)
#	-v VERSION of the kernel module (default 550.163.01)
#	-d ROOT    the driver's files of ROOT are laid over /usr and /etc, ld.so.cache is made anew
#	-M         GPU 0 is in MIG mode and has the instances gi1/ci0 and gi2/ci0
#	-r         the GPUs have nodes in /dev/dri
#	-x NODE    /dev/NODE is missing (nvidia-uvm, nvidiactl; repeatable)
#	-u UID     COMMAND runs as an ordinary user
# Needs root.  Nothing outside changes.
set -eu
gpus=3 mode=666 version=550.163.01 without=' '
root='' mig='' dri='' uid=''
self=("$@")
while getopts g:m:v:d:Mrx:u: o; do
	case $o in
	g) gpus=$OPTARG ;;
	m) mode=$OPTARG ;;
	v) version=$OPTARG ;;
	d) root=$OPTARG ;;
	M) mig=1 ;;
	r) dri=1 ;;
	x) without+="$OPTARG " ;;
	u) uid=$OPTARG ;;
	*) exit 2 ;;
	esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { sed -n '3,18s/^# \{0,1\}//p' "$0" >&2; exit 2; }
if [ -z "${MACHINE_INSIDE-}" ]; then
	MACHINE_INSIDE=1 exec unshare --mount --propagation private bash "$0" "${self[@]}"
fi
unset MACHINE_INSIDE

# A second procfs and sysfs, whole, stay mounted: the kernel gives a user namespace a fresh one only
# where it can see one that nothing is mounted over.
dir=/run/machine
mkdir -p $dir
mount -t tmpfs -o mode=755 machine $dir
mkdir $dir/{proc,sys,dev,driver,pci}
mount -t proc proc $dir/proc
mount -t sysfs -o ro sysfs $dir/sys

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

# node MODE NAME MAJOR MINOR
node() {
	[[ $without != *" $2 "* ]] || return 0
	mkdir -p "$(dirname "$dir/dev/$2")"
	mknod -m "$1" "$dir/dev/$2" c "$3" "$4"
}

gpu_nodes() {
	local i
	for ((i = 0; i < gpus; i++)); do
		node "$mode" nvidia$i 195 $i
		[ -z "$dri" ] || node 666 dri/card$i 226 $i
		[ -z "$dri" ] || node 666 dri/renderD$((128 + i)) 226 $((128 + i))
	done
	node 666 nvidiactl 195 255
	node 666 nvidia-modeset 195 254
	node 666 nvidia-uvm 511 0
	node 666 nvidia-uvm-tools 511 1
	node 400 nvidia-caps/nvidia-cap1 236 1
	node 444 nvidia-caps/nvidia-cap2 236 2
}

# a bus for each, and another device on those for the ninth and the next
address() {
	printf '0000:%02x:%02x.0' $(((0x3b + 0x20 * $1) & 0xff)) $(($1 / 8))
}

driver_files() {
	local i d=$dir/driver/nvidia bdf
	mkdir -p $d/gpus $dir/driver/nvidia-caps
	cat > $d/version <<- END
		NVRM version: NVIDIA UNIX x86_64 Kernel Module  $version  Tue Apr  8 12:41:17 UTC 2025
		GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)
	END
	printf '%s\n' 'ModifyDeviceFiles: 1' 'DeviceFileUID: 0' 'DeviceFileGID: 0' \
		'DeviceFileMode: 438' 'RegistryDwords: ""' > $d/params
	echo 'Binary: ""' > $d/registry
	for ((i = 0; i < gpus; i++)); do
		bdf=$(address $i)
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

# capability NAME MINOR MODE - one file below capabilities/, and its node
capability() {
	local f=$dir/driver/nvidia/capabilities/$1
	mkdir -p "$(dirname "$f")"
	printf 'DeviceFileMinor: %d\nDeviceFileMode: %d\nDeviceFileModify: 1\n' "$2" $((0$3)) > "$f"
	[ -e "$dir/dev/nvidia-caps/nvidia-cap$2" ] || node "$3" "nvidia-caps/nvidia-cap$2" 236 "$2"
}

# The numbers of the nodes run through all GPUs, GPU instances and compute instances that may be.
mig_files() {
	local gi minor=$((gpus - 1))
	awk 'BEGIN {
		n = 1
		print "config", n++ "\nmonitor", n++
		for (g = 0; g < 32; g++)
			for (gi = 0; gi < 15; gi++) {
				printf "gpu%d/gi%d/access %d\n", g, gi, n++
				for (ci = 0; ci < 8; ci++)
					printf "gpu%d/gi%d/ci%d/access %d\n", g, gi, ci, n++
			}
	}' > $dir/driver/nvidia-caps/mig-minors
	capability mig/config 1 400
	capability mig/monitor 2 444
	[ -n "$mig" ] || return 0
	for gi in 1 2; do
		capability gpu$minor/mig/gi$gi/access $((3 + minor * 135 + gi * 9)) 444
		capability gpu$minor/mig/gi$gi/ci0/access $((4 + minor * 135 + gi * 9)) 444
	done
}

pci_files() {
	local i d minor
	for ((i = 0; i < gpus; i++)); do
		d=$dir/pci/$(address $i) minor=$((gpus - 1 - i))
		mkdir $d
		echo 0x10de > $d/vendor
		echo 0x030200 > $d/class
		[ -z "$dri" ] || mkdir -p $d/drm/card$minor $d/drm/renderD$((128 + minor))
	done
}

lay_driver() {
	mkdir $dir/upper $dir/work
	mount -t overlay -o "ro,lowerdir=$root/usr:/usr" driver /usr
	mount -t overlay -o "lowerdir=$root/etc:/etc,upperdir=$dir/upper,workdir=$dir/work" driver /etc
	ldconfig
}

umask 022
base_nodes
gpu_nodes
driver_files
mig_files
pci_files
[ -z "$root" ] || lay_driver
mount -t tmpfs -o mode=555 driver /proc/driver
cp -R $dir/driver/. /proc/driver/
mount --bind $dir/devices /proc/devices
[ ! -d /sys/bus/pci/devices ] || mount --rbind $dir/pci /sys/bus/pci/devices
mount --rbind $dir/dev /dev
[ -z "$uid" ] || exec setpriv --reuid "$uid" --regid "$uid" --clear-groups "$@"
exec "$@"
