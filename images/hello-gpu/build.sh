#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# build.sh OUT [MKIMAGE-OPTION]... - an image that holds nothing but the static program hello-gpu.
# Without options: a "docker save" archive whose entry point it is.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?usage: build.sh OUT [MKIMAGE-OPTION]...}
shift
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
umask 022
mkdir -p "$tmp/1/bin"
${CC:-cc} -std=gnu17 -O2 -Wall -static -s -o "$tmp/1/bin/hello-gpu" "$here/hello-gpu.c"
[ $# -gt 0 ] || set -- --docker --entrypoint /bin/hello-gpu --tag hello-gpu:latest
sh "$here/../mkimage.sh" "$tmp/1" --env PATH=/bin "$@" "$out"
