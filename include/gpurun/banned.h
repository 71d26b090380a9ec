/* SPDX-License-Identifier: Apache-2.0 */
/*
 * banned.h - functions that this program does not use; the Makefile includes it in front of
 * every file of src/.  The system's headers come first, then the names stop to compile.
 */
#ifndef GPURUN_BANNED_H
#define GPURUN_BANNED_H

#include <alloca.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* no bound on what is written: snprintf, arena_printf, arena_strdup */
#undef strcpy
#define strcpy(...) banned_strcpy_use_arena_strdup
#undef strcat
#define strcat(...) banned_strcat_use_arena_printf
#undef sprintf
#define sprintf(...) banned_sprintf_use_snprintf
#undef vsprintf
#define vsprintf(...) banned_vsprintf_use_vsnprintf
#undef gets
#define gets(...) banned_gets_use_fd_read_up_to

/* hidden state, or no error: str_split, num_u64 */
#undef strtok
#define strtok(...) banned_strtok_use_str_split
#undef atoi
#define atoi(...) banned_atoi_use_num_u64
#undef atol
#define atol(...) banned_atol_use_num_u64

/* a shell: fork, and execve of what was named in full */
#undef system
#define system(...) banned_system_use_execve
#undef popen
#define popen(...) banned_popen_use_execve

/* memory has one lifetime: the arena */
#undef alloca
#define alloca(...) banned_alloca_use_arena_alloc
#undef malloc
#define malloc(...) banned_malloc_use_arena_alloc
#undef calloc
#define calloc(...) banned_calloc_use_arena_calloc
#undef realloc
#define realloc(...) banned_realloc_use_arena_grow
#undef strdup
#define strdup(...) banned_strdup_use_arena_strdup
#undef strndup
#define strndup(...) banned_strndup_use_arena_strndup
#undef asprintf
#define asprintf(...) banned_asprintf_use_arena_printf
#undef vasprintf
#define vasprintf(...) banned_vasprintf_use_arena_printf

/* not close-on-exec: fcntl(F_DUPFD_CLOEXEC), dup3 */
#undef dup
#define dup(...) banned_dup_use_F_DUPFD_CLOEXEC

/* the environment is read once, by the modules that ask and look */
#ifndef GPURUN_MAY_GETENV
#undef getenv
#define getenv(...) banned_getenv_outside_host_and_cli
#undef secure_getenv
#define secure_getenv(...) banned_getenv_outside_host_and_cli
#endif

#endif
