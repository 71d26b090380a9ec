/* SPDX-License-Identifier: Apache-2.0 */
/*
 * driver_tables.h - what NVIDIA's user-space driver consists of and where distributions put it;
 * private to src/gpu/.  Data only: a driver with a new file needs a row, not a branch.
 */
#ifndef GPURUN_GPU_DRIVER_TABLES_H
#define GPURUN_GPU_DRIVER_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include <gpurun/driver.h>

/**
 * struct driver_place - a directory in which a distribution keeps the driver's libraries
 * @bits: of the libraries there
 * @programs: where it keeps the programs, when that is none of driver_program_dirs[]; or NULL
 */
struct driver_place {
	const char *dir;
	unsigned int bits;
	const char *programs;
};
extern const struct driver_place driver_places[];
extern const size_t driver_n_places;

/** driver_lib_caps - of the versioned library "@stem.so.VERSION"; 0: it stays on the host */
uint32_t driver_lib_caps(const char *stem, size_t len);

/**
 * driver_lib_unversioned - capabilities of a library whose name does not end in the driver's
 * version; 0: none of the driver's
 */
uint32_t driver_lib_unversioned(const char *name);

/** driver_lib_link - a name that "@stem.so.VERSION" is to have beside its soname, or NULL */
const char *driver_lib_link(const char *stem, size_t len);

struct driver_program {
	const char *name;
	uint32_t caps;
};
extern const struct driver_program driver_programs[];
extern const size_t driver_n_programs;
extern const char *const driver_program_dirs[];
extern const size_t driver_n_program_dirs;

/**
 * struct driver_data - a file that is neither library nor program
 * @name: below one of the directories @dirs, a NULL-terminated list
 * @dst: directory inside, @name is appended; NULL: the host's path, whichever it was
 */
struct driver_data {
	const char *name;
	uint32_t caps;
	const char *const *dirs;
	const char *dst;
};
extern const struct driver_data driver_data[];
extern const size_t driver_n_data;

struct driver_socket {
	const char *path;
	uint32_t caps;
};
extern const struct driver_socket driver_sockets[];
extern const size_t driver_n_sockets;

#endif
