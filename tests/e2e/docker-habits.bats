#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Command lines that fingers type for docker.
load common

@test "docker run --rm -it --init --network host -u \$(id -u):\$(id -g)" {
	silent run --rm -it --init --network host -u "$(id -u):$(id -g)" --ipc=host \
		--ulimit memlock=-1 --no-tty "$BUSYBOX" id -u || {
		# a hard limit of memlock below unlimited gives one warning
		is "$status" 0
		has "$stderr" memlock
	}
	is "$output" "$(id -u)"
}

@test "NVIDIA's own line" {
	works run --rm -it --ipc=host --ulimit memlock=-1 --ulimit stack=67108864 -v "$PWD:/w" -w /w \
		"$IMAGES/bash.tar" bash -c true
	works run --gpus none --rm -i --shm-size=1g -e A=b --name c1 --hostname h --workdir /tmp \
		"$BUSYBOX" sh -c 'echo $A $(pwd) $(hostname)'
	is "$output" 'b /tmp h'
}

@test "words in every spelling: -eA=b, -e A=b, --env=A=b, --env A=b, -itrm is not one" {
	for w in '-eA=b' '-e A=b' '--env=A=b' '--env A=b'; do
		works $w "$BUSYBOX" sh -c 'echo $A'
		is "$output" b
	done
	works -ti --no-tty "$BUSYBOX" true
}

@test "--gpus with docker's inner quotes" {
	works --gpus '"device=none"' --dry-run "$BUSYBOX" true || one_message
	works --gpus none "$BUSYBOX" true
	fails 125 --gpus '"device=0,7"' "$BUSYBOX" true
}

@test "what docker has and we do not is refused with what to use instead" {
	for w in -d --detach --privileged; do
		fails 125 run $w "$BUSYBOX" true
		[ -n "$(grep '^hint: ' <<< "$stderr")" ]
	done
	fails 125 run -v named:/data "$BUSYBOX" true
	[ -n "$(grep '^hint: ' <<< "$stderr")" ]
	fails 125 run -p 8080:80 "$BUSYBOX" true
	fails 125 run --memory 1g "$BUSYBOX" true
}

@test "mistyped options suggest the right one" {
	fails 125 --gpu 0 "$BUSYBOX" true
	says '--gpu'
	fails 125 --read_only "$BUSYBOX" true
}

@test "docker's verbs that are not ours" {
	for v in build push login; do
		fails 125 $v x
	done
}
