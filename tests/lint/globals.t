#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# No writable file-scope variables: what a function depends on is handed to it.  The exceptions:
# the log's settings, the tables of loaded functions, flags that a signal handler sets.
. "$(dirname "$0")/lint.bash"

check_globals() {
	local src obj
	while read -r src obj; do
		[ -f "$obj" ] || { echo "$obj: not built"; continue; }
		# section names: .data.rel.ro holds constants that the loader relocates
		objdump -t "$obj" | awk -v src="$src" '
			/ O / && ($(NF-2) ~ /^\.(data|bss|tdata|tbss|data\.rel|data\.rel\.local)$/ ||
				  $(NF-2) == "*COM*") { print src ": " $NF }'
	done < <(objects) |
		grep -vE '^src/base/log\.c: |: (api|[a-z0-9_]+_api|zlib|lzma|zstd)(\.[0-9]+)?$|: (signal|sig)_[a-z_]+$'
}

rule "no writable file-scope variables" check_globals
finish
