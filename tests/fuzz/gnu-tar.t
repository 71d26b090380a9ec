#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# GNU tar and the unpacker read the same entries: of archives that GNU tar writes in all of its
# formats, and of the fuzzers' seeds that have a name of their own.  Where GNU tar complains about an archive nothing is said;
# where it does not, names, types, sizes and targets must be the same, but for the rows below.
set -u
cd "$(dirname "$0")/../.." || exit 1
export LC_ALL=C
tarls=${BUILD:-build}/tarls
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0 failed=0

# SEED REASON
exceptions=(
	"unpack/sparse           the map of its holes is cut short; GNU tar lists it without a look at that"
	"tar_diff/unpack-sparse  the same"
)

say() {
	n=$((n + 1))
	echo "$1 $n - $2"
	[ "$1" = ok ] || failed=1
}

# The list of GNU tar in the form of tarls; sizes of devices are their numbers.
gnu_list() {
	tar --list --verbose --absolute-names --numeric-owner --quoting-style=escape --file "$1" |
		perl -ne '
			sub plain {
				my $s = shift;
				my %c = (a => 7, b => 8, f => 12, n => 10, r => 13, t => 9, v => 11);
				$s =~ s{\\([0-7]{3}|.)}{chr(length $1 == 3 ? oct $1 : $c{$1} // ord $1)}ge;
				$s =~ s{([^!-~]|\\)}{sprintf "\\%03o", ord $1}ge;
				return $s;
			}
			/^(.)\S+ \S+ +(\S+) \S+ \S+ (.*)$/ or next;
			my ($type, $size, $name, $link) = ($1, $2, $3, "");
			($name, $link) = split / -> /, $name, 2 if $type eq "l";
			($name, $link) = split / link to /, $name, 2 if $type eq "h";
			$type = "c" if $type eq "b";
			$size = 0 unless $type eq "-";
			printf "%s %s %s%s\n", $type, $size, plain($name), $link ne "" ? " -> " . plain($link) : "";'
}

# compare TITLE FILE MUST - MUST: GNU tar has written it, and cannot complain
compare() {
	local title=$1 file=$2 must=${3-} row
	gnu_list "$file" >"$work/gnu" 2>"$work/complaint"
	if [ -s "$work/complaint" ]; then
		[ -n "$must" ] && say 'not ok' "$title: GNU tar reads it"
		return
	fi
	for row in ${exceptions[@]+"${exceptions[@]}"}; do
		[ "${row%% *}" = "$title" ] && return
	done
	"$tarls" "$file" >"$work/ours"
	if cmp -s "$work/gnu" "$work/ours"; then
		say ok "$title: $(wc -l <"$work/gnu") entries"
	else
		say 'not ok' "$title"
		diff "$work/gnu" "$work/ours" | head -10 | sed 's/^/# /'
	fi
}

# ---- what GNU tar writes ----

make_tree() {
	local long
	long=$(printf 'p%.0s' {1..60})
	mkdir -p "$1/d/$long/$long" && cd "$1" || exit 1
	echo hello >file
	ln file hard
	ln -s file link
	ln -s "$long$long$long" longlink
	mkfifo pipe
	echo y >"d/$long/$long/file"
	echo z >"$(printf 'n%.0s' {1..110})"
	: >$'odd name\twith \377 and \\ and \303\244'
	mkdir -p deep/a/b/c
	truncate -s 100000 sparse
	printf middle | dd of=sparse bs=1 seek=50000 conv=notrunc status=none
	chmod 4711 file
	cd - >/dev/null || exit 1
}

make_tree "$work/tree"
for format in v7 ustar oldgnu gnu pax; do
	tar -C "$work/tree" --format=$format --sort=name -cf "$work/t.tar" . 2>/dev/null
	compare "format $format" "$work/t.tar" must
done
for version in 0.0 0.1 1.0; do
	tar -C "$work/tree" --format=pax --sparse --sparse-version=$version -cf "$work/t.tar" sparse file
	compare "holes, version $version" "$work/t.tar" must
done
tar -C "$work/tree" --format=gnu --sparse -cf "$work/t.tar" sparse file
compare 'holes, GNU' "$work/t.tar" must
tar -C "$work/tree" --format=pax --pax-option=globexthdr.name=g,comment:=x,exthdr.name=%d/%f -cf "$work/t.tar" d
compare 'pax, with records for all' "$work/t.tar" must
tar -C "$work/tree" -cf "$work/t.tar" file link
tar -C "$work/tree" -rf "$work/t.tar" pipe
compare 'added to' "$work/t.tar" must

# ---- seeds: of f_tar_diff but for the last byte, of f_unpack but for the first ----

for f in tests/fuzz/corpus/tar_diff/*[!0-9a-f]*; do
	head -c -1 "$f" >"$work/t.tar"
	compare "tar_diff/${f##*/}" "$work/t.tar"
done
for f in tests/fuzz/corpus/unpack/*[!0-9a-f]*; do
	tail -c +2 "$f" >"$work/t.tar"
	compare "unpack/${f##*/}" "$work/t.tar"
done
echo "1..$n"
exit $failed
