/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nvml_ask.c - in the child: libnvidia-ml loaded and asked.  The prototypes are our own, of
 * NVML's published interface, and only of what is used; what a library does not have, or does
 * not answer, stays unknown.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>

#include <gpurun/fd.h>
#include <gpurun/str.h>

#include "nvml.h"

#define USERS_OF_GPU_MAX 16384U
#define ARENA_MAX        ((size_t)4 << 20)

/* ---- NVML's side ------------------------------------------------------------------------- */

typedef struct nvml_device *nvml_dev;

/* The start of all versions of nvmlPciInfo_t, and room for the rest. */
struct nvml_pci {
	char legacy_id[16];
	unsigned int domain, bus, device;
	char rest[128];
};

struct nvml_memory_1 {
	unsigned long long total, free, used;
};

/* Version 2 does not count as used what the driver keeps for itself, as nvidia-smi. */
struct nvml_memory_2 {
	unsigned int version;
	unsigned long long total, reserved, free, used;
};
#define NVML_MEMORY_2 ((unsigned int)sizeof(struct nvml_memory_2) | 2U << 24)

struct nvml_rates {
	unsigned int gpu, memory;
};

struct nvml_process_1 {
	unsigned int pid;
	unsigned long long memory;
};

struct nvml_process_2 {
	unsigned int pid;
	unsigned long long memory;
	unsigned int gi, ci;
};

struct nvml_attributes {
	unsigned int multiprocessors, copy, decoders, encoders, jpeg, ofa, gi_slices, ci_slices;
	unsigned long long memory_mib;
};

enum { REMOTE_GPU = 0, REMOTE_SWITCH = 2 };

struct nvml_api {
	int (*init)(void);
	int (*shutdown)(void);
	const char *(*error_string)(int);
	int (*count)(unsigned int *);
	int (*by_index)(unsigned int, nvml_dev *);
	int (*pci)(nvml_dev, struct nvml_pci *);
	int (*minor)(nvml_dev, unsigned int *);
	int (*uuid)(nvml_dev, char *, unsigned int);
	int (*name)(nvml_dev, char *, unsigned int);
	int (*brand)(nvml_dev, unsigned int *);
	int (*capability)(nvml_dev, int *, int *);
	int (*memory_1)(nvml_dev, struct nvml_memory_1 *);
	int (*memory_2)(nvml_dev, struct nvml_memory_2 *);
	int (*rates)(nvml_dev, struct nvml_rates *);
	int (*energy)(nvml_dev, unsigned long long *);
	int (*compute_1)(nvml_dev, unsigned int *, struct nvml_process_1 *);
	int (*compute_2)(nvml_dev, unsigned int *, struct nvml_process_2 *);
	int (*graphics_1)(nvml_dev, unsigned int *, struct nvml_process_1 *);
	int (*graphics_2)(nvml_dev, unsigned int *, struct nvml_process_2 *);
	int (*link_state)(nvml_dev, unsigned int, unsigned int *);
	int (*link_type)(nvml_dev, unsigned int, unsigned int *);
	int (*link_pci)(nvml_dev, unsigned int, struct nvml_pci *);
	int (*mig_mode)(nvml_dev, unsigned int *, unsigned int *);
	int (*mig_max)(nvml_dev, unsigned int *);
	int (*mig_by_index)(nvml_dev, unsigned int, nvml_dev *);
	int (*mig_gi)(nvml_dev, unsigned int *);
	int (*mig_ci)(nvml_dev, unsigned int *);
	int (*mig_attributes)(nvml_dev, struct nvml_attributes *);
};

#define AT(member) offsetof(struct nvml_api, member)
#define NAMES_MAX  3

/*
 * The names in the order in which they are tried.  _v3 of the process lists stands last: its
 * structure had one member more in the first drivers of the 535 series.
 */
