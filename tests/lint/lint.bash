# SPDX-License-Identifier: Apache-2.0
# What every lint starts from: it stands in the root of the tree, and says "ok" about a rule
# whose check printed nothing.
cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
export LC_ALL=C
BUILD=${BUILD:-build}
GPURUN=${GPURUN:-./gpurun}
lint_n=0
lint_failed=0

# rule TITLE COMMAND... - the command prints one line per violation
rule() {
	local title=$1 found
	shift
	found=$("$@" 2>&1)
	lint_n=$((lint_n + 1))
	if [ -z "$found" ]; then
		echo "ok $lint_n - $title"
	else
		echo "not ok $lint_n - $title"
		head -40 <<<"$found" | sed 's/^/# /'
		lint_failed=1
	fi
}

# skip TITLE REASON - a check whose tool is for developers only
skip() {
	lint_n=$((lint_n + 1))
	echo "ok $lint_n - $1 # SKIP $2"
}

finish() {
	echo "1..$lint_n"
	exit "$lint_failed"
}

# The files of the tree: what git tracks or would, else (a release archive) all there are.
files() {
	if [ -e .git ]; then
		git ls-files --cached --others --exclude-standard "$@"
	else
		find . \( -path ./build -o -path ./.git \) -prune -o -type f -print | sed 's|^\./||'
	fi | while read -r f; do [ -f "$f" ] && echo "$f"; done
}

# The objects of src/ as "source object" lines; src/probe/ is a program of its own.
objects() {
	local src
	for src in ${1:-src/*/*.c}; do
		[[ $src == src/probe/* ]] || echo "$src $BUILD/${src%.c}.o"
	done
}

# imports SOURCES PATTERN - undefined symbols that match, as "source: symbol"
imports() {
	local src obj
	while read -r src obj; do
		[ -f "$obj" ] && echo "$obj" || echo "$obj: not built" >&2
	done < <(objects "$1") | xargs -r nm -uA |
		sed -nE "s#^$BUILD/(.*)\\.o: +[Uvw] ($2)\$#\\1.c: \\2#p"
}
