/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fake-nvml.c - a library that stands in for libnvidia-ml (and libcuda) where no GPU is:
 *
 *	cc -shared -fPIC -Wl,-soname,libnvidia-ml.so.1 -o libnvidia-ml.so.550.163.01 fake-nvml.c
 *
 * Whoever loads it gives it no environment, so it reads a file of its own name with ".conf"
 * behind it, a word and a value a line:
 *
 *	gpus N		how many (2), at the addresses and with the minors of machine.sh
 *	mig I		GPU I is in MIG mode: gi1/ci0 has the index 0, gi2/ci0 the index 1
 *	lost I		GPU I does not answer
 *	user PID	a process that computes on GPU 0, with 1 GiB; a later one with 1 GiB more
 *	users N		that many more of them
 *	energy N	GPU 0 has used N mJ, each next one 1000 more; without, none can tell
 *	links 1		the GPUs are linked in pairs; 2: to a switch
 *	init N		nvmlInit() fails with N
 *	garbage 1	figures that cannot be
 *	text 1		strings that nobody should print
 *	noise 1		prints on stdout and stderr
 *	do hang|crash|exit|spin|orphan|close|flood|nonsense	in nvmlInit()
 *
 * With -DOLD only the functions of old drivers are there.  With -DWITNESS="FILE" being loaded makes
 * FILE.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT   __attribute__((visibility("default")))
#define GPUS     8
#define USERS    20000U
#define FD_OUT   3 /* where the asking process writes its answer: what a wild library may hit */
#define GIB      (1ULL << 30)
#define NOT_SUPP 3
#define NO_ROOM  7

struct device {
	int gpu, mig; /* mig -1: the GPU itself */
};

static struct {
	int read, gpus, mig, lost, links, init, garbage, text, noise, energy;
	unsigned int users[USERS], n_users;
	char deed[32];
} conf;
static struct device gpus[GPUS], migs[2];

#ifdef WITNESS
static __attribute__((constructor)) void testify(void)
{
	FILE *f = fopen(WITNESS, "we");

	if (f)
		fclose(f);
}
#endif

static void conf_word(const char *word, const char *value)
{
	const struct {
		const char *word;
		int *to;
	} numbers[] = {
		{ "gpus", &conf.gpus },   { "mig", &conf.mig },     { "lost", &conf.lost },
		{ "links", &conf.links }, { "init", &conf.init },   { "garbage", &conf.garbage },
		{ "text", &conf.text },   { "noise", &conf.noise }, { "energy", &conf.energy },
	};
	int n = atoi(value);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (!strcmp(word, numbers[i].word))
			*numbers[i].to = n;
	if (!strcmp(word, "user") && conf.n_users < USERS)
		conf.users[conf.n_users++] = (unsigned int)n;
	for (int i = 0; !strcmp(word, "users") && i < n && conf.n_users < USERS; i++)
		conf.users[conf.n_users++] = 100000U + (unsigned int)i;
	if (!strcmp(word, "do"))
		snprintf(conf.deed, sizeof(conf.deed), "%s", value);
}

static void conf_read(void)
{
	char path[4096] = "", word[32], value[32];
	Dl_info self;
	FILE *f;

	if (conf.read++)
		return;
	conf.gpus = 2;
	conf.mig = conf.lost = -1;
	if (dladdr((void *)&conf, &self) && self.dli_fname)
		snprintf(path, sizeof(path), "%s.conf", self.dli_fname);
	f = fopen(path, "re");
	while (f && fscanf(f, "%31s %31s", word, value) == 2)
		conf_word(word, value);
	if (f)
		fclose(f);
	if (conf.gpus > GPUS)
		conf.gpus = GPUS;
	for (int i = 0; i < GPUS; i++)
		gpus[i] = (struct device){ i, -1 };
	for (int i = 0; i < 2; i++)
		migs[i] = (struct device){ conf.mig, i };
}

/* ---- misdeeds ------------------------------------------------------------------------------ */

static void sleep_for_ever(void)
{
	for (;;)
		pause();
}

