#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# .clang-format decides; other versions than 14 decide otherwise, so that only 14 is asked.
. "$(dirname "$0")/lint.bash"

check_format() {
	clang-format-14 --dry-run src/*/*.[ch] include/gpurun/*.h seccomp/*.c tests/unit/*.c tests/helpers/*.[ch] tests/fuzz/*.[ch] tests/bench/*.[ch] images/*/*.c 2>&1 |
		grep -oE '^[^ ]+\.[ch]:[0-9]+' | awk -F: '{ n[$1]++ } END { for (f in n) print f ": " n[f] " places" }' | sort
}

command -v clang-format-14 >/dev/null || { echo "1..0 # SKIP clang-format-14 is not installed"; exit 0; }
rule "clang-format" check_format
finish