/* clang-format off */
static const struct {
	size_t offset;
	bool required;
	const char *names[NAMES_MAX];
} functions[] = {
	{ AT(init), true,	{ "nvmlInit_v2", "nvmlInit" } },
	{ AT(shutdown), false,	{ "nvmlShutdown" } },
	{ AT(error_string), false, { "nvmlErrorString" } },
	{ AT(count), true,	{ "nvmlDeviceGetCount_v2", "nvmlDeviceGetCount" } },
	{ AT(by_index), true,	{ "nvmlDeviceGetHandleByIndex_v2", "nvmlDeviceGetHandleByIndex" } },
	{ AT(pci), true,	{ "nvmlDeviceGetPciInfo_v3", "nvmlDeviceGetPciInfo_v2",
				  "nvmlDeviceGetPciInfo" } },
	{ AT(minor), false,	{ "nvmlDeviceGetMinorNumber" } },
	{ AT(uuid), false,	{ "nvmlDeviceGetUUID" } },
	{ AT(name), false,	{ "nvmlDeviceGetName" } },
	{ AT(brand), false,	{ "nvmlDeviceGetBrand" } },
	{ AT(capability), false, { "nvmlDeviceGetCudaComputeCapability" } },
	{ AT(memory_1), false,	{ "nvmlDeviceGetMemoryInfo" } },
	{ AT(memory_2), false,	{ "nvmlDeviceGetMemoryInfo_v2" } },
	{ AT(rates), false,	{ "nvmlDeviceGetUtilizationRates" } },
	{ AT(energy), false,	{ "nvmlDeviceGetTotalEnergyConsumption" } },
	{ AT(compute_1), false,	{ "nvmlDeviceGetComputeRunningProcesses" } },
	{ AT(compute_2), false,	{ "nvmlDeviceGetComputeRunningProcesses_v2",
				  "nvmlDeviceGetComputeRunningProcesses_v3" } },
	{ AT(graphics_1), false, { "nvmlDeviceGetGraphicsRunningProcesses" } },
	{ AT(graphics_2), false, { "nvmlDeviceGetGraphicsRunningProcesses_v2",
				   "nvmlDeviceGetGraphicsRunningProcesses_v3" } },
	{ AT(link_state), false, { "nvmlDeviceGetNvLinkState" } },
	{ AT(link_type), false,	{ "nvmlDeviceGetNvLinkRemoteDeviceType" } },
	{ AT(link_pci), false,	{ "nvmlDeviceGetNvLinkRemotePciInfo_v2",
				  "nvmlDeviceGetNvLinkRemotePciInfo" } },
	{ AT(mig_mode), false,	{ "nvmlDeviceGetMigMode" } },
	{ AT(mig_max), false,	{ "nvmlDeviceGetMaxMigDeviceCount" } },
	{ AT(mig_by_index), false, { "nvmlDeviceGetMigDeviceHandleByIndex" } },
	{ AT(mig_gi), false,	{ "nvmlDeviceGetGpuInstanceId" } },
	{ AT(mig_ci), false,	{ "nvmlDeviceGetComputeInstanceId" } },
	{ AT(mig_attributes), false, { "nvmlDeviceGetAttributes_v2" } },
};
/* clang-format on */

/* ---- the child's side -------------------------------------------------------------------- */

struct asker {
	struct nvml_api api;
	int out;
	unsigned int users; /* sent so far */
	struct nvml_process_1 *processes_1;
	struct nvml_process_2 *processes_2; /* room for USERS_OF_GPU_MAX each */
};

/* Who reads is gone, or has had too much: nothing is left to be done. */
static void send_record(const struct asker *k, const struct nvml_record *r)
{
	(void)fd_write_all(k->out, r, sizeof(*r));
}

/* Cut, if need be, and always NUL-terminated. */
static void copy_text(char *to, size_t size, const char *from)
{
	size_t n = from ? strnlen(from, size - 1) : 0;

	if (n)
		memcpy(to, from, n);
	to[n] = '\0';
}

static void send_failed(const struct asker *k, int code, const char *text)
{
	struct nvml_record r = { .kind = NVML_FAILED };

	if (!text && k->api.error_string)
		text = k->api.error_string(code);
	r.u.failed.code = code;
	copy_text(r.u.failed.text, sizeof(r.u.failed.text), text ? text : "no text");
	send_record(k, &r);
}