static void misbehave(void)
{
	static const char nonsense[4096] = "nonsense";
	const char *d = conf.deed;

	if (conf.noise) {
		printf("noise on stdout\n");
		fprintf(stderr, "noise on stderr\n");
		fflush(NULL);
	}
	if (!strcmp(d, "crash"))
		raise(SIGSEGV);
	else if (!strcmp(d, "exit"))
		exit(0);
	else if (!strcmp(d, "hang"))
		sleep_for_ever();
	else if (!strcmp(d, "nonsense"))
		(void)!write(FD_OUT, nonsense, 1000);
	else if (!strcmp(d, "orphan") && fork() == 0)
		sleep_for_ever();
	if (!strcmp(d, "close") && close(FD_OUT) == 0)
		sleep_for_ever();
	while (!strcmp(d, "spin"))
		;
	while (!strcmp(d, "flood"))
		(void)!write(FD_OUT, nonsense, sizeof(nonsense));
}

/* ---- the library --------------------------------------------------------------------------- */

#ifdef OLD
#define NAME(versioned, plain) plain
#else
#define NAME(versioned, plain) versioned
#endif

EXPORT int NAME(nvmlInit_v2, nvmlInit)(void);
EXPORT int nvmlShutdown(void);
EXPORT const char *nvmlErrorString(int code);
EXPORT int NAME(nvmlDeviceGetCount_v2, nvmlDeviceGetCount)(unsigned int *ret);
EXPORT int NAME(nvmlDeviceGetHandleByIndex_v2, nvmlDeviceGetHandleByIndex)(unsigned int i,
									   struct device **ret);
EXPORT int nvmlDeviceGetMinorNumber(struct device *d, unsigned int *ret);
EXPORT int nvmlDeviceGetUUID(struct device *d, char *ret, unsigned int size);
EXPORT int nvmlDeviceGetBrand(struct device *d, unsigned int *ret);
EXPORT int nvmlDeviceGetCudaComputeCapability(struct device *d, int *major, int *minor);
EXPORT int nvmlDeviceGetUtilizationRates(struct device *d, unsigned int *ret);
EXPORT int cuDriverGetVersion(int *ret);

int NAME(nvmlInit_v2, nvmlInit)(void)
{
	conf_read();
	misbehave();
	return conf.init;
}

int nvmlShutdown(void)
{
	return 0;
}

const char *nvmlErrorString(int code)
{
	if (conf.text)
		return "\033[31mred\n\a";
	return code == 18 ? "Driver/library version mismatch" : "some error";
}

int NAME(nvmlDeviceGetCount_v2, nvmlDeviceGetCount)(unsigned int *ret)
{
	*ret = conf.garbage ? 4000000000U : (unsigned int)conf.gpus;
	return 0;
}

int NAME(nvmlDeviceGetHandleByIndex_v2, nvmlDeviceGetHandleByIndex)(unsigned int i,
								    struct device **ret)
{
	if (i >= (unsigned int)conf.gpus)
		return 2;
	if ((int)i == conf.lost)
		return 15;
	*ret = &gpus[i];
	return 0;
}

struct pci {
	char legacy[16];
	unsigned int domain, bus, device, id, subsystem;
	char text[32];
};

static int pci_of(int gpu, struct pci *ret)
{
	memset(ret, 0, sizeof(*ret));
	ret->bus = 0x3b + 0x20 * (unsigned int)gpu;
	return 0;
}

int nvmlDeviceGetMinorNumber(struct device *d, unsigned int *ret)
{
	*ret = (unsigned int)(conf.gpus - 1 - d->gpu);
	return 0;
}

int nvmlDeviceGetUUID(struct device *d, char *ret, unsigned int size)
{
	if (conf.text)
		snprintf(ret, size, "GPU-\033[31m");
	else if (d->mig < 0)
		snprintf(ret, size, "GPU-%08x-1111-2222-3333-444444444444",
			 0xedfee150U + (unsigned int)d->gpu);
	else
		snprintf(ret, size, "MIG-%08x-aaaa-5bbb-8ccc-dddddddddddd",
			 0x4a6bf100U + (unsigned int)d->mig);
	return 0;
}

