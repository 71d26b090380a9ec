#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The escapes that are races (tests/e2e/escapes-*.bats), at length: as root and as an ordinary user.
here=$(cd "$(dirname "$0")" && pwd)
export GPURUN_TEST_RACES=${GPURUN_TEST_RACES:-1000}
echo 1..3
status=0 n=0
try() {
	n=$((n + 1))
	if out=$("${@:2}" 2>&1); then
		echo "ok $n - $1"
	else
		sed 's/^/# /' <<< "$out"
		echo "not ok $n - $1"
		status=1
	fi
}
try "mount points swapped while it starts" bats --tap -f swapped "$here/../e2e/escapes-paths.bats"
try "files of the driver, too" bats --tap -f swapped "$here/../e2e/escapes-gpu.bats"
try "as an ordinary user" bash "$here/../e2e/as-user.t" "$here/../e2e/escapes-paths.bats"
exit $status
