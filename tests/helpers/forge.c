/* SPDX-License-Identifier: Apache-2.0 */
/*
 * forge.c - a record as its launcher publishes it, by whoever runs this:
 *
 *	forge FILE < RECORD	FILE is locked and names this process; PID in the record becomes its
 *				pid, START its start time.  Says "ready", and stays
 *	forge slot FILE		writes the slot of this process into a step's FILE, says it, and stays
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static char text[1 << 16];

static unsigned long long start_time(void)
{
	char stat[1024] = "", *p;
	unsigned long long start = 0;
	int fd = open("/proc/self/stat", O_RDONLY);

	if (fd < 0 || read(fd, stat, sizeof(stat) - 1) <= 0)
		return 0;
	p = strrchr(stat, ')');
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		start = strtoull(p, NULL, 10);
	close(fd);
	return start;
}

static unsigned long long inode(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_ino : 0;
}

static int stay(void)
{
	fflush(stdout);
	for (;;)
		pause();
}

/* @word, wherever it is in the text, becomes a number. */
static void put_number(const char *word, unsigned long long v)
{
	char number[32], *at;

	snprintf(number, sizeof(number), "%llu", v);
	while ((at = strstr(text, word))) {
		size_t rest = strlen(at + strlen(word)) + 1;

		if ((size_t)(at - text) + strlen(number) + rest > sizeof(text))
			return;
		memmove(at + strlen(number), at + strlen(word), rest);
		memcpy(at, number, strlen(number));
	}
}

static int put_slot(const char *file)
{
	int fd = open(file, O_WRONLY | O_TRUNC);

	snprintf(text, sizeof(text), "%10d %20llu %20llu %20llu\n", getpid(), start_time(),
		 inode("/proc/self/ns/user"), inode("/proc/self/ns/mnt"));
	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return 3;
	close(fd);
	fputs(text, stdout);
	return stay();
}

int main(int argc, char **argv)
{
	size_t n;
	int fd, memory;

	if (argc == 3 && !strcmp(argv[1], "slot"))
		return put_slot(argv[2]);
	n = fread(text, 1, sizeof(text) - 1, stdin);
	if (argc != 2 || n == 0)
		return 2;
	fd = open(argv[1], O_RDWR | O_CREAT, 0600);
	memory = memfd_create("gpurun-record", MFD_ALLOW_SEALING);
	if (fd < 0 || flock(fd, LOCK_EX) < 0 || memory < 0)
		return 3;
	put_number("PID", (unsigned long long)getpid());
	put_number("START", start_time());
	if (write(memory, text, strlen(text)) < 0)
		return 4;
	if (fcntl(memory, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) <
	    0)
		return 4;
	dprintf(fd, "%d %d %d\n", getpid(), fd, memory);
	printf("ready\n");
	return stay();
}