int nvmlDeviceGetBrand(struct device *d, unsigned int *ret)
{
	(void)d;
	*ret = conf.garbage ? 77777 : 2;
	return 0;
}

int nvmlDeviceGetCudaComputeCapability(struct device *d, int *major, int *minor)
{
	(void)d;
	*major = conf.garbage ? -8 : 8;
	*minor = 0;
	return 0;
}

int nvmlDeviceGetUtilizationRates(struct device *d, unsigned int *ret)
{
	ret[0] = conf.garbage ? 4000 : 10 + (unsigned int)d->gpu;
	ret[1] = 0;
	return 0;
}

int cuDriverGetVersion(int *ret)
{
	conf_read();
	misbehave();
	*ret = conf.garbage ? -7 : 12040;
	return conf.init;
}

#ifdef OLD

EXPORT int nvmlDeviceGetPciInfo(struct device *d, struct pci *ret);
EXPORT int nvmlDeviceGetMemoryInfo(struct device *d, unsigned long long *ret);
struct process_1 {
	unsigned int pid;
	unsigned long long memory;
};
EXPORT int nvmlDeviceGetComputeRunningProcesses(struct device *d, unsigned int *n,
						struct process_1 *v);

int nvmlDeviceGetPciInfo(struct device *d, struct pci *ret)
{
	return pci_of(d->gpu, ret);
}

int nvmlDeviceGetMemoryInfo(struct device *d, unsigned long long *ret)
{
	(void)d;
	ret[0] = 40 * GIB;
	ret[1] = 39 * GIB;
	ret[2] = GIB;
	return 0;
}

int nvmlDeviceGetComputeRunningProcesses(struct device *d, unsigned int *n, struct process_1 *v)
{
	if (d->gpu || conf.n_users > *n)
		return d->gpu ? NOT_SUPP : NO_ROOM;
	for (unsigned int i = 0; i < conf.n_users; i++)
		v[i] = (struct process_1){ conf.users[i], ~0ULL };
	*n = conf.n_users;
	return 0;
}

#else

struct memory_2 {
	unsigned int version;
	unsigned long long total, reserved, free, used;
};
struct process_2 {
	unsigned int pid;
	unsigned long long memory;
	unsigned int gi, ci;
};
EXPORT int nvmlDeviceGetPciInfo_v3(struct device *d, struct pci *ret);
EXPORT int nvmlDeviceGetName(struct device *d, char *ret, unsigned int size);
EXPORT int nvmlDeviceGetMemoryInfo_v2(struct device *d, struct memory_2 *ret);
EXPORT int nvmlDeviceGetComputeRunningProcesses_v2(struct device *d, unsigned int *n,
						   struct process_2 *v);
EXPORT int nvmlDeviceGetGraphicsRunningProcesses_v3(struct device *d, unsigned int *n,
						    struct process_2 *v);
EXPORT int nvmlDeviceGetNvLinkState(struct device *d, unsigned int link, unsigned int *ret);
EXPORT int nvmlDeviceGetNvLinkRemoteDeviceType(struct device *d, unsigned int link,
					       unsigned int *ret);
EXPORT int nvmlDeviceGetNvLinkRemotePciInfo_v2(struct device *d, unsigned int link,
					       struct pci *ret);
EXPORT int nvmlDeviceGetTotalEnergyConsumption(struct device *d, unsigned long long *ret);
EXPORT int nvmlDeviceGetMigMode(struct device *d, unsigned int *now, unsigned int *pending);
EXPORT int nvmlDeviceGetMaxMigDeviceCount(struct device *d, unsigned int *ret);
EXPORT int nvmlDeviceGetMigDeviceHandleByIndex(struct device *d, unsigned int i,
					       struct device **ret);
EXPORT int nvmlDeviceGetGpuInstanceId(struct device *d, unsigned int *ret);
EXPORT int nvmlDeviceGetComputeInstanceId(struct device *d, unsigned int *ret);
EXPORT int nvmlDeviceGetAttributes_v2(struct device *d, void *ret);

