#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Completion in a real bash, on a terminal, with our file and nothing else.
load common

test_setup() {
	need python3
	# what is found along PATH writes down how it was called, and lets the program complete
	mkdir "$T/bin"
	cat > "$T/bin/gpurun" <<-EOS
		#!/bin/bash
		[ "\${1-}" = __complete ] && exec "$GPURUN" "\$@"
		printf '<%s>' "\$@" > "$T/line"
		echo DO"NE"
	EOS
	chmod 755 "$T/bin/gpurun"
	cat > "$T/rc" <<-EOS
		set +o history
		bind 'set bell-style none'
		bind 'set enable-bracketed-paste off'
		bind 'set page-completions off'
		PATH=$T/bin:\$PATH
		. $REPO/completions/gpurun.bash
		PS1='READY '
	EOS
	touch train.py 'two words.tar'
	mkdir -p sub/dir
}

talk() {
	printf '%s\n' 'expect READY' "$@" 'expect READY' 'send exit\r' 'end 0' > "$T/script"
	rm -f "$T/line"
	run python3 "$HELPERS/terminal.py" "$T/script" bash --noprofile --rcfile "$T/rc" -i
	[ "$status" = 0 ] || { echo "$output"; false; }
}

# tab TEXT WORDS - what is typed and then completed by one tab calls gpurun with these words.
tab() {
	talk "send gpurun\\x20$1\\t\\r" 'expect DONE'
	is "$(cat "$T/line")" "$2"
}

# list TEXT PATTERN... - two tabs show what fits.
list() {
	local steps=("send gpurun\\x20$1\\t\\t") pattern
	shift
	for pattern; do
		steps+=("expect $pattern")
	done
	talk "${steps[@]}" 'send \x15\r'
}

@test "verbs and options" {
	tab 'imag' '<images>'
	tab '--read' '<--read-only>'
	tab 'run --sec' '<run><--security-opt>'
	tab 'ps --js' '<ps><--json>'
	tab 'prune --al' '<prune><--all>'
	tab 'help ver' '<help><ver>'
	list 'ver' verify version
	list 'run --no-' no-cwd no-home no-init no-tty
}

@test "values of options, behind a blank and behind '='" {
	tab '--gpus no' '<--gpus><none>'
	tab '--gpus=no' '<--gpus=none>'
	tab '--network=n' '<--network=none>'
	tab '--pid=pr' '<--pid=private>'
	tab '--security-opt unmask=A' '<--security-opt><unmask=ALL>'
	tab '--security-opt=seccomp=u' '<--security-opt=seccomp=unconfined>'
	tab '--ulimit mem' '<--ulimit><memlock=>'
	tab '--cap-add CAP_SYS_PT' '<--cap-add><CAP_SYS_PTRACE>'
	tab 'kill -s TE' '<kill><-s><TERM>'
	list '--color=' always auto never
}

@test "files: images, values, the command's own words" {
	tab 'tra' '<train.py>'
	tab 'two' '<two words.tar>'
	tab './sub/d' '<./sub/dir/>'
	tab '-it -v sub/d' '<-it><-v><sub/dir/>'
	tab '--volume=sub/d' '<--volume=sub/dir/>'
	tab '--scratch su' '<--scratch><sub/>'
	tab '--scratch tra' '<--scratch><tra>'
	tab 'x.tar python3 tra' '<x.tar><python3><train.py>'
	tab 'x.tar ls --read' '<x.tar><ls><--read>'
	tab '-- two' '<--><two words.tar>'
}

@test "names in the store" {
	local name
	name=$("$GPURUN" images --json | sed -n '/"names"/,/]/s/^ *"\([^"]*\)",\{0,1\}$/\1/p' | head -n 1)
	[ -n "$name" ] || skip "no image has a name in the store"
	tab "rm ${name:0:3}" "<rm><$name>"
	tab "run ${name:0:3}" "<run><$name>"
}

@test "running containers" {
	"$GPURUN" --name trainer "$BUSYBOX" sh -c 'echo ready; sleep 60' > "$T/out" < /dev/null &
	PID=$!
	wait_for 10 grep -q ready "$T/out"
	tab 'exec tr' '<exec><trainer>'
	tab 'kill tr' '<kill><trainer>'
	tab 'inspect trainer' '<inspect><trainer>'
	kill -9 $PID
	wait $PID || true
	tab 'exec tr' '<exec><tr>'
}

@test "__complete: what the shells ask" {
	works __complete -- --gpus=a
	is "$output" $'--gpus=auto\n--gpus=all\n:none'
	works __complete -- run -v ''
	is "$output" ':files'
	works __complete -- run -v /a:
	is "$output" ':none'
	works __complete -- --no-such ''
	works __complete -- run image cmd ''
	is "$output" ':files'
	works __complete
	is "$output" ''
}

@test "the files are short and whole" {
	for f in gpurun.bash _gpurun gpurun.fish; do
		[ "$(wc -l < "$REPO/completions/$f")" -lt 30 ]
	done
	bash -n "$REPO/completions/gpurun.bash"
	! command -v zsh > /dev/null || zsh -n "$REPO/completions/_gpurun"
	! command -v fish > /dev/null || fish -n "$REPO/completions/gpurun.fish"
}
