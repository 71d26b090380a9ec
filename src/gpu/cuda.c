/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cuda.c - which CUDA a driver brings.
 *
 * A branch of the driver is made for one version of CUDA and stays there for all its releases
 * (CUDA Toolkit Release Notes, "CUDA Toolkit and Corresponding Driver Versions").  Branches whose
 * releases differ (430) and those that are newer than this table are not in it: the driver's own
 * libcuda can be asked, see gpu_cuda_ask().
 */
#include <gpurun/driver.h>
#include <gpurun/str.h>

/* A new branch of the driver: add its row. */
static const struct cuda_branch {
	unsigned int driver;
	int major, minor;
} cuda_branches[] = {
	{ 384, 9, 0 },  { 387, 9, 1 },  { 390, 9, 1 },  { 396, 9, 2 },  { 410, 10, 0 },
	{ 415, 10, 0 }, { 418, 10, 1 }, { 435, 10, 1 }, { 440, 10, 2 }, { 450, 11, 0 },
	{ 455, 11, 1 }, { 460, 11, 2 }, { 465, 11, 3 }, { 470, 11, 4 }, { 495, 11, 5 },
	{ 510, 11, 6 }, { 515, 11, 7 }, { 520, 11, 8 }, { 525, 12, 0 }, { 530, 12, 1 },
	{ 535, 12, 2 }, { 545, 12, 3 }, { 550, 12, 4 }, { 555, 12, 5 }, { 560, 12, 6 },
	{ 565, 12, 7 }, { 570, 12, 8 }, { 575, 12, 9 }, { 580, 13, 0 }, { 590, 13, 1 },
	{ 595, 13, 2 }, { 610, 13, 3 },
};

bool gpu_cuda_version(const char *driver, int *ret_major, int *ret_minor)
{
	size_t n = strspn(driver, "0123456789");
	unsigned int branch = 0;

	if (n != 3 || driver[n] != '.')
		return false;
	for (size_t i = 0; i < n; i++)
		branch = branch * 10 + (unsigned int)(driver[i] - '0');
	for (size_t i = 0; i < ELEMENTS(cuda_branches); i++)
		if (cuda_branches[i].driver == branch) {
			*ret_major = cuda_branches[i].major;
			*ret_minor = cuda_branches[i].minor;
			return true;
		}
	return false;
}
