#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# On a terminal: job control, window size, Ctrl-C and Ctrl-Z, with -t and without.
load common

test_setup() {
	need python3
	BASH_TAR=$IMAGES/bash.tar
	works -q "$BASH_TAR" bash -c true
	export TERM=dumb G=$GPURUN I=$BASH_TAR
}

# terminal COMMAND... - the script is on stdin
terminal() {
	local script
	script=$(cat)
	run python3 "$HELPERS/terminal.py" "$script"$'\n' "$@"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
}

@test "-t: a terminal of its own, with the caller's size, that follows" {
	terminal "$GPURUN" -t -e PS1='% ' "$BASH_TAR" bash --norc <<- 'END'
		expect %
		send tty; stty size\r
		expect /dev/pts/0
		expect 24 80
		resize 50 120
		send stty size\r
		expect 50 120
		send exit 7\r
		end 7
	END
}

@test "-t: job control inside" {
	terminal "$GPURUN" -t -e PS1='% ' "$BASH_TAR" bash --norc <<- 'END'
		expect %
		send sh -c 'echo u''p; while sleep 0.3; do echo ti''ck; done'\r
		expect \nup
		send \x1a
		expect Stopped
		send jobs; fg\r
		expect Stopped
		expect \ntick
		send \x03
		expect %
		send echo st=$?\r
		expect st=130
		refuse no job control
		refuse cannot set terminal process group
		send exit 0\r
		end 0
	END
}

@test "-t: the terminal is raw while it runs and restored after it" {
	terminal env PS1='% ' bash --norc <<- 'END'
		expect %
		send stty -a > before; $G -t $I bash -c 'exit 3'; echo st=$?; stty -a > after; cmp before after && echo restored\r
		expect st=3
		expect restored
		send $G -t $I bash -c 'kill -9 $$'; echo st=$?; stty -a | cmp - before && echo again\r
		expect st=137
		expect again
		send exit\r
		end
	END
}

@test "-t: Ctrl-C reaches the command once" {
	terminal "$GPURUN" -t "$BASH_TAR" bash -c 'n=0; trap "n=\$((n+1)); echo int=\$n" INT
		echo ready; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; done; echo total=$n' <<- 'END'
		expect ready
		send \x03
		expect int=1
		expect total=1
		end 0
	END
}

@test "without -t: Ctrl-C reaches the command once" {
	terminal env PS1='% ' bash --norc <<- 'END'
		expect %
		send $G --no-tty $I bash -c 'n=0; trap "n=\\$((n+1)); echo i=\\$n" INT; echo re''ady; for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.2; done; echo total=$n'\r
		expect ready
		send \x03
		expect i=1
		expect total=1
		send exit\r
		end
	END
}

@test "without -t: Ctrl-C ends a command that does not catch it" {
	terminal env PS1='% ' bash --norc <<- 'END'
		expect %
		send $G --no-tty $I bash -c 'echo re''ady; exec sleep 100'\r
		expect ready
		send \x03
		expect %
		send echo st=$?\r
		expect st=130
		send exit\r
		end
	END
}

@test "without -t: Ctrl-Z stops it, fg goes on, under an interactive bash" {
	terminal env PS1='% ' bash --norc <<- 'END'
		expect %
		send $G --no-tty $I bash -c 'echo re''ady; sleep 1; echo do''ne'\r
		expect ready
		send \x1a
		expect Stopped
		expect %
		send echo al''ive\r
		expect \nalive
		expect %
		send fg\r
		expect done
		send exit\r
		end 0
	END
}

@test "on a terminal -t is automatic, in a pipe it is not" {
	terminal "$GPURUN" "$BASH_TAR" bash -c 'tty; [ -t 0 ] && [ -t 1 ] && echo both' <<- 'END'
		expect /dev/pts/0
		expect both
		end 0
	END
	run bash -c '"$G" "$I" bash -c "[ -t 1 ] || echo pipe"' < /dev/null
	is "$output" pipe
}

@test "-t without a terminal still gives one" {
	run bash -c '"$G" -t "$I" bash -c "[ -t 0 ] && [ -t 1 ] && echo terminal" < /dev/null'
	has "$output" terminal
}

@test "output before the end is not lost" {
	terminal "$GPURUN" -t "$BASH_TAR" bash -c 'for ((i = 0; i < 20000; i++)); do echo "line $i of many"; done' <<- 'END'
		expect line 19999 of many
		end 0
	END
}
