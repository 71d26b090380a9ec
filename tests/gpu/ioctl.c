/* SPDX-License-Identifier: Apache-2.0 */
/* ioctl NODE - does the node open, and does it take NVIDIA's version query?  "open: EACCES" */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>

/* NV_ESC_CARD_INFO with room for no card: any answer of the driver is an answer */
#define CARD_INFO _IOC(_IOC_READ | _IOC_WRITE, 'F', 200, 72)

static const char *name(int error)
{
	static char number[16];

	switch (error) {
	case 0:
		return "ok";
	case EACCES:
		return "EACCES";
	case EPERM:
		return "EPERM";
	case ENOENT:
		return "ENOENT";
	case ENXIO:
		return "ENXIO";
	default:
		(void)snprintf(number, sizeof(number), "%d", error);
		return number;
	}
}

int main(int argc, char **argv)
{
	char info[72] = { 0 };
	int fd = argc > 1 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;

	if (fd < 0) {
		printf("open: %s\n", name(errno));
		return 0;
	}
	printf("ioctl: %s\n", name(ioctl(fd, CARD_INFO, info) < 0 ? errno : 0));
	return 0;
}
