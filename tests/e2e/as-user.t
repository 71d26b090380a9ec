#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The end-to-end tests once more as an ordinary user: an id that has no line in passwd, no
# subordinate ids, no groups.  Only root can become one; elsewhere the tests ran so already.
#
#	as-user.t [FILE...]     only these
set -u
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
uid=${GPURUN_TEST_USER:-64217}

if [ "$(id -u)" != 0 ]; then
	echo "1..0 # SKIP not root"
	exit 0
fi
files=("$@")
[ $# -gt 0 ] || files=("$here"/*.bats "$here"/faults.t)

tmp=$(mktemp -d /dev/shm/gpurun-user.XXXXXX)
trap 'rm -rf "$tmp"' EXIT
chmod 755 "$tmp"
export GPURUN=${GPURUN:-$repo/gpurun} GPURUN_TEST_IMAGES
GPURUN_TEST_IMAGES=$(bash "$repo/tests/helpers/test-images.sh")

as_user() {
	setpriv --reuid "$uid" --regid "$uid" --clear-groups --bounding-set=-all --inh-caps=-all \
		env HOME="$tmp/home" TMPDIR="$tmp/tmp" USER= LOGNAME= "$@"
}

# Where the user cannot read our files (a clone below /root), copies serve.
if ! as_user test -x "$GPURUN" -a -r "$here/common.bash" -a -r "$GPURUN_TEST_IMAGES/.done"; then
	mkdir -p "$tmp/repo/tests"
	cp -R "$repo/images" "$tmp/repo/"
	cp -R "$here" "$repo/tests/helpers" "$tmp/repo/tests/"
	cp -R "$GPURUN_TEST_IMAGES" "$tmp/images"
	cp "$GPURUN" "$tmp/gpurun"
	chmod -R a+rX "$tmp"
	files=("${files[@]/#$here/$tmp/repo/tests/e2e}")
	GPURUN=$tmp/gpurun GPURUN_TEST_IMAGES=$tmp/images
fi
mkdir "$tmp/home" "$tmp/tmp"
chown "$uid:$uid" "$tmp/home" "$tmp/tmp"
cd "$tmp/tmp" || exit 1

echo "1..${#files[@]}"
n=0 status=0
for f in "${files[@]}"; do
	n=$((n + 1))
	if as_user sh "$repo/tests/run-tap" "$f" > "$tmp/out" 2>&1; then
		echo "ok $n - $(basename "$f")"
	else
		status=1
		grep -v '^ok ' "$tmp/out" | sed 's/^/# /'
		echo "not ok $n - $(basename "$f")"
	fi
done
exit $status