int nvmlDeviceGetPciInfo_v3(struct device *d, struct pci *ret)
{
	return pci_of(d->gpu, ret);
}

/* The second MIG device has no profile in its name, as with old drivers. */
int nvmlDeviceGetName(struct device *d, char *ret, unsigned int size)
{
	snprintf(ret, size, "NVIDIA A100-SXM4-40GB%s", d->mig == 0 ? " MIG 1g.5gb" : "");
	return 0;
}

int nvmlDeviceGetMemoryInfo_v2(struct device *d, struct memory_2 *ret)
{
	if (ret->version != (sizeof(*ret) | 2U << 24))
		return 25;
	ret->total = 40 * GIB;
	ret->used = conf.garbage ? 50 * GIB : (unsigned long long)(d->gpu + 1) * GIB;
	return 0;
}

int nvmlDeviceGetComputeRunningProcesses_v2(struct device *d, unsigned int *n, struct process_2 *v)
{
	if (d->gpu == conf.mig && d->mig < 0)
		return 4;
	if (d->gpu || conf.n_users > *n)
		return d->gpu ? NOT_SUPP : NO_ROOM;
	for (unsigned int i = 0; i < conf.n_users; i++)
		v[i] = (struct process_2){ .pid = conf.users[i], .memory = (i + 1) * GIB };
	*n = conf.n_users;
	return 0;
}

/* The first one draws, too; a count that is larger than what was asked for. */
int nvmlDeviceGetGraphicsRunningProcesses_v3(struct device *d, unsigned int *n, struct process_2 *v)
{
	if (d->gpu || !conf.n_users)
		return NOT_SUPP;
	v[0] = (struct process_2){ .pid = conf.users[0], .memory = 5 };
	*n = conf.garbage ? 4000000000U : 1;
	return 0;
}

int nvmlDeviceGetNvLinkState(struct device *d, unsigned int link, unsigned int *ret)
{
	(void)d;
	*ret = conf.links && link < 4;
	return link < 12 ? 0 : NOT_SUPP;
}

int nvmlDeviceGetNvLinkRemoteDeviceType(struct device *d, unsigned int link, unsigned int *ret)
{
	(void)d;
	(void)link;
	*ret = conf.links == 2 ? 2 : 0;
	return 0;
}

int nvmlDeviceGetNvLinkRemotePciInfo_v2(struct device *d, unsigned int link, struct pci *ret)
{
	(void)link;
	return pci_of(d->gpu ^ 1, ret);
}

int nvmlDeviceGetTotalEnergyConsumption(struct device *d, unsigned long long *ret)
{
	*ret = conf.garbage ? ~0ULL : (unsigned long long)(conf.energy + 1000 * d->gpu);
	return conf.energy || conf.garbage ? 0 : NOT_SUPP;
}

int nvmlDeviceGetMigMode(struct device *d, unsigned int *now, unsigned int *pending)
{
	*now = *pending = d->gpu == conf.mig;
	return 0;
}

int nvmlDeviceGetMaxMigDeviceCount(struct device *d, unsigned int *ret)
{
	(void)d;
	*ret = conf.garbage ? 4000000000U : 7;
	return 0;
}

int nvmlDeviceGetMigDeviceHandleByIndex(struct device *d, unsigned int i, struct device **ret)
{
	(void)d;
	if (i > 1)
		return 6;
	*ret = &migs[i];
	return 0;
}

int nvmlDeviceGetGpuInstanceId(struct device *d, unsigned int *ret)
{
	*ret = (unsigned int)d->mig + 1;
	return 0;
}

int nvmlDeviceGetComputeInstanceId(struct device *d, unsigned int *ret)
{
	(void)d;
	*ret = 0;
	return 0;
}

int nvmlDeviceGetAttributes_v2(struct device *d, void *ret)
{
	const struct {
		unsigned int processors, copy, decoders, encoders, jpeg, ofa, gi, ci;
		unsigned long long mib;
	} a = { .gi = 2, .ci = 1, .mib = 9984 };

	(void)d;
	memcpy(ret, &a, sizeof(a));
	return 0;
}

#endif