/* dlerror() puts the path in front, which the message has already. */
static const char *load_reason(const char *path)
{
	const char *text = dlerror();
	const char *rest = text ? str_after(text, path) : NULL;

	return rest && str_after(rest, ": ") ? rest + 2 : text;
}

/* The functions, by name; false: one that is required is missing. */
static bool load_functions(void *library, struct nvml_api *api, const char **ret_missing)
{
	for (size_t i = 0; i < ELEMENTS(functions); i++) {
		void *f = NULL;

		for (size_t n = 0; n < NAMES_MAX && functions[i].names[n] && !f; n++)
			f = dlsym(library, functions[i].names[n]);
		if (!f && functions[i].required) {
			*ret_missing = functions[i].names[0];
			return false;
		}
		memcpy((char *)api + functions[i].offset, &f, sizeof(f));
	}
	return true;
}

/* ---- processes --------------------------------------------------------------------------- */

static void send_user(struct asker *k, unsigned int pid, unsigned long long memory)
{
	struct nvml_record r = { .kind = NVML_USER };

	if (k->users >= NVML_USERS_MAX || pid == 0 || pid > INT32_MAX)
		return;
	k->users++;
	r.u.user.pid = (int32_t)pid;
	r.u.user.memory = memory == ~0ULL ? 0 : memory; /* "not available" */
	send_record(k, &r);
}

static bool send_users_2(struct asker *k, nvml_dev d,
			 int (*ask)(nvml_dev, unsigned int *, struct nvml_process_2 *))
{
	const struct nvml_process_2 *v = k->processes_2;
	unsigned int n = USERS_OF_GPU_MAX;

	if (ask(d, &n, k->processes_2) != NVML_OK)
		return false;
	for (unsigned int i = 0; i < n && i < USERS_OF_GPU_MAX; i++)
		send_user(k, v[i].pid, v[i].memory);
	return true;
}

static bool send_users_1(struct asker *k, nvml_dev d,
			 int (*ask)(nvml_dev, unsigned int *, struct nvml_process_1 *))
{
	const struct nvml_process_1 *v = k->processes_1;
	unsigned int n = USERS_OF_GPU_MAX;

	if (ask(d, &n, k->processes_1) != NVML_OK)
		return false;
	for (unsigned int i = 0; i < n && i < USERS_OF_GPU_MAX; i++)
		send_user(k, v[i].pid, v[i].memory);
	return true;
}

/* A process may stand in both lists.  Were those that compute told? */
static bool send_users(struct asker *k, nvml_dev d)
{
	const struct nvml_api *api = &k->api;
	bool told = false;

	if (api->compute_2)
		told = send_users_2(k, d, api->compute_2);
	else if (api->compute_1)
		told = send_users_1(k, d, api->compute_1);
	if (api->graphics_2)
		(void)send_users_2(k, d, api->graphics_2);
	else if (api->graphics_1)
		(void)send_users_1(k, d, api->graphics_1);
	return told;
}

/* ---- MIG --------------------------------------------------------------------------------- */

/*
 * "1g.5gb", "1c.3g.20gb" of drivers that do not say it in the name.  The gigabytes are those that
 * the profile is sold by: eighths of the GPU's own.
 */
static void profile_from_attributes(const struct asker *k, nvml_dev d, uint64_t total, char *ret,
				    size_t size)
{
	const uint64_t mib = 1U << 20, gib = 1U << 30;
	struct nvml_attributes v = { 0 };
	uint64_t eighths, gb;

	if (!k->api.mig_attributes || k->api.mig_attributes(d, &v) != NVML_OK || total < mib ||
	    v.memory_mib > total / mib || v.gi_slices == 0)
		return;
	eighths = (v.memory_mib * 8 + total / mib / 2) / (total / mib);
	gb = eighths * ((total + gib - 1) / gib) / 8;
	if (v.ci_slices && v.ci_slices != v.gi_slices)
		(void)snprintf(ret, size, "%uc.%ug.%llugb", v.ci_slices, v.gi_slices,
			       (unsigned long long)gb);
	else
		(void)snprintf(ret, size, "%ug.%llugb", v.gi_slices, (unsigned long long)gb);
}

