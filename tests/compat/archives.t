#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The archives that libarchive, Go, Python and dpkg test their readers with, each started as an image
# with an own store.  Whatever is in it: gpurun ends within five seconds, by its own will, with one
# message if it refuses; nothing appears outside of the store; the next prune leaves nothing.  What
# it takes is compared with what GNU tar makes of it.  The outcome of each is in archives.expected:
#
#	same      taken; paths, types, contents and link targets are those of GNU tar
#	taken     taken, and not the same: the reason is written there
#	refused   status 125; the reason is written there, unless it is no tar at all
#
# COMPAT_UPDATE=1 prints a new list instead.
cd "$(dirname "$0")/../.." || exit 1
GPURUN=$(realpath "${GPURUN:-./gpurun}")
here=$PWD/tests/compat
T=$(mktemp -d "${GPURUN_TEST_TMP:-/dev/shm}/gpurun-compat.XXXXXX")
trap 'chmod -R u+rwx "$T"; rm -rf "$T"' EXIT
mkdir -m 700 "$T/run" "$T/home"
export XDG_RUNTIME_DIR=$T/run HOME=$T/home GPURUN_STORE=$T/store
unset ${!GPURUN_STORE_@} ${!SLURM_@}
FORMATS='\.(tar|tgz|tbz|txz|tlz|pax)([.-]|$)|\.gz$|\.zst$|\.xz$|\.bz2$|\.lz4$|\.Z$|\.cpio$|\.data$'

skip_all() {
	[ "${GPURUN_MUST_WORK-}" = 1 ] && [ "${COMPAT_MUST_WORK-}" = 1 ] && echo "Bail out! $*" && exit 1
	echo "1..0 # SKIP $*"
	exit 0
}

# ---- the corpora, as files SUITE/NAME below $T/corpus ------------------------------------------

uudecode_to() {
	python3 -c '
import binascii, sys
out = open(sys.argv[2], "wb")
lines = iter(open(sys.argv[1], "rb"))
next(line for line in lines if line.startswith(b"begin "))
for line in lines:
    if line.startswith(b"end"):
        break
    # some encoders leave blanks at the end of a line away: the length byte says how much there is
    line = line.rstrip(b"\r\n")
    n = (line[0] - 32) & 63 if line else 0
    out.write(binascii.a2b_uu(line[:1] + line[1:].ljust((n + 2) // 3 * 4, b"`")[:(n + 2) // 3 * 4]))
' "$1" "$2"
}

corpora() {
	local dir f name
	mkdir -p "$T"/corpus/{libarchive,oss-fuzz,go}
	dir=$("$here/source.sh" libarchive) || return
	for f in "$dir"/libarchive/test/*.uu; do
		name=$(basename "$f" .uu)
		[[ $name =~ $FORMATS ]] && uudecode_to "$f" "$T/corpus/libarchive/$name"
	done
	python3 -m zipfile -e "$dir/contrib/oss-fuzz/corpus.zip" "$T/corpus/oss-fuzz"
	dir=$("$here/source.sh" golang-1.19) || return
	cp "$dir"/src/archive/tar/testdata/*.tar* "$T/corpus/go/"
	cp "$dir"/src/compress/gzip/testdata/*.gz "$T/corpus/go/" 2> /dev/null
	for f in "$dir"/src/compress/bzip2/testdata/*.bz2; do
		cp "$f" "$T/corpus/go/bzip2-$(basename "$f")"
	done
}

# ---- one archive -----------------------------------------------------------------------------

# Type, path, and what makes it what it is: contents or target.  Devices are never kept by us.  What
# is larger than 64 MiB (a hole, in these) is known by its size.
tree_of() {
	(cd "$1" && find . -mindepth 1 ! -type b ! -type c ! -type s -printf '%y\t%s\t%P\t%l\0' | sort -z |
		while IFS=$'\t' read -r -d '' kind size path target; do
			[ "$kind" = f ] && target=$size
			[ "$kind" = f ] && [ "$size" -le $((64 << 20)) ] && target=$(sha256sum < "$path")
			printf '%s %q %s\n' "$kind" "$path" "$target"
		done)
}

same_tree() {
	local ours
	ours=$(find "$T"/store/v1/{trees,layers}/*/fs -maxdepth 0 2> /dev/null)
	[ -n "$ours" ] || return
	mkdir "$T/theirs"
	timeout 20 tar -xf "$1" -C "$T/theirs" --no-same-owner --delay-directory-restore \
		> /dev/null 2>&1 || return
	chmod -R u+rwX "$T/theirs"
	diff <(tree_of "$ours") <(tree_of "$T/theirs") > "$T/diff"
}

# Sets $verdict, or $wrong.
judge() {
	local status=0 before after
	wrong='' verdict=''
	before=$(find "$T" -path "$T/store" -prune -o -path "$T/run" -prune -o -print | md5sum)
	timeout 5 "$GPURUN" -q "$1" /nonexistent < /dev/null > "$T/out" 2> "$T/err" || status=$?
	case $status in
	127) verdict=taken ;;
	125) verdict=refused ;;
	*) wrong="status $status: $(head -1 "$T/err")" && return ;;
	esac
	rm -f "$T/out"
	[ "$(grep -c '^gpurun: ' "$T/err")" = 1 ] || wrong="not one message: $(cat "$T/err")"
	grep -qi 'worker died\|signal\|killed' "$T/err" && wrong=$(cat "$T/err")
	message=$(head -1 "$T/err")
	rm -f "$T/err"
	after=$(find "$T" -path "$T/store" -prune -o -path "$T/run" -prune -o -print | md5sum)
	[ "$before" = "$after" ] || wrong="something outside of the store"
	[ "$verdict" = taken ] && same_tree "$1" && verdict=same
	"$GPURUN" prune --all > /dev/null 2>&1
	[ -z "$(find "$T"/store/v1/{trees,layers,images,tmp,trash} -mindepth 1 2> /dev/null)" ] ||
		wrong="prune leaves something"
	chmod -R u+rwx "$T"/theirs "$T/store" 2> /dev/null
	rm -rf "$T"/theirs "$T/store"
}

# ---- all of them -----------------------------------------------------------------------------

corpora 2> "$T/why" || skip_all "the corpora cannot be had: $(tail -1 "$T/why")"
rm -f "$T/why"
cd "$T/corpus" || exit 1
mapfile -t names < <(find . -type f -printf '%P\n' | LC_ALL=C sort)
[ "${COMPAT_UPDATE-}" ] || echo "1..$((${#names[@]} + 1))"
n=0
for name in "${names[@]}"; do
	judge "$T/corpus/$name"
	if [ "${COMPAT_UPDATE-}" ]; then
		printf '%-75s %s %s\n' "$name" "$verdict" "$wrong$message"
		continue
	fi
	want=$(awk -v name="$name" '$1 == name { print $2 }' "$here/archives.expected")
	if [ -z "$wrong" ] && [ "$verdict" = "$want" ]; then
		echo "ok $((++n)) - $name: $verdict"
	else
		echo "not ok $((++n)) - $name: $verdict, should be ${want:-in the list}: $wrong$message"
	fi
done
[ "${COMPAT_UPDATE-}" ] && exit
[ "$n" -ge 100 ] && echo "ok $((n + 1)) - $n archives" || echo "not ok $((n + 1)) - only $n archives"
