#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh OUT [MKIMAGE-OPTION]... - Debian of this machine's release with python3 and gcc, as
# three layers: the base, python3 with pip and its own tests, gcc; the last one also deletes all
# documentation.  Packages come from the mirrors that this machine's apt uses.  Wants mmdebstrap
# and python3, and root or subordinate ids; takes minutes.
# Without options: an OCI archive compressed with zstd, started with bash.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUT [MKIMAGE-OPTION]...}
shift
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-315532800}
export SOURCE_DATE_EPOCH
. /etc/os-release
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
umask 022
chmod 755 "$tmp"

keys=/usr/share/keyrings/debian-archive-keyring.gpg
apt-get indextargets --format "deb [signed-by=$keys] \$(REPO_URI) \$(RELEASE) \$(COMPONENT)" \
	'Created-By: Packages' 'Origin: Debian' |
	grep -E " $VERSION_CODENAME(-updates|-security)? main\$" | sort -u > "$tmp/sources"
[ -s "$tmp/sources" ] || { echo "no Debian mirror in this machine's apt configuration" >&2; exit 77; }

# strap OUT PACKAGES [OPTION]...
strap() {
	tar=$1
	packages=$2
	shift 2
	mmdebstrap --quiet --variant=minbase --include="$packages" "$@" "$VERSION_CODENAME" \
		"$tar" - < "$tmp/sources"
}

version=$(apt-cache depends python3 | sed -n 's/^ *Depends: \(python3\.[0-9]*\)$/\1/p')
python=ca-certificates,python3,python3-pip,python3-venv,python3-numpy,lib$version-testsuite
strap "$tmp/1.tar" ca-certificates
strap "$tmp/2-full.tar" "$python"
strap "$tmp/3-full.tar" "$python,gcc,libc6-dev,make" --dpkgopt='path-exclude=/usr/share/doc/*' \
	--dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*'
python3 "$here/../tardiff.py" "$tmp/1.tar" "$tmp/2-full.tar" "$tmp/2.tar"
python3 "$here/../tardiff.py" "$tmp/2-full.tar" "$tmp/3-full.tar" "$tmp/3.tar"
[ $# -gt 0 ] || set -- --oci --compress zstd --cmd bash --tag debian:latest
sh "$here/../mkimage.sh" "$tmp/1.tar" --layer "$tmp/2.tar" --layer "$tmp/3.tar" \
	--env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "$@" "$out"
