#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every fuzzer goes through its seeds without a finding and, with GPURUN_FUZZ_SECONDS, on from
# there for so long: built by clang with AddressSanitizer and UBSan, as "make fuzz" does.  The random
# numbers are the same each time, so that a change is judged by what it does; others: GPURUN_FUZZ_SEED.
set -u
cd "$(dirname "$0")/../.." || exit 1
BUILD=${BUILD:-build}
seconds=${GPURUN_FUZZ_SECONDS:-0}
jobs=$(nproc)
mode=smoke
[ "$seconds" = 0 ] && mode=replay
export GPURUN_FUZZ_SEED=${GPURUN_FUZZ_SEED:-1}
unset MAKEFLAGS MFLAGS MAKEOVERRIDES VARIANT CFLAGS CC

if ! command -v "${CLANG:-clang}" >/dev/null; then
	[ -z "${GPURUN_MUST_WORK-}" ] || { echo "Bail out! GPURUN_MUST_WORK: there is no clang"; exit 1; }
	echo "1..0 # SKIP there is no clang"
	exit 0
fi
if ! make -j"$jobs" BUILD="$BUILD/fuzz" CC="${CLANG:-clang}" VARIANT=fuzz CFLAGS='-O1 -g' fuzzers >"$BUILD/fuzz.log" 2>&1; then
	tail -20 "$BUILD/fuzz.log" | sed 's/^/# /'
	echo "Bail out! the fuzzers cannot be built"
	exit 1
fi

mapfile -t targets < <(cd tests/fuzz && printf '%s\n' f_*.c | sed 's/^f_//; s/\.c$//')
mkdir -p "$BUILD/fuzz/smoke"
tests/fuzz/run "$mode" "$BUILD/fuzz/fuzzers" "$BUILD/fuzz/smoke" "$seconds" "$jobs" "${targets[@]}" \
	>"$BUILD/fuzz/smoke/table" 2>"$BUILD/fuzz/smoke/said"
failed=0 n=0
for target in "${targets[@]}"; do
	n=$((n + 1))
	row=$(grep "^$target " "$BUILD/fuzz/smoke/table")
	case $row in
	*'nothing found') echo "ok $n - $target: $(awk '{ print $2 }' <<<"$row") inputs" ;;
	*)
		echo "not ok $n - $target"
		tail -40 "$BUILD/fuzz/smoke/$target.log" | sed 's/^/# /'
		failed=1
		;;
	esac
done
sed 's/^/# /' "$BUILD/fuzz/smoke/said"
echo "1..$n"
exit $failed
