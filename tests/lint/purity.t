#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an object imports shows what it can do: plan/ decides without looking, what runs after
# clone3 calls nothing that allocates or locks, exits and output have their places.
. "$(dirname "$0")/lint.bash"

# libc without input, output, clock or environment, and the compiler's own
pure='mem(cpy|cmp|set|chr|rchr|move|mem|pcpy)|rawmemchr|str(n?len|n?cmp|r?chr|chrnul|str|spn|cspn|pbrk|n?casecmp|toull?|toll?)'
pure="$pure|v?snprintf|qsort|bsearch|__isoc[0-9a-z_]*|__ctype_b_loc|gnu_dev_(major|minor|makedev)"
pure="$pure|__(mem|str|v?snprintf)[a-z]*_chk|__stack_chk_fail|_GLOBAL_OFFSET_TABLE_|__sanitizer.*"
# ours: base without fd, root, lib, log and sys; the pure halves of the modules that look
ours='(arena|err|str|strv|num|path|json|jsonw|utf8)_[a-z0-9_]+|op_kind_name|edits_[a-z0-9_]+|plan_[a-z0-9_]+'
ours="$ours|profile_cap(_name)?|host_(getenv|path_variables)|image_(argv|user)[a-z_]*|gpu_edits"

# what the objects of a module define for each other, a pattern
defined() {
	objects "$1/*.c" | while read -r src obj; do echo "$obj"; done |
		xargs nm -g --defined-only | awk 'NF == 3 { print $3 }' | sort -u | paste -sd'|'
}

impure_plan() {
	imports 'src/plan/*.c' '.*' | grep -vxE "src/plan/[a-z_]*\.c: ($pure|$ours|$(defined src/plan))"
}

heap='malloc|calloc|realloc|reallocarray|free|posix_memalign|aligned_alloc|strn?dup|v?asprintf|__v?asprintf_chk'
stdio='fopen|fdopen|fclose|f?printf|__f?printf_chk|f?puts|f?putc|putchar|perror|fflush|getline|stdin|stdout|stderr'
locks='opendir|fdopendir|readdir|closedir|syslog|openlog|get(pw|gr|host)[a-z_]*|getaddrinfo|setlocale|strerror|pthread_[a-z_]*|dlopen|dlsym|atexit|localtime(_r)?|tzset'

rule "plan/ imports no input, output, clock or environment" impure_plan
rule "run/ imports nothing that allocates" imports 'src/run/*.c' "$heap"
rule "run/ imports no stdio" imports 'src/run/*.c' "$stdio"
rule "run/ imports nothing that locks or reads the host's databases" imports 'src/run/*.c' "$locks"

elsewhere() {
	imports 'src/*/*.c' "$1" | grep -vE "^($2): "
}
rule "exit only in main (and where memory ends)" elsewhere 'exit|abort|quick_exit' \
	'src/cli/main\.c|src/base/arena\.c'
rule "_exit only in main, in run/ and in forked workers (and where memory ends)" elsewhere \
	'_exit|_Exit' 'src/run/[a-z]*\.c|src/store/(cleaner|conversation|probe|worker)\.c|src/gpu/forked\.c|src/cli/(doctor_trial|main)\.c|src/base/arena\.c'
rule "stderr only in log" elsewhere 'stderr|perror|fprintf|__fprintf_chk|v?warnx?|v?errx?|psignal' \
	'src/base/log\.c'
rule "stdout only in cli/" elsewhere 'stdout|printf|puts|putchar|__printf_chk' 'src/cli/[a-z_]*\.c'
# sys.c takes the place where it begins for the end of argv, which it wipes
rule "the environment only in host/ and cli/" elsewhere '(secure_)?getenv|environ|setenv|putenv' \
	'src/(host|cli)/[a-z_]*\.c|src/base/sys\.c'
rule "no shell, no working directory, no path resolution by libc" elsewhere \
	'system|popen|wordexp|realpath|__realpath_chk|canonicalize_file_name' 'src/cli/[a-z_]*\.c'
finish
