#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# gcc sees different mistakes at different levels: FORTIFY and string functions at -O2, variables
# without a value at -Og.  Both build without warnings, and so does clang.
. "$(dirname "$0")/../lint.bash"

build() {
	local name=$1
	shift
	make -s -j"$(nproc)" VARIANT=warn WERROR=1 BUILD="$BUILD/warn-$name" \
		BIN="$BUILD/warn-$name/gpurun" "$@" all 2>&1 | grep -E '(error|warning):' -A4
}

rule "gcc -O2" build O2 CC=gcc CFLAGS='-O2 -g'
rule "gcc -Og" build Og CC=gcc CFLAGS='-Og -g'
if command -v clang >/dev/null; then
	rule "clang -O2" build clang CC=clang CFLAGS='-O2 -g'
else
	skip "clang -O2" "it is not installed"
fi
finish
