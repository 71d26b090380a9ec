#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# fetch-kernel.sh SUITE DIR - the kernel that Debian's SUITE has for virtual machines, unpacked
# into DIR, from the mirror that this machine's apt uses.  Prints the version.
# Exit status 77: there is none to be had.
set -eu
suite=$1 dir=$2
if [ -e "$dir/version" ]; then
	cat "$dir/version"
	exit 0
fi
arch=$(dpkg --print-architecture)
uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' 'Label: Debian' | head -n 1)
[ -n "$uri" ] || { echo "no Debian mirror in this machine's apt configuration" >&2; exit 77; }
rm -rf "$dir"
mkdir -p "$dir/lists/partial" "$dir/cache" "$dir/deb"
dir=$(cd "$dir" && pwd)
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" > "$dir/sources.list"

apt() {
	"$@" -qq -o "Dir::Etc::SourceList=$dir/sources.list" -o Dir::Etc::SourceParts=- \
		-o "Dir::State::Lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=root
}
apt_get() {
	command=$1
	shift
	apt apt-get "$command" "$@"
}

apt_get update || { echo "no package lists of $suite" >&2; exit 77; }
package=$(apt apt-cache depends "linux-image-cloud-$arch" | sed -n 's/^ *Depends: \(linux-image-[0-9].*\)/\1/p' | head -n 1)
[ -n "$package" ] || { echo "$suite has no linux-image-cloud-$arch" >&2; exit 77; }
(cd "$dir/deb" && apt_get download "$package") || exit 77
dpkg-deb -x "$dir"/deb/*.deb "$dir/root"
rm -rf "$dir/lists" "$dir/cache" "$dir/deb"
echo "${package#linux-image-}" > "$dir/version"
cat "$dir/version"
