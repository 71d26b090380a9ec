#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cc-any-glibc.sh OUT SOURCE.c [CC-OPTION...] - compile a program that any glibc can start.
#
# A program asks for the symbol versions of the C library that it was linked with: dlopen of 2.34,
# if that is the build machine's.  This links with empty libraries that define the same names in
# the oldest version of the architecture.
set -eu
out=$1
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
case $(uname -m) in
x86_64) oldest=GLIBC_2.2.5 ;;
*) oldest=GLIBC_2.17 ;;
esac
echo "$oldest { global: *; };" > "$dir/versions"

# library SONAME NAME... - only functions, and only those that our probes call
library() {
	local soname=$1
	shift
	printf 'void %s(void) {}\n' "$@" |
		${CC:-cc} -w -fno-builtin -shared -fPIC -nostdlib -Wl,-soname,"$soname" \
			-Wl,--version-script="$dir/versions" -x c - -o "$dir/$soname"
}
library libdl.so.2 dlopen dlsym dlerror
library libc.so.6 __libc_start_main printf puts putchar fopen fgets fclose strcmp strstr strtoul
${CC:-cc} -std=gnu17 -O1 -Wall -fno-builtin -fno-stack-protector -U_FORTIFY_SOURCE -nodefaultlibs \
	-o "$out" "$@" -L"$dir" -Wl,--no-as-needed -l:libdl.so.2 -l:libc.so.6
