#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# stub-driver.sh DIR VERSION [debian|rhel] - make in DIR what looks like an installed driver: all
# names, links and files of one, the libraries compiled from a few lines.
#
#	debian   /usr/lib/TRIPLET/nvidia/current behind absolute links over /etc/alternatives
#	rhel     /usr/lib64
#
# libcuda's cuInit says 100 (no device) and its cuDriverGetVersion what a driver of VERSION says;
# libnvidia-ml's nvmlInit_v2 says 9 (driver not loaded); nvidia-smi exits with 12 when it finds no
# libnvidia-ml, else with what that says.  On request (of -M) nvidia-modprobe is there, too, setuid
# when root makes it: it notes how it was called in /run/machine/modprobe and makes /dev/nvidia-uvm.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
modprobe=
[ "${1-}" != -M ] || { modprobe=1 && shift; }
[ $# -ge 2 ] || { sed -n '3,12s/^# \{0,1\}//p' "$0" >&2; exit 2; }
dir=$1 version=$2 layout=${3-debian}
case $version in
535.*) cuda=12020 ;;
550.*) cuda=12040 ;;
560.*) cuda=12060 ;;
*) cuda=0 ;;
esac
case $layout in
debian)
	libs=usr/lib/$(uname -m)-linux-gnu
	own=$libs/nvidia/current bin=usr/lib/nvidia/current
	;;
rhel) libs=usr/lib64 own=$libs bin=usr/bin ;;
esac
mkdir -p "$dir"/{$libs,$own,$bin,usr/bin,usr/share/nvidia,etc}
cd "$dir"
compile() {
	${CC:-cc} -O1 -w "$@"
}

# library FILE SONAME [CC-OPTION...] - code on stdin
library() {
	compile -shared -fPIC -nostdlib -fno-builtin -Wl,-soname,"$2" -o "$1" -x c - "${@:3}"
	[ "$2" = "${1##*/}" ] || ln -sfn "${1##*/}" "${1%/*}/$2"
}

library $own/libcuda.so.$version libcuda.so.1 <<- END
	int cuInit(unsigned int flags) { return 100; }
	int cuDriverGetVersion(int *v) { *v = $cuda; return 0; }
END
ln -sfn libcuda.so.1 $own/libcuda.so
library $own/libnvidia-ml.so.$version libnvidia-ml.so.1 <<- END
	int nvmlInit_v2(void) { return 9; }
	int nvmlShutdown(void) { return 0; }
	const char *nvmlErrorString(int rc) { return "Driver Not Loaded"; }
END
# the others are the same empty one under many names
stubs=(
	cfg.so.1 ptxjitcompiler.so.1 nvvm.so.4 allocator.so.1 opencl.so.1 encode.so.1
	opticalflow.so.1 fbc.so.1 ngx.so.1
)
while read -r place name soname; do
	library $place/$name "$soname" <<< 'int stub;'
done <<- END
	$(for s in "${stubs[@]}"; do echo "$own libnvidia-${s%.*}.$version libnvidia-$s"; done)
	$own libcudadebugger.so.$version libcudadebugger.so.1
	$own libnvcuvid.so.$version libnvcuvid.so.1
	$own libnvoptix.so.$version libnvoptix.so.1
	$own libGLX_nvidia.so.$version libGLX_nvidia.so.0
	$own libEGL_nvidia.so.$version libEGL_nvidia.so.0
	$own libGLESv1_CM_nvidia.so.$version libGLESv1_CM_nvidia.so.1
	$own libGLESv2_nvidia.so.$version libGLESv2_nvidia.so.2
	$own libnvidia-api.so.1 libnvidia-api.so.1
	$libs libnvidia-eglcore.so.$version libnvidia-eglcore.so.$version
	$libs libnvidia-glcore.so.$version libnvidia-glcore.so.$version
	$libs libnvidia-glsi.so.$version libnvidia-glsi.so.$version
	$libs libnvidia-tls.so.$version libnvidia-tls.so.$version
	$libs libnvidia-glvkspirv.so.$version libnvidia-glvkspirv.so.$version
	$libs libnvidia-gpucomp.so.$version libnvidia-gpucomp.so.$version
	$libs libnvidia-rtcore.so.$version libnvidia-rtcore.so.$version
	$libs libnvidia-pkcs11-openssl3.so.$version libnvidia-pkcs11-openssl3.so.$version
