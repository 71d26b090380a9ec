#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# driver-root.sh 550|535 DIR [full] - lay NVIDIA's user-space driver of that series into DIR as
# Debian's packages install it, absolute links of update-alternatives included, and a libcudart
# for probes.  Without "full" only what they need: libcuda, libnvidia-ml, nvidia-smi (5 MB).
# Prints the driver's version.  Exit status 77 and a reason: it cannot be had here.
# The files are NVIDIA's: good for tests, never to be committed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 2 ] || { sed -n '3,7s/^# //p' "$0" >&2; exit 2; }
series=$1 dir=$2 extent=${3-small}

components=non-free names=(libcuda1 libnvidia-ml1 nvidia-smi)
if [ "$extent" = full ]; then
	components='main contrib non-free'
	names+=(libnvidia-cfg1 libnvidia-ptxjitcompiler1 libnvidia-nvvm4 libcudadebugger1
		libnvidia-allocator1 libnvidia-pkcs11-openssl3 nvidia-opencl-icd nvidia-opencl-common
		nvidia-cuda-mps nvidia-driver-bin nvidia-persistenced
		libnvcuvid1 libnvidia-encode1 libnvidia-opticalflow1 nvidia-vdpau-driver
		libegl-nvidia0 libglx-nvidia0 libgles-nvidia1 libgles-nvidia2 libnvidia-eglcore
		libnvidia-glcore libnvidia-glvkspirv libnvidia-rtcore libnvidia-fbc1 libnvidia-ngx1
		libnvidia-api1 libnvoptix1 libnvidia-egl-gbm1 libnvidia-egl-wayland1
		nvidia-vulkan-icd nvidia-vulkan-common nvidia-egl-icd nvidia-egl-common)
fi
case $series in
550)
	suite=trixie
	names+=(libcudart12)
	[ "$extent" != full ] || names+=(libnvidia-gpucomp)
	;;
535)
	suite=bookworm
	names+=(libcudart11.0)
	;;
*)
	echo "no such series: $series" >&2
	exit 2
	;;
esac

debs=$(bash "$here/debs.sh" $suite "$components" "${names[@]}")
mkdir -p "$dir/usr/lib"
ln -sfn usr/lib "$dir/lib"
while read -r deb; do
	dpkg-deb --fsys-tarfile "$deb" |
		tar -x -C "$dir" --keep-directory-symlink --no-same-owner --exclude './usr/share/doc' \
			--exclude './usr/share/bug' --exclude './usr/share/man' \
			--exclude './usr/share/lintian'
done <<< "$debs"
bash "$here/alternatives.sh" "$dir"
cd "$dir"
set -- usr/lib/*/nvidia/current/libcuda.so.[0-9]*.*
echo "${1##*/libcuda.so.}"
