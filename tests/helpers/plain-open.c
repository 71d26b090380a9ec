// SPDX-License-Identifier: Apache-2.0
/*
 * plain-open.c - openat2(2) by openat(2), for programs below a tool that does not know it.
 *
 * Valgrind 3.19 answers openat2 with ENOSYS.  Loaded before libc this takes libc's syscall(2) over
 * and opens below the directory without the promises of openat2: good for counting in a tree whose
 * links are relative, for nothing else.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdarg.h>
#include <sys/syscall.h>

static long raw(long number, const long a[6])
{
#if defined(__x86_64__)
	register long d __asm__("r10") = a[3];
	register long e __asm__("r8") = a[4];
	register long f __asm__("r9") = a[5];
	long r;

	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(d), "r"(e), "r"(f)
			 : "rcx", "r11", "memory");
	return r;
#else
#error "not written for this architecture"
#endif
}

long syscall(long number, ...)
{
	long a[6], r;
	va_list args;

	va_start(args, number);
	for (int i = 0; i < 6; i++)
		a[i] = va_arg(args, long);
	va_end(args);
	if (number == SYS_openat2) {
		const struct open_how *how = (const struct open_how *)a[2];
		const char *path = (const char *)a[1];

		while (how->resolve && path[0] == '/')
			path++;
		number = SYS_openat;
		a[1] = (long)(path[0] ? path : ".");
		a[2] = (long)how->flags;
		a[3] = (long)how->mode;
	}
	r = raw(number, a);
	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return -1;
	}
	return r;
}