/* "NVIDIA A100-SXM4-40GB MIG 1g.5gb" */
static void read_profile(const struct asker *k, nvml_dev d, uint64_t total, char *ret, size_t size)
{
	char name[NVML_TEXT_MAX] = "";
	const char *profile = NULL;

	if (k->api.name && k->api.name(d, name, sizeof(name)) == NVML_OK) {
		name[sizeof(name) - 1] = '\0';
		profile = strstr(name, " MIG ");
	}
	if (profile)
		copy_text(ret, size, profile + strlen(" MIG "));
	else
		profile_from_attributes(k, d, total, ret, size);
}

static void send_migs(struct asker *k, nvml_dev parent, uint64_t total, bool ask_users)
{
	const struct nvml_api *api = &k->api;
	unsigned int max = 0;

	if (!api->mig_max || !api->mig_by_index || !api->mig_gi || !api->mig_ci ||
	    api->mig_max(parent, &max) != NVML_OK)
		return;
	/* the indexes have holes where an instance was destroyed */
	for (unsigned int i = 0; i < max && i < NVML_MIGS_MAX; i++) {
		struct nvml_record r = { .kind = NVML_MIG };
		unsigned int gi, ci;
		nvml_dev d = NULL;

		if (api->mig_by_index(parent, i, &d) != NVML_OK || api->mig_gi(d, &gi) != NVML_OK ||
		    api->mig_ci(d, &ci) != NVML_OK || gi > INT32_MAX || ci > INT32_MAX)
			continue;
		r.u.mig.index = (int32_t)i;
		r.u.mig.gi = (int32_t)gi;
		r.u.mig.ci = (int32_t)ci;
		if (!api->uuid || api->uuid(d, r.u.mig.uuid, sizeof(r.u.mig.uuid)) != NVML_OK)
			r.u.mig.uuid[0] = '\0';
		read_profile(k, d, total, r.u.mig.profile, sizeof(r.u.mig.profile));
		send_record(k, &r);
		if (ask_users)
			(void)send_users(k, d);
	}
}

/* ---- one GPU ----------------------------------------------------------------------------- */

static void read_memory(const struct asker *k, nvml_dev d, struct nvml_record *r)
{
	struct nvml_memory_2 two = { .version = NVML_MEMORY_2 };
	struct nvml_memory_1 one = { 0 };

	if (k->api.memory_2 && k->api.memory_2(d, &two) == NVML_OK) {
		r->u.gpu.memory_total = two.total;
		r->u.gpu.memory_used = two.used;
	} else if (k->api.memory_1 && k->api.memory_1(d, &one) == NVML_OK) {
		r->u.gpu.memory_total = one.total;
		r->u.gpu.memory_used = one.used;
	}
}

static struct nvml_address address_of(const struct nvml_pci *p)
{
	return (struct nvml_address){ .domain = p->domain, .bus = p->bus, .slot = p->device };
}

/* The GPUs at the other ends; true when a switch is at one. */
static bool read_links(const struct asker *k, nvml_dev d, struct nvml_address *ret, size_t *ret_n)
{
	const struct nvml_api *api = &k->api;
	bool to_switch = false;

	if (!api->link_state)
		return false;
	for (unsigned int i = 0; i < NVML_LINKS_MAX; i++) {
		unsigned int active = 0, type = REMOTE_GPU;
		struct nvml_pci p = { .domain = 0 };

		if (api->link_state(d, i, &active) != NVML_OK || !active)
			continue;
		if (api->link_type && api->link_type(d, i, &type) != NVML_OK)
			type = REMOTE_GPU;
		to_switch |= type == REMOTE_SWITCH;
		if (type == REMOTE_GPU && api->link_pci && api->link_pci(d, i, &p) == NVML_OK)
			ret[(*ret_n)++] = address_of(&p);
	}
	return to_switch;
}

