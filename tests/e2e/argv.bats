#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# ENTRYPOINT, CMD, arguments and --entrypoint: the 36 cases, as docker documents them.
load common

# One image for each pair of ENTRYPOINT and CMD.  The exec forms print their words in brackets,
# the shell forms (what docker makes of "ENTRYPOINT echo ..." without brackets) their text.
test_setup_file() {
	local e c
	local none=() exec_e=(--entrypoint args --entrypoint e1) exec_c=(--cmd args --cmd c1)
	local shell_e=(--entrypoint /bin/sh --entrypoint -c --entrypoint 'echo E $0 $1')
	local shell_c=(--cmd /bin/sh --cmd -c --cmd 'echo C $0 $1')
	for e in none exec shell; do
		for c in none exec shell; do
			local -n words_e=$([ $e = none ] && echo none || echo ${e}_e)
			local -n words_c=$([ $c = none ] && echo none || echo ${c}_c)
			mkimage "$IMAGES/busybox" --docker --env PATH=/bin "${words_e[@]}" "${words_c[@]}" \
				"$FILE_DIR/$e-$c.tar"
		done
	done
}

# row ENTRYPOINT CMD ARGS OPTION WANT - ARGS: "-" or words; OPTION: "-" or the value of
# --entrypoint; WANT: what it prints, or "error"
row() {
	local image=$FILE_DIR/$1-$2.tar option=() args=()
	[ "$4" = - ] || option=(--entrypoint "$4")
	[ "$3" = - ] || read -ra args <<< "$3"
	try "${option[@]}" "$image" "${args[@]}"
	if [ "$5" = error ]; then
		[ "$status" = 125 ] && one_message && return
	else
		[ "$status" = 0 ] && [ "$output" = "$5" ] && return
	fi
	printf 'ENTRYPOINT %s CMD %s arguments %s --entrypoint %s:\n%s\nwanted: %s\n' "$@" \
		"$status $output $stderr" "$5"
	return 1
}

@test "as the image says" {
	row none  none  -           - error
	row none  exec  -           - '[c1]'
	row none  shell -           - 'C /bin/sh'
	row exec  none  -           - '[e1]'
	row exec  exec  -           - '[e1][args][c1]'
	row exec  shell -           - '[e1][/bin/sh][-c][echo C $0 $1]'
	row shell none  -           - 'E /bin/sh'
	row shell exec  -           - 'E args c1'
	row shell shell -           - 'E /bin/sh -c'
}

@test "arguments replace CMD" {
	row none  none  'args a b'  - '[a][b]'
	row none  exec  'args a b'  - '[a][b]'
	row none  shell 'args a b'  - '[a][b]'
	row exec  none  'a b'       - '[e1][a][b]'
	row exec  exec  'a b'       - '[e1][a][b]'
	row exec  shell 'a b'       - '[e1][a][b]'
	row shell none  'a b'       - 'E a b'
	row shell exec  'a b'       - 'E a b'
	row shell shell 'a b'       - 'E a b'
}

@test "--entrypoint replaces ENTRYPOINT and forgets CMD" {
	row none  none  -           args ''
	row none  exec  -           args ''
	row none  shell -           args ''
	row exec  none  -           args ''
	row exec  exec  -           args ''
	row exec  shell -           args ''
	row shell none  -           args ''
	row shell exec  -           args ''
	row shell shell -           args ''
}

@test "--entrypoint with arguments" {
	row none  none  'a b'       args '[a][b]'
	row none  exec  'a b'       args '[a][b]'
	row none  shell 'a b'       args '[a][b]'
	row exec  none  'a b'       args '[a][b]'
	row exec  exec  'a b'       args '[a][b]'
	row exec  shell 'a b'       args '[a][b]'
	row shell none  'a b'       args '[a][b]'
	row shell exec  'a b'       args '[a][b]'
	row shell shell 'a b'       args '[a][b]'
}

@test "--entrypoint '' clears it" {
	row exec  none  -           '' error
	row exec  exec  -           '' error
	row exec  exec  'args a'    '' '[a]'
}

@test "words travel as they are" {
	works "$BUSYBOX" args '' ' ' 'a b' $'new\nline' '*' '$HOME' --help -- -e 'é'
	is "$output" $'[][ ][a b][new\nline][*][$HOME][--help][--][-e][é]'
}

@test "options stop at IMAGE, and -- is accepted" {
	works -- "$BUSYBOX" args --read-only
	is "$output" '[--read-only]'
	works run -- "$BUSYBOX" args -t
	is "$output" '[-t]'
	works run "$BUSYBOX" args run
	is "$output" '[run]'
}
