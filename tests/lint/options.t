#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# One table of options: the manual page names each of them and no other, --help shows each, the
# completions hold no copy of it.
. "$(dirname "$0")/lint.bash"

# the completion of a verb offers the store's images, too: have none
GPURUN_STORE=$(mktemp -d)
export GPURUN_STORE
trap 'rm -rf "$GPURUN_STORE"' EXIT

verbs() {
	"$GPURUN" __complete -- '' | awk -F'\t' '/^:/ || /[\/.]/ { next } { print $1 }'
}

# what the table says, through the hidden verb that the completions ask
table() {
	local verb
	for verb in $(verbs); do
		"$GPURUN" __complete -- "$verb" -- | cut -f1 | grep -oE '^--[a-z0-9-]+'
	done | sort -u
}

manual() {
	grep -E '^\.(It|Op) ' man/gpurun.1 | grep -oE 'Fl -[a-z0-9][a-z0-9-]*' | sed 's/Fl -/--/' | sort -u
}

helped() {
	local verb
	for verb in '' $(verbs); do
		"$GPURUN" help $verb
	done | grep -oE -- '--[a-z0-9][a-z0-9-]*' | sort -u
}

missing_in_manual() {
	comm -23 <(table) <(manual)
}

unknown_in_manual() {
	local o
	# what the manual page explains must at least be refused by name, not as a typing mistake
	for o in $(comm -13 <(table) <(manual)); do
		"$GPURUN" run "$o" x y </dev/null 2>&1 | grep -iE 'unknown|no such option' | sed "s|^|$o: |"
	done
}

missing_in_help() {
	comm -23 <(table) <(helped)
}

missing_verbs() {
	local verb
	for verb in $(verbs); do
		grep -qE "(Nm|Cm|Ic|Ss|It).* $verb( |\$)" man/gpurun.1 || echo "$verb"
	done
}

empty_table() {
	[ "$(table | wc -l)" -gt 20 ] || echo "only: $(table | tr '\n' ' ')"
}

copies() {
	grep -nE -- '--(volume|gpus|env|workdir|read-only|keep)\b' completions/*
}

rule "the program tells its options" empty_table
rule "the manual page has every option" missing_in_manual
rule "the manual page has no other option" unknown_in_manual
rule "help has every option" missing_in_help
rule "the manual page has every verb" missing_verbs
rule "completions hold no copy of the table" copies
finish
