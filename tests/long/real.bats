#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Debian with python3 and gcc doing real work.
#
#	GPURUN_TEST_DEBIAN   the image; made by images/debian (minutes, needs a mirror) when missing
load ../e2e/common

test_setup_file() {
	DEBIAN=${GPURUN_TEST_DEBIAN:-$REPO/build/debian.tar.zst}
	export DEBIAN
	if [ ! -e "$DEBIAN" ]; then
		command -v mmdebstrap > /dev/null || return 0
		sh "$REPO/images/debian/build.sh" "$DEBIAN.$$" >&2 && mv "$DEBIAN.$$" "$DEBIAN" || return 0
	fi
	XDG_RUNTIME_DIR=$FILE_DIR/run "$GPURUN" -q "$DEBIAN" true || true
}

test_setup() {
	[ -e "$DEBIAN" ] || cannot "no Debian image (mmdebstrap and a mirror are needed)"
}

@test "gpurun debian.tar.zst cat /etc/os-release" {
	silent "$DEBIAN" cat /etc/os-release
	has "$output" '^ID=debian$'
}

@test "an unpack says where it goes and how much it takes" {
	try --store "$T/store" "$DEBIAN" true
	is "$status" 0
	has "$stderr" "$T/store"
	has "$stderr" '[0-9] ?[MG]i?B'
}

@test "layers: what the last one deleted is gone, the others are whole" {
	works "$DEBIAN" sh -c 'find /usr/share/doc /usr/share/man -type f | wc -l; dpkg --audit; dpkg -V 2> /dev/null |
		grep -vE "/usr/share/(doc|man|locale)/|^..5......  c |^\?\?" | head -5'
	is "$(sed -n 1p <<< "$output")" 0
	is "$(wc -l <<< "$output")" 1
}

@test "python3 -m unittest of something big" {
	try "$DEBIAN" python3 -m unittest -q test.test_json test.test_re test.test_collections \
		test.test_threading test.test_shutil test.test_tempfile test.test_mmap test.test_fcntl test.test_select \
		test.test_signal test.test_pathlib test.test_glob
	is "$status" 0 || echo "$stderr" | tail -40
	is "$status" 0
	has "$stderr" 'Ran [0-9]{3,} tests'
}

@test "numpy, shared memory and multiprocessing" {
	works "$DEBIAN" python3 -c '
import multiprocessing as m, numpy as n
from multiprocessing import shared_memory
def f(i): return float((n.ones((200, 200)) @ n.ones((200, 200)))[0, 0]) + i
if __name__ == "__main__":
    with m.Pool(4) as p: print(sum(p.map(f, range(16))))
    s = shared_memory.SharedMemory(create=True, size=1 << 20); s.close(); s.unlink()'
	is "$output" 3320.0
}

@test "a C compile" {
	cat > hello.c << 'END'
#include <stdio.h>
#include <math.h>
int main(int argc, char **argv) { (void)argv; printf("%.3f\n", sqrt(argc + 1.0)); return 0; }
END
	printf 'hello: hello.c\n\tgcc -O2 -o $@ $< -lm\n' > Makefile
	works -C "$DEBIAN" sh -c 'make -s && ./hello'
	is "$output" 1.414
	is "$(stat -c %u hello)" "$(id -u)"
}

@test "-C brings train.py; without it there is the hint" {
	echo 'import sys; print("trained", sys.argv[1:])' > train.py
	works -C "$DEBIAN" python3 train.py --epochs 3
	is "$output" "trained ['--epochs', '3']"
	try "$DEBIAN" python3 train.py
	[ "$status" != 0 ]
	hints '-C'
}

@test "NVIDIA's own line" {
	works run --rm -it --ipc=host --ulimit memlock=-1 --ulimit stack=67108864 -v "$PWD:/w" -w /w "$DEBIAN" bash -c true
}

@test "apt-get install under --root, kept and used again" {
	try --root --keep work "$DEBIAN" sh -c 'apt-get -qq update && apt-get -qq install -y --no-install-recommends hello file'
	[ "$status" = 0 ] || { echo "$output"; echo "$stderr"; }
	is "$status" 0
	works --keep work "$DEBIAN" sh -c 'hello; file -b /bin/sh; dpkg -s hello | grep Status'
	has "$output" 'Hello, world!'
	has "$output" 'install ok installed'
	works --root --keep work "$DEBIAN" apt-get -qq purge -y hello
	try --keep work "$DEBIAN" hello
	is "$status" 127
	works --root "$DEBIAN" sh -c 'dpkg -s hello 2> /dev/null || echo not here'
	is "$output" 'not here'
}

@test "pip install under --keep, as yourself and as root" {
	mkdir -p package/thing
	echo 'value = 42' > package/thing/__init__.py
	printf 'from setuptools import setup\nsetup(name="thing", version="1", packages=["thing"])\n' > package/setup.py
	for who in "" "--root"; do
		works $who --keep "pip$who" -C "$DEBIAN" pip install -q --break-system-packages --no-index \
			--no-build-isolation --root-user-action ignore ./package
		works $who --keep "pip$who" "$DEBIAN" python3 -c 'import thing; print(thing.value)'
		is "$output" 42
	done
	try "$DEBIAN" python3 -c 'import thing'
	is "$status" 1
}

@test "useradd, adduser and the like under --root" {
	works --root "$DEBIAN" sh -c 'groupadd -r g1 && useradd -m -g g1 u1 && install -o u1 -g g1 -m 640 /dev/null /f && chown -R u1:g1 /home/u1 && id u1'
	has "$output" u1
}

@test "1 GiB through stdin and stdout unharmed" {
	want=$(head -c 1G /dev/zero | tr '\0' g | sha256sum)
	got=$(head -c 1G /dev/zero | tr '\0' g | "$GPURUN" "$DEBIAN" cat | sha256sum)
	is "$got" "$want"
	head -c 1G /dev/zero | "$GPURUN" "$DEBIAN" sh -c 'cat > /dev/null; echo all' > out
	is "$(cat out)" all
	is "$("$GPURUN" "$DEBIAN" head -c 1G /dev/zero | wc -c)" 1073741824
}

@test "on a terminal: bash, its prompt, completion of a program's output" {
	need python3
	run python3 "$HELPERS/terminal.py" $'expect [$#] \nsend echo $((6*7))\\r\nexpect 42\nsend exit 5\\r\nend 5\n' \
		"$GPURUN" -t "$DEBIAN" bash --norc
	[ "$status" = 0 ] || { echo "$output"; false; }
}
