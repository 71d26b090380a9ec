#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# list.sh DIR - type, mode and content of everything below DIR; runs in the image, too.
# (Not the number of links: overlayfs counts names that a layer above has deleted.)
cd "$1" || exit 1
find . | LC_ALL=C sort | while read -r p; do
	if [ -L "$p" ]; then
		echo "$p link -> $(readlink "$p")"
	elif [ -d "$p" ]; then
		echo "$p dir $(stat -c %a "$p")"
	else
		echo "$p $(stat -c %a "$p") $(cat "$p")"
	fi
done
