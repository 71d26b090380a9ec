#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The tree itself: a licence line in every file, no path of somebody's machine, no registry, no
# build product, contracts that stand alone, scripts that parse, manual pages without complaints.
. "$(dirname "$0")/lint.bash"

sources() {
	files | grep -E '(^|/)(Makefile|run|gpurun)$|\.(c|h|mk|sh|bash|bats|t|py|policy)$|^tests/(run-tap|install|tidy|cov-report)$' |
		grep -vE '^tests/fixtures/|^tests/fuzz/corpus/|^tests/golden/.*\.json$'
}

check_spdx() {
	sources | while read -r f; do
		head -3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
			grep -qI . "$f" && head -3 "$f" | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
			echo "$f: no SPDX line"
	done
}

# Written in pieces, so that this file does not find itself.  "docker.io/" alone is not a host here
# but the prefix that docker writes in front of names in its archives.
check_places() {
	local host place
	host='registry-1\.dock''er\.io|ghcr''\.io|quay''\.io|nvcr''\.io|gcr''\.io|public\.ecr''\.aws'
	place='/wo''rk/|/tmp/no''tes'
	files | grep -v '^tests/fuzz/corpus/' | tr '\n' '\0' |
		xargs -0 grep -nIE "($host)|(^|[^a-zA-Z0-9_.\$}-])($place)" --
}

check_products() {
	[ -e .git ] || return
	git ls-files | grep -E '\.(o|a|so|d|gcno|gcda|tar|gz|xz|zst|sqsh)$' | grep -v '^tests/'
	git ls-files | while read -r f; do
		[ -f "$f" ] && [ "$(stat -c %s "$f")" -gt 300000 ] && echo "$f: larger than 300 kB"
	done
}

check_alone() {
	local h
	for h in include/gpurun/*.h; do
		echo "#include <gpurun/${h##*/}>" |
			${CC:-gcc} -std=gnu17 -D_GNU_SOURCE -Iinclude -Wall -Wextra -Werror -x c -fsyntax-only - || echo "$h"
	done
}

check_guards() {
	local h
	for h in include/gpurun/*.h src/*/*.h; do
		grep -qE '^#ifndef [A-Z0-9_]+_H$' "$h" || echo "$h: no include guard"
	done
}

check_scripts() {
	sources | while read -r f; do
		case $(head -1 "$f") in
		'#!/bin/bash'*) [[ $f == *.bats ]] || bash -n "$f" ;;
		'#!/bin/sh'*) sh -n "$f" ;;
		esac
	done
	bash -n completions/gpurun.bash
}

check_executable() {
	for f in setup.sh .ci/run tests/run-tap tests/install tests/tidy tests/cov-report tests/fuzz/run; do
		[ -x "$f" ] || echo "$f: not executable"
	done
}

check_spaces() {
	files | grep -E '\.(c|h|sh|bash|bats|t|policy|md)$|Makefile$' | grep -v '^tests/fixtures/' |
		tr '\n' '\0' | xargs -0 grep -nE '[[:blank:]]+$' --
}

rule "every source file has its licence line" check_spdx
rule "no path of somebody's machine, no registry host" check_places
rule "no build product, no large file" check_products
rule "contracts compile alone" check_alone
rule "headers have guards" check_guards
rule "scripts parse" check_scripts
rule "scripts are executable" check_executable
rule "no blanks at line ends" check_spaces
if command -v mandoc >/dev/null; then
	rule "manual pages" mandoc -Tlint -Wwarning man/*.[1-8]
else
	skip "manual pages" "mandoc is not installed"
fi
if command -v shellcheck >/dev/null; then
	rule "shellcheck" shellcheck -S warning -x -P tests/lint setup.sh .ci/run tests/run-tap tests/install \
		tests/tidy tests/cov-report tests/fuzz/run tests/lint/lint.bash tests/lint/*.t tests/golden/*.t \
		tests/bench/{bench.bash,cold,counts,gpus,growth-cold,growth-start,images,load,start,step}
else
	skip "shellcheck" "it is not installed"
fi
finish
