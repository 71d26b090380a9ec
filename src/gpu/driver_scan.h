/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_scan.h - the directories that hold the driver's libraries, and its files as they are on
 * the host; private to src/gpu/.
 */
#ifndef GPURUN_GPU_DRIVER_SCAN_H
#define GPURUN_GPU_DRIVER_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <gpurun/driver.h>

#define DRIVER_NAMES_MAX 8192U /* of one directory, that may be the driver's */
#define DRIVER_DIRS_MAX  64U

struct driver_dir {
	const char *path; /* below the root */
	dev_t dev;
	ino_t ino;
	struct strv names; /* those that may be the driver's, in no order */
};

/**
 * struct driver_scan - what was looked at below a driver root
 * @want: the version that is preferred, or NULL; @caps: what files are wanted for
 * @host: the root's path on the host, "" for the real root
 * @programs: where programs are, when not at the usual places
 */
struct driver_scan {
	struct arena *a;
	const struct sysroot *root;
	const char *want;
	uint32_t caps;
	const char *host;
	struct driver_dir *v;
	size_t n, cap;
	struct strv searched, programs;
	/* versions of libcuda and libnvidia-ml that we could load, the newest first */
	struct strv versions;
};

/**
 * driver_scan - find the directories with the libraries of the wanted version, else of any
 * a, root, want and caps are set.
 * Errors: only what is no fact about the driver (no descriptors left, a directory out of bounds)
 */
int driver_scan(struct driver_scan *s, struct err *e);

/**
 * driver_open - a file of type @type (S_IFREG, S_IFSOCK) below the root; links resolved there
 * @ret_host: its path on the host
 * Return: descriptor (O_PATH but for regular files), -ENOENT when it is something else, -errno
 */
int driver_open(const struct driver_scan *s, const char *path, mode_t type, const char **ret_host);

/**
 * driver_open_dir - a directory of the scan, for driver_open_lib()
 * @ret_host: its path on the host
 * Return: descriptor, -errno
 */
int driver_open_dir(const struct driver_scan *s, const struct driver_dir *dir,
		    const char **ret_host);

/**
 * driver_open_lib - the file @name of a directory, as driver_open(), but of whatever type
 * @fd, @host: of driver_open_dir().  Most are no links: their paths need not be asked for.
 */
int driver_open_lib(const struct driver_scan *s, const struct driver_dir *dir, int fd,
		    const char *host, const char *name, const char **ret_host);

/**
 * driver_host_path - where the descriptor leads on the host
 * @host: the root's own path there, "" for the real root
 * Return: NULL: nowhere any more, or out of the root
 */
const char *driver_host_path(struct arena *a, const char *host, int fd);

/** driver_root_path - the path of @root on the host, "" for the real one; NULL: not known */
const char *driver_root_path(struct arena *a, const struct sysroot *root);

/** driver_is_version - is @s a version of the driver: "550.163.01", "535.54", never "1.1.2"? */
bool driver_is_version(const char *s);

/** driver_library - the library of @bits (0: any) that answers to @name (a file or a link), or NULL */
struct gpu_file *driver_library(const struct gpu_driver *d, unsigned int bits, const char *name);

/** driver_add_link - one more name for the library @f, unless it has it or it is none */
void driver_add_link(struct arena *a, struct gpu_file *f, const char *name);

/** driver_machine - the EM_* of libraries with @bits that run here, 0: none */
unsigned int driver_machine(unsigned int bits);

#endif
