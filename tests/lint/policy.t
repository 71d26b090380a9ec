#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The compiler of the seccomp policies refuses mistakes, and jumps further than a conditional
# jump reaches.
. "$(dirname "$0")/lint.bash"
gen=$BUILD/seccomp-gen
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
head='variants a b
known 469
unlisted eperm
[files] allow'

# refuses WORD LINES - the compiler fails and its message has the word
refuses() {
	local out
	printf '%s\n' "$2" >"$tmp/p"
	if out=$("$gen" x86_64 "$tmp/p" "$tmp/h" "$tmp/d" 2>&1); then
		echo "accepted: $2"
	elif [[ $out != *"$1"* ]]; then
		echo "said: $out"
	fi
}

rule "a name that does not exist" refuses 'unknown to libseccomp' "$head
	raed"
rule "a number that is not the name's" refuses 'libseccomp says' "$head
	read=7"
rule "a call above the last known" refuses 'lies above' "$head
	tomorrow=470"
rule "a call twice" refuses 'is listed already' "$head
	read
	read"
rule "two calls with one number" refuses 'is listed already' "$head
	new_one=469
	new_two=469"
rule "two conditions in one variant" refuses 'two conditions' "$head
	read eperm if arg0 == 1
	read eperm if arg0 == 2"
rule "an action" refuses 'no such action' "$head
[more] deny"
rule "a variant" refuses 'no such variant' "$head
	read eperm if arg0 == 1 in c"
rule "an argument" refuses 'expected arg0' "$head
	read eperm if arg6 == 1"
rule "a comparison without values" refuses 'needs values' "$head
	read eperm if arg0 =="
rule "no comparison" refuses 'needs values' "$head
	read eperm if arg0"
rule "a value" refuses 'not a number' "$head
	read eperm if arg0 == 0x100000000"
rule "a call that is missing from a whole policy" refuses 'is not listed' 'variants a
known 469
unlisted refuse
[files] allow
	read'

# Every call with a condition of its own: more than a thousand instructions.
far_jumps() {
	local nr name
	{
		printf 'variants far\nknown 469\nunlisted eperm\n[all] allow\n'
		grep -m 300 -E '^ *[0-9]+ [a-z_]' tests/golden/seccomp-x86_64.txt | while read -r nr name _; do
			echo "	$name=$nr eperm if arg1 & 0xffff == $((nr + 1000)) $((nr + 2000))"
		done
	} >"$tmp/p"
	"$gen" x86_64 "$tmp/p" "$tmp/h.h" "$tmp/d" || return
	cat >"$tmp/t.c" <<-'END'
		#include <bpf.h>
		#include "h.h"
		#define LEN (sizeof(seccomp_x86_64_far) / sizeof(seccomp_x86_64_far[0]))
		static unsigned int run(int nr, unsigned long long arg)
		{
			struct seccomp_data d = { .nr = nr, .arch = 0xc000003e, .args = { 0, arg } };
			return bpf_run(seccomp_x86_64_far, LEN, &d);
		}
		int main(void)
		{
			if (LEN < 1000)
				printf("only %zu instructions\n", LEN);
			for (int nr = 0; nr < 300; nr++)
				for (unsigned int v = 900; v < 2500; v++) {
					unsigned int m = (int)v == nr + 1000 || (int)v == nr + 2000;
					if (run(nr, v | 0xf00000000) != (m ? 0x50001U : 0x7fff0000U))
						printf("%d %u\n", nr, v);
				}
			return 0;
		}
	END
	${CC:-gcc} -O1 -Itests/helpers -include linux/types.h -o "$tmp/t" "$tmp/t.c" && "$tmp/t" | head -5
}
rule "jumps over more than 255 instructions" far_jumps
finish