static void read_gpu(const struct asker *k, nvml_dev d, struct nvml_record *r)
{
	const struct nvml_api *api = &k->api;
	struct nvml_rates rates = { 0 };
	unsigned long long energy = 0;
	unsigned int minor = 0, mig = 0, pending = 0, brand = 0;

	r->u.gpu.minor = r->u.gpu.utilization = -1;
	if (api->minor && api->minor(d, &minor) == NVML_OK && minor <= INT32_MAX)
		r->u.gpu.minor = (int32_t)minor;
	if (!api->uuid || api->uuid(d, r->u.gpu.uuid, sizeof(r->u.gpu.uuid)) != NVML_OK)
		r->u.gpu.uuid[0] = '\0';
	if (api->brand && api->brand(d, &brand) == NVML_OK)
		r->u.gpu.brand = brand;
	if (!api->capability ||
	    api->capability(d, &r->u.gpu.cc_major, &r->u.gpu.cc_minor) != NVML_OK)
		r->u.gpu.cc_major = r->u.gpu.cc_minor = 0;
	if (api->rates && api->rates(d, &rates) == NVML_OK && rates.gpu <= 100)
		r->u.gpu.utilization = (int32_t)rates.gpu;
	if (api->energy && api->energy(d, &energy) == NVML_OK)
		r->u.gpu.energy = energy;
	if (api->mig_mode && api->mig_mode(d, &mig, &pending) == NVML_OK)
		r->u.gpu.mig = mig == 1;
	read_memory(k, d, r);
}

static int send_gpu(struct asker *k, unsigned int index)
{
	struct nvml_record gpu = { .kind = NVML_GPU }, link = { .kind = NVML_LINK };
	struct nvml_address links[NVML_LINKS_MAX];
	struct nvml_pci pci = { .domain = 0 };
	nvml_dev d = NULL;
	size_t n = 0;
	bool told;
	int r = k->api.by_index(index, &d);

	if (r == NVML_OK)
		r = k->api.pci(d, &pci);
	if (r != NVML_OK)
		return r;
	gpu.u.gpu.pci = address_of(&pci);
	read_gpu(k, d, &gpu);
	gpu.u.gpu.to_switch = read_links(k, d, links, &n);
	send_record(k, &gpu);
	for (size_t i = 0; i < n; i++) {
		link.u.link = links[i];
		send_record(k, &link);
	}
	/* in MIG mode the whole GPU is an administrator's view: others ask each device */
	told = send_users(k, d);
	if (gpu.u.gpu.mig)
		send_migs(k, d, gpu.u.gpu.memory_total, !told);
	return NVML_OK;
}

/* A GPU that does not answer is passed over, unless none does. */
static void send_all(struct asker *k)
{
	const struct nvml_record end = { .kind = NVML_END };
	const struct nvml_api *api = &k->api;
	unsigned int count = 0, answered = 0;
	int first = NVML_OK, r = api->init();

	if (r == NVML_OK)
		r = api->count(&count);
	if (r != NVML_OK) {
		send_failed(k, r, NULL);
		return;
	}
	for (unsigned int i = 0; i < count && i < NVML_GPUS_MAX; i++) {
		r = send_gpu(k, i);
		answered += r == NVML_OK;
		if (first == NVML_OK)
			first = r;
	}
	if (!answered && first != NVML_OK)
		send_failed(k, first, NULL);
	else
		send_record(k, &end);
	if (api->shutdown)
		(void)api->shutdown();
}

void nvml_ask(const void *arg, int out)
{
	struct arena *a = arena_new(ARENA_MAX);
	struct asker k = {
		.out = out,
		.processes_1 = ARENA_ARRAY(a, struct nvml_process_1, USERS_OF_GPU_MAX),
		.processes_2 = ARENA_ARRAY(a, struct nvml_process_2, USERS_OF_GPU_MAX),
	};
	const char *path = arg, *missing = NULL;
	void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);

	if (!library) {
		send_failed(&k, 0, load_reason(path));
		return;
	}
	if (load_functions(library, &k.api, &missing))
		send_all(&k);
	else
		send_failed(&k, NVML_NO_FUNCTION, missing);
}
