#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# alternatives.sh DIR - make the links that Debian's nvidia-alternative makes once its packages are
# unpacked into DIR, and DIR/etc/ld.so.cache.  Everything below nvidia/current is reached through
# absolute links over /etc/alternatives, which mean something else outside DIR.
set -eu
cd "$1"
libs=$(echo usr/lib/*/nvidia/current) # usr/lib/x86_64-linux-gnu/nvidia/current
[ -d "$libs" ]
libs=${libs%/nvidia/current}
triplet=${libs##*/}

# alternative LINK NAME TARGET - /LINK -> /etc/alternatives/NAME -> /TARGET, where TARGET is
alternative() {
	[ -e "$3" ] || [ -L "$3" ] || return 0
	mkdir -p "$(dirname "$1")" etc/alternatives
	ln -sfn "/etc/alternatives/$2" "$1"
	ln -sfn "/$3" "etc/alternatives/$2"
}

library() {
	alternative "$libs/$1${1:+/}$2" "nvidia--$2-$triplet" "$libs/nvidia/current/$2"
}

mkdir -p usr/lib/nvidia/current
alternative usr/lib/nvidia/nvidia nvidia usr/lib/nvidia/current
for f in "$libs"/nvidia/current/*.so*; do
	f=${f##*/}
	case $f in
	libvdpau_nvidia.so.1) library vdpau $f ;;
	nvidia-drm_gbm.so) library gbm $f ;;
	libnvidia-cfg.so.1) library nvidia $f ;;
	libnvidia-nvvm.so.* | libcuda.so | libnvcuvid.so) library '' $f ;;
	*.so | *.so.*.*) ;; # only in nvidia/current
	*) library '' $f ;;
	esac
done
alternative usr/share/nvidia/nvoptix.bin nvidia--nvoptix.bin "$libs/nvidia/current/nvoptix.bin"
for f in nvidia-smi nvidia-debugdump; do
	alternative usr/bin/$f nvidia--$f usr/lib/nvidia/current/$f
done

echo "/$libs" > etc/ld.so.conf
PATH=$PATH:/usr/sbin:/sbin ldconfig -r . 2> /dev/null
