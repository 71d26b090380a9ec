#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# banned.h really stops each function that CONTRIBUTING.md names, and every file of src/ gets it.
. "$(dirname "$0")/lint.bash"
cc=${CC:-gcc}

calls='
strcpy|char b[9]; strcpy(b, "x"); return b[0];
strcat|char b[9] = ""; strcat(b, "x"); return b[0];
sprintf|char b[9]; return sprintf(b, "x");
vsprintf|char b[9]; va_list v; return vsprintf(b, "x", v);
strtok|char b[9] = "a b"; return *strtok(b, " ");
atoi|return atoi("1");
atol|return (int)atol("1");
system|return system("x");
popen|return popen("x", "r") != 0;
alloca|return alloca(9) != 0;
malloc|return malloc(9) != 0;
calloc|return calloc(9, 9) != 0;
realloc|return realloc(0, 9) != 0;
strdup|return strdup("x") != 0;
strndup|return strndup("x", 1) != 0;
asprintf|char *s; return asprintf(&s, "x");
dup|return dup(0);
gets|char b[9]; return gets(b) != 0;
getenv|return getenv("x") != 0;
'

# compiles BODY - a function with this body, as the Makefile compiles src/
compiles() {
	printf '#include <stdarg.h>\nint f(void);\nint f(void) { %s }\n' "$1" |
		$cc -Iinclude -D_GNU_SOURCE -include gpurun/banned.h -w -x c -fsyntax-only - 2>/dev/null
}

check_banned() {
	local name body
	while IFS='|' read -r name body; do
		[ -n "$name" ] || continue
		! compiles "$body" || echo "$name still compiles"
	done <<<"$calls"
	compiles 'return dup2(0, 1) + (int)strtoul("1", 0, 10);' || echo "what is allowed does not compile"
}

# The escape hatches: parentheses around a name, #undef, GPURUN_MAY_GETENV in a source.
check_escapes() {
	grep -nE '\((strcpy|strcat|v?sprintf|strtok|ato[il]|system|popen|alloca|[mc]alloc|realloc|strn?dup|dup|gets|getenv)\)[[:space:]]*\(' src/*/*.[ch]
	grep -nE '^[[:space:]]*#[[:space:]]*undef (strcpy|strcat|v?sprintf|strtok|ato[il]|system|popen|alloca|[mc]alloc|realloc|strn?dup|dup|gets|getenv)' src/*/*.[ch]
	grep -n 'GPURUN_MAY_GETENV' src/*/*.[ch]
}

rule "banned functions do not compile" check_banned
rule "nobody goes around banned.h" check_escapes
finish
