#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# bubblewrap's own sandbox cases (tests/test-run.sh of its source), with gpurun in the place of bwrap
# by way of the translation in ./bwrap.  Its script ends at the first failure; here a case that fails
# is told and the next one goes on.  bubblewrap.expected has a line for each: its number and "ok";
# "no" and the reason why gpurun answers otherwise on purpose; "none", and what it uses that gpurun has
# no counterpart of; or "skip", by the suite's own word.  COMPAT_UPDATE=1 prints what comes out.
cd "$(dirname "$0")/../.." || exit 1
here=$PWD/tests/compat
GPURUN=$(realpath "${GPURUN:-./gpurun}")
T=$(mktemp -d "${GPURUN_TEST_TMP:-/dev/shm}/gpurun-compat.XXXXXX")
trap 'chmod -R u+rwx "$T"; rm -rf "$T"' EXIT

skip_all() {
	[ "${COMPAT_MUST_WORK-}" = 1 ] && echo "Bail out! $*" && exit 1
	echo "1..0 # SKIP $*"
	exit 0
}

source=$("$here/source.sh" bubblewrap 2> "$T/why") || skip_all "$(tail -1 "$T/why")"
mkdir -m 700 "$T/run" "$T/home" "$T/tests"
cp "$source"/tests/*.sh "$source"/tests/*.py "$GPURUN" "$here/bwrap" "$T/tests/"
# A case ends with: echo "ok...".  What fails in between is remembered until then.
{
	echo '. "$(dirname "$0")/libtest.sh" || exit 1; set +e'
	echo 'fatal() { echo "$@" >&2; failed=1; }; failed=; n=0; set -E'
	echo 'trap "failed=1" ERR; trap cleanup EXIT'
	cat <<- 'END'
		verdict() {
			local word=${failed:+no}
			[[ $* == *'# SKIP'* ]] && word=skip
			[ -s "$COMPAT_NONE" ] && word="none ($(sort -u "$COMPAT_NONE" | xargs))"
			echo "case $((n += 1)) ${word:-ok} ${*#ok}"
			failed=
			: > "$COMPAT_NONE"
		}
	END
	sed -e '/^set -xe/d; /^\. .*libtest.sh/d' -e 's/^\([ \t]*\)echo "ok/\1verdict "ok/' "$source/tests/test-run.sh"
} > "$T/tests/test-run.sh"

as_user=()
if [ "$(id -u)" = 0 ]; then
	chown -R 64217:64217 "$T"
	chmod 755 "$T"
	as_user=(setpriv --reuid 64217 --regid 64217 --clear-groups --bounding-set=-all --inh-caps=-all)
fi
cd "$T/home" || exit 1
"${as_user[@]}" env -u XDG_CONFIG_HOME HOME="$T/home" XDG_RUNTIME_DIR="$T/run" GPURUN_STORE="$T/store" \
	COMPAT_NONE="$T/run/none" GPURUN="$T/tests/gpurun" BWRAP="$T/tests/bwrap" timeout -k 5 300 \
	bash "$T/tests/test-run.sh" < /dev/null > "$T/out" 2> "$T/err"
status=$?
grep '^case ' "$T/out" > "$T/cases"
[ "${COMPAT_UPDATE-}" ] && cat "$T/cases" && tail -5 "$T/err" && exit

mapfile -t cases < "$T/cases"
echo "1..$((${#cases[@]} + 1))"
n=0
for line in "${cases[@]}"; do
	read -r _ number verdict text <<< "$line"
	want=$(awk -v n="$number" '$1 == n { print $2 }' "$here/bubblewrap.expected")
	if [ "$verdict" = "$want" ]; then
		echo "ok $((++n)) - $verdict: $text"
	else
		echo "not ok $((++n)) - $verdict, should be ${want:-in the list}: $text"
	fi
done
[ "$n" = 58 ] && echo "ok $((n + 1)) - $n cases" && exit
echo "not ok $((n + 1)) - $n of 58 cases, status $status"
tail -20 "$T/err" | sed 's/^/# /'
