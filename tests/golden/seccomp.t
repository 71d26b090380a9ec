#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What every variant of the seccomp policy does with every system call, on both architectures.
# A difference here is a change of the sandbox: read it before "make golden" takes it over.
cd "$(dirname "$0")/../.." || exit 1
echo 1..2
n=0
for arch in x86_64 aarch64; do
	n=$((n + 1))
	made=${BUILD:-build}/gen/seccomp-$arch.txt
	want=tests/golden/seccomp-$arch.txt
	if [ -n "$GOLDEN_UPDATE" ]; then
		cp "$made" "$want"
	fi
	if out=$(diff -u "$want" "$made" 2>&1); then
		echo "ok $n - seccomp filters of $arch"
	else
		echo "not ok $n - seccomp filters of $arch"
		echo "$out" | head -60 | sed 's/^/# /'
	fi
done
