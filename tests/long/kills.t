#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# tests/e2e/kills.t with KILLS (1000) kills, as root and as an ordinary user.
cd "$(dirname "$0")/../.." || exit 1
export KILLS=${KILLS:-1000} KILLS_SEED=${KILLS_SEED:-$RANDOM}
echo "# seed $KILLS_SEED"
[ "$(id -u)" = 0 ] || exec bash tests/e2e/kills.t
echo 1..2
status=0
if bash tests/e2e/kills.t >&2; then
	echo "ok 1 - root"
else
	status=1
	echo "not ok 1 - root"
fi
if bash tests/e2e/as-user.t "$PWD/tests/e2e/kills.t" >&2; then
	echo "ok 2 - an ordinary user"
else
	status=1
	echo "not ok 2 - an ordinary user"
fi
exit $status
