#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# mpi-image.sh - make images with the MPI libraries of Debian bookworm, once; prints their directory.
#
#	openmpi.tar   Open MPI (PMIx) with a C library, busybox and mpi-test
#	mpich.tar     MPICH (PMI) with the same
#	openmpi/      what a machine has where Open MPI is installed: usr/ and etc/, no C library
#	openmpi/usr/bin/mpi-test    the same program for it
#
# Nothing in them speaks to a network card: the plugins and libraries for those are left out.
# Exit status 77 and a reason: they cannot be had here.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
build=${BUILD:-build}
[[ $build == /* ]] || build=$repo/$build
dir=${GPURUN_TEST_CACHE:-$build/cache}/mpi
lib=usr/lib/x86_64-linux-gnu
umask 022

common='libhwloc15 libudev1 zlib1g libgcc-s1'
openmpi="libopenmpi3 openmpi-bin openmpi-common libpmix2 libmunge2 libevent-core-2.1-7
	libevent-pthreads-2.1-7 libnl-3-200 libnl-route-3-200 $common"
mpich="libmpich12 mpich libslurm38 libgfortran5 libquadmath0 libstdc++6 libucx0 libnuma1 libibverbs1
	librdmacm1 libnl-3-200 libnl-route-3-200 $common"

# unpack DIR [TAR-OPTION...] -- PACKAGE...
unpack() {
	local root=$1 options=() deb p
	shift
	while [ "$1" != -- ]; do
		options+=("$1")
		shift
	done
	shift
	mkdir -p "$root"/usr/{bin,lib,lib64,sbin}
	for p in bin lib lib64 sbin; do
		[ -e "$root/$p" ] || ln -s "usr/$p" "$root/$p"
	done
	for p; do
		deb=$(bash "$here/debs.sh" bookworm main "$p")
		dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$root" --keep-directory-symlink --no-same-owner \
			--exclude='./usr/share/doc*' --exclude='./usr/share/man*' "${options[@]}"
	done
}

# compile ROOT INCLUDE LIBRARY - mpi-test, against the library in ROOT
compile() {
	${CC:-cc} -std=gnu17 -O2 -Wall -I"$1/$2" -o "$1/usr/bin/mpi-test" "$here/mpi-test.c" \
		"$1/$lib/$3" -Wl,--allow-shlib-undefined
}

# image NAME - of the root NAME
image() {
	cp "$(command -v busybox)" "$1/usr/bin/busybox"
	local n
	for n in sh cat true env; do
		ln -sf busybox "$1/usr/bin/$n"
	done
	mkdir -p "$1/tmp"
	unpack "$1" --exclude='*/gconv' --exclude='*/audit' -- libc6
	sh "$repo/images/mkimage.sh" "$1" --docker --env PATH=/usr/bin --cmd sh --tag "$1:test" "$1.tar"
}

# The headers stay outside of the images.
build() {
	local p
	cd "$1"
	unpack openmpi -- $openmpi
	unpack headers-openmpi -- libopenmpi-dev
	for p in psm psm2 ofi ucx openib; do
		rm -f openmpi/$lib/openmpi/lib/openmpi3/mca_*_$p.so
	done
	rm -rf openmpi/$lib/{vtable,debug}
	ln -sf orterun openmpi/usr/bin/mpirun
	cp -r "headers-openmpi/$lib/openmpi/include" openmpi/include
	compile openmpi include libmpi.so.40
	rm -rf openmpi/include headers-openmpi
	cp -a openmpi host
	image openmpi
	rm -rf openmpi
	mv host openmpi

	unpack mpich -- $mpich
	unpack headers-mpich --wildcards './usr/include/*' -- libmpich-dev
	cp -r headers-mpich/usr/include/x86_64-linux-gnu/mpich mpich/include
	compile mpich include libmpich.so.12
	rm -rf mpich/include headers-mpich
	image mpich
	rm -rf mpich
}

if [ ! -e "$dir/.done" ] || [ "$here/mpi-test.c" -nt "$dir/.done" ] || [ "$0" -nt "$dir/.done" ]; then
	for p in $openmpi $mpich libopenmpi-dev libmpich-dev libc6; do
		echo "$p"
	done | sort -u | xargs bash "$here/debs.sh" bookworm main > /dev/null
	exec 9> "$dir.lock"
	flock 9
	rm -rf "$dir.new" "$dir"
	mkdir "$dir.new"
	(build "$dir.new") >&2
	touch "$dir.new/.done"
	mv "$dir.new" "$dir"
fi
echo "$dir"
