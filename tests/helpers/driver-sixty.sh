#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# driver-sixty.sh DIR - a driver as stub-driver.sh makes it, of which 60 libraries go into a container
# with compute and utility: more than any driver has.  Its links are relative.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] || { sed -n '3,4s/^# //p' "$0" >&2; exit 2; }
dir=$1 version=550.163.01
bash "$here/stub-driver.sh" "$dir" $version rhel
# 10 of those are for compute or utility; one that nobody knows and that has the driver's version is, too
for ((i = 0; i < 50; i++)); do
	name=libnvidia-part$i.so
	echo 'int stub;' | ${CC:-cc} -shared -nostdlib -Wl,-soname,$name.1 -o "$dir/usr/lib64/$name.$version" -x c -
	ln -s "$name.$version" "$dir/usr/lib64/$name.1"
done
