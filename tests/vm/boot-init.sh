#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The first process of the virtual machine: what a system lays out, then the smoke test.
export PATH=/bin:/usr/bin:/usr/local/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p /dev/pts /dev/shm /dev/mqueue
mount -t devpts -o ptmxmode=0666,mode=620 devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t mqueue mqueue /dev/mqueue
mount -t tmpfs -o mode=755 run /run
mkdir -p /run/user/1000 /home/user
chmod 700 /run/user/1000 /home/user
chown 1000:1000 /run/user/1000 /home/user
[ ! -e /proc/sys/kernel/unprivileged_userns_clone ] || echo 1 > /proc/sys/kernel/unprivileged_userns_clone
chmod 666 /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty /dev/ptmx
hostname vm
# what root's device filter lets through: for smoke.sh
mkdir -m 700 /run/root
mknod -m 666 /run/gpu0 c 195 77
mknod -m 666 /run/gpu1 c 195 78
HOME=/run/root XDG_RUNTIME_DIR=/run/root GPURUN_STORE=/run/root/store gpurun -q -v /run:/mnt \
	--device /run/gpu0:/dev/gpu0 /images/busybox.tar hello-gpu /dev/gpu0 /mnt/gpu0 /mnt/gpu1 > /run/filter 2>&1
ls -d /sys/fs/cgroup/gpurun-* >> /run/filter 2> /dev/null
su user -c 'XDG_RUNTIME_DIR=/run/user/1000 sh /smoke.sh' < /dev/null 2>&1 | sed 's/^/@@ /'
sync
poweroff -f
