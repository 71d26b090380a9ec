#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Includes follow the table of ARCHITECTURE.md: base, types, the modules that look, plan, run, cli.
. "$(dirname "$0")/lint.bash"

base="arena banned dirents elf err fd json lib str sys"
types="allot audit devices driver edits gpu host image job oci plan profile request"
declare -A may=(
	[base]="$base log"
	[host]="$base $types"
	[gpu]="$base $types"
	[image]="$base $types"
	[job]="$base $types"
	[audit]="$base $types"
	[store]="$base log $types store"
	[state]="$base state"
	[oci]="$base $types"
	[profile]="$base profile"
	[plan]="$base layers $types"
	[run]="$base devices plan edits run"
	[probe]=""
	[cli]="$base layers log $types run state store"
)
declare -A contract=(
	[arena]="" [err]="" [fd]="arena" [json]="arena err" [lib]="err" [log]="err" [str]="arena"
	[sys]="" [banned]="" [elf]="arena" [edits]="arena" [gpu]="arena err" [driver]="edits gpu" [host]="arena err gpu"
	[image]="arena err" [profile]="arena err" [request]="arena gpu" [plan]="arena devices edits err" [devices]=""
	[oci]="arena edits err" [dirents]="" [run]="err plan sys" [state]="arena err sys" [store]="arena err image"
	[allot]="arena err gpu" [job]="arena edits err host" [layers]="arena" [audit]="arena err gpu host image plan"
)

# included FILE - "NAME" for every <gpurun/NAME.h>
included() {
	sed -n 's|^#include <gpurun/\([a-z]*\)\.h>.*|\1|p' "$1"
}

check_modules() {
	local f module h
	for f in src/*/*.[ch]; do
		module=${f#src/}
		module=${module%%/*}
		for h in $(included "$f"); do
			case " ${may[$module]} " in
			*" $h "*) ;;
			*) echo "$f: src/$module may not include gpurun/$h.h" ;;
			esac
		done
	done
}

check_contracts() {
	local f name h
	for f in include/gpurun/*.h; do
		name=$(basename "$f" .h)
		[ -n "${contract[$name]+there}" ] || echo "$f: not in the table of this lint"
		for h in $(included "$f"); do
			case " ${contract[$name]} " in
			*" $h "*) ;;
			*) echo "$f: may not include gpurun/$h.h" ;;
			esac
		done
	done
}

# Private headers stay inside their directory; nothing is reached by a path.
check_private() {
	local f h
	for f in src/*/*.[ch]; do
		for h in $(sed -n 's|^#include "\(.*\)"$|\1|p' "$f"); do
			[ -f "$(dirname "$f")/$h" ] && [ "$h" = "${h##*/}" ] ||
				echo "$f: \"$h\" is not a header of its directory"
		done
	done
}

check_modules_known() {
	local d
	for d in src/*/; do
		d=${d#src/}
		[ -n "${may[${d%/}]+there}" ] || echo "src/$d is not in the table of this lint"
	done
}

rule "every module is known" check_modules_known
rule "modules include what the table allows" check_modules
rule "contracts include what lies below them" check_contracts
rule "private headers stay inside their directory" check_private
finish
