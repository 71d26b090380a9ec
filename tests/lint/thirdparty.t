#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Headers of other projects stand only in the files that wrap them, nothing of them is linked.
. "$(dirname "$0")/lint.bash"

# header (pattern), files (pattern)
fences='
json(-c/.*|_.*)?\.h|src/base/json\.c
seccomp\.h|src/profile/compile\.c
archive(_entry)?\.h|src/(image|store)/[a-z_]*\.c
(bzlib|lzma|zstd|zstd_errors)\.h|src/image/codecs\.c
(zlib|isa-l/.*)\.h|src/(image/gzip|store/crc)\.c
openssl/.*\.h|src/image/sha256\.c
yaml\.h|src/gpu/yaml\.c
libmount/.*\.h|src/host/mountinfo\.c
'
# headers of libc and of the kernel
system='(a(lloca|ssert)|ctype|dirent|dlfcn|elf|endian|err(no|or)|fcntl|fnmatch|getopt|glob|grp|iconv|ifaddrs|inttypes|langinfo|libgen|limits|link|locale|math|netdb|poll|pthread|pty|pwd|sched|search|semaphore|setjmp|signal|spawn|std(arg|atomic|bool|def|int|io|lib|noreturn)|strings?|syscall|sysexits|syslog|termios|time|uchar|unistd|utmp|wchar|wctype)\.h|(arpa|asm|linux|net|netinet|sanitizer|sys)/.*\.h'

check_fences() {
	local f h line header where allowed
	while IFS=: read -r f h; do
		[[ $h =~ ^($system)$ || $h == gpurun/* || $h == seccomp_*_*.h || $h == seccomp_aarch64.h || $h == cuda_probe.h ]] && continue
		allowed=
		while read -r line; do
			header=${line%|src/*}
			where=${line#"$header|"}
			[[ -n $line && $h =~ ^($header)$ && $f =~ ^($where)$ ]] && allowed=1
		done <<<"$fences"
		[ -n "$allowed" ] || echo "$f: <$h> belongs into another file, or into this lint's table"
	done < <(grep -oE '^#include <[^>]+>' src/*/*.[ch] include/gpurun/*.h | sed 's/#include <//; s/>$//')
}

check_needed() {
	readelf -d "$GPURUN" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p' |
		grep -vxE 'libc\.so\.6|libdl\.so\.2|ld-linux.*|libc\.musl.*|lib(asan|ubsan)\.so.*'
}

check_hardened() {
	readelf -h "$GPURUN" | grep -q 'Type: *DYN' || echo "not position independent"
	readelf -lW "$GPURUN" | grep -q 'GNU_RELRO' || echo "no RELRO"
	readelf -d "$GPURUN" | grep -qE 'BIND_NOW|FLAGS_1.*NOW' || echo "lazy binding"
	readelf -lW "$GPURUN" | grep 'GNU_STACK' | grep 'E ' && echo "executable stack"
	readelf -lW "$GPURUN" | awk '$1 == "LOAD" && /RWE/' | sed 's/^/writable and executable: /'
	[ ! -u "$GPURUN" ] && [ ! -g "$GPURUN" ] || echo "setuid or setgid"
}

rule "third-party headers only in the files that wrap them" check_fences
rule "nothing but libc is linked" check_needed
rule "the program is hardened" check_hardened
finish
