#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Files and functions stay small: 700 lines a file, 200 a contract, 80 a function, usually 20.
. "$(dirname "$0")/lint.bash"

check_files() {
	wc -l src/*/*.[ch] seccomp/*.c images/*/*.c tests/*/*.[ch] 2>/dev/null |
		awk '$2 != "total" && $1 > 700 { print $2 ": " $1 " lines" }'
	wc -l include/gpurun/*.h | awk '$2 != "total" && $1 > 200 { print $2 ": " $1 " lines" }'
	wc -l Makefile | awk '$1 > 250 { print $2 ": " $1 " lines" }'
}

# "LINES FILE:FUNCTION" for every function
functions() {
	ctags -x --kinds-C=f --languages=C --_xformat='%{line} %{end} %F %N' src/*/*.c seccomp/*.c |
		awk '{ print $2 - $1 + 1, $3 ":" $4 }' | sort -n
}

check_functions() {
	functions | awk '$1 > 80 { print $2 ": " $1 " lines" }'
}

check_median() {
	functions | awk '{ n[NR] = $1 } END { m = n[int((NR + 1) / 2)]; if (!NR || m > 20) print "median " m }'
}

check_lines() {
	awk 'length($0) > 100 && !/clang-format off/ { gsub(/\t/, "        ") }
	     length($0) > 140 { print FILENAME ":" FNR ": " length($0) " columns" }' src/*/*.[ch] include/gpurun/*.h
}

command -v ctags >/dev/null || { echo "1..0 # SKIP universal-ctags is not installed"; exit 0; }
rule "files" check_files
rule "functions of 80 lines at most" check_functions
rule "functions of 20 lines usually" check_median
rule "lines" check_lines
finish