END
# one that the distribution built, and not for every C library
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
echo 'GLIBC_2.34 { global: *; };' > "$tmp/versions"
compile -shared -fPIC -nostdlib -fno-builtin -Wl,-soname,libc.so.6 \
	-Wl,--version-script="$tmp/versions" -x c - -o "$tmp/libc.so.6" <<< 'void dlopen(void) {}'
library $libs/libnvidia-egl-gbm.so.1.1.2 libnvidia-egl-gbm.so.1 -x none "$tmp/libc.so.6" <<- END
	void dlopen(void);
	void stub(void) { dlopen(); }
END
mkdir -p $libs/vdpau $libs/gbm
if [ "$layout" = debian ]; then
	library $own/libvdpau_nvidia.so.$version libvdpau_nvidia.so.1 <<< 'int stub;'
	ln -sfn libnvidia-allocator.so.$version $own/nvidia-drm_gbm.so
else
	library $libs/vdpau/libvdpau_nvidia.so.$version libvdpau_nvidia.so.1 <<< 'int stub;'
	ln -sfn ../libnvidia-allocator.so.1 $libs/gbm/nvidia-drm_gbm.so
fi

# put FILE TEXT
put() {
	mkdir -p "$(dirname "$1")"
	printf '%s\n' "$2" > "$1"
}

put usr/share/glvnd/egl_vendor.d/10_nvidia.json \
	'{"file_format_version":"1.0.0","ICD":{"library_path":"libEGL_nvidia.so.0"}}'
put usr/share/egl/egl_external_platform.d/15_nvidia_gbm.json \
	'{"file_format_version":"1.0.0","ICD":{"library_path":"libnvidia-egl-gbm.so.1"}}'
put usr/share/vulkan/icd.d/nvidia_icd.json \
	'{"file_format_version":"1.0.0","ICD":{"library_path":"libGLX_nvidia.so.0","api_version":"1.3"}}'
put etc/OpenCL/vendors/nvidia.icd libnvidia-opencl.so.1
[ "$layout" = rhel ] && put usr/share/nvidia/nvoptix.bin stub || put $own/nvoptix.bin stub

cat > "$tmp/smi.c" <<- 'END'
	#include <dlfcn.h>
	int main(void)
	{
		void *h = dlopen("libnvidia-ml.so.1", RTLD_NOW);
		int (*init)(void) = h ? (int (*)(void))dlsym(h, "nvmlInit_v2") : 0;

		return init ? init() : 12;
	}
END
bash "$here/cc-any-glibc.sh" $bin/nvidia-smi "$tmp/smi.c"
for f in nvidia-debugdump nvidia-cuda-mps-control nvidia-cuda-mps-server nvidia-persistenced; do
	case $f in
	nvidia-debugdump) cp $bin/nvidia-smi $bin/$f ;;
	*) cp $bin/nvidia-smi usr/bin/$f ;;
	esac
done
if [ -n "$modprobe" ]; then
	cat > "$tmp/modprobe.c" <<- 'END'
		#include <stdio.h>
		#include <sys/stat.h>
		#include <sys/sysmacros.h>
		#include <unistd.h>
		extern char **environ;
		int main(int argc, char **argv)
		{
			char cwd[4096];
			FILE *f = fopen("/run/machine/modprobe", "a");

			if (!f || !getcwd(cwd, sizeof(cwd)))
				return 1;
			fprintf(f, "cwd %s\n", cwd);
			for (int i = 1; i < argc; i++)
				fprintf(f, "arg %s\n", argv[i]);
			for (char **e = environ; *e; e++)
				fprintf(f, "env %s\n", *e);
			umask(0);
			return mknod("/dev/nvidia-uvm", S_IFCHR | 0666, makedev(511, 0)) ||
			       mknod("/dev/nvidia-uvm-tools", S_IFCHR | 0666, makedev(511, 1));
		}
	END
	compile -static -o usr/bin/nvidia-modprobe "$tmp/modprobe.c"
	chmod 4755 usr/bin/nvidia-modprobe
fi
if [ "$layout" = debian ]; then
	bash "$here/alternatives.sh" .
else
	echo /usr/lib64 > etc/ld.so.conf
	PATH=$PATH:/usr/sbin:/sbin ldconfig -r . 2> /dev/null
fi
