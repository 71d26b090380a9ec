/* SPDX-License-Identifier: Apache-2.0 */
/* One word of a list of GPUs, as --gpus and CUDA_VISIBLE_DEVICES have them. */
#include <ctype.h>
#include <errno.h>

#include <gpurun/driver.h>
#include <gpurun/str.h>

#include "choose.h"

/* A decimal number of the @n digits at @s; one that is too large is the largest. */
static bool item_number(const char *s, size_t n, uint64_t *ret)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++) {
		if (!isdigit((unsigned char)s[i]))
			return false;
		if (v < UINT32_MAX)
			v = v * 10 + (uint64_t)(s[i] - '0');
	}
	*ret = v;
	return n > 0;
}

/* How many characters at @s are @prefix (in lower case, in any case), digits and dashes; 0: none */
static size_t item_uuid(const char *s, const char *prefix)
{
	size_t n = 0;

	for (; prefix[n]; n++)
		if (tolower((unsigned char)s[n]) != prefix[n])
			return 0;
	if (!isxdigit((unsigned char)s[n]) && s[n] != '-')
		return 0;
	while (isxdigit((unsigned char)s[n]) || s[n] == '-')
		n++;
	return n;
}

/* A UUID or the start of one, and nothing behind it. */
static bool item_is_uuid(const char *prefix, struct sel_item *it)
{
	it->uuid = it->text;
	it->uuid_len = item_uuid(it->text, prefix);
	return it->uuid_len && !it->text[it->uuid_len];
}

/* "MIG-GPU-8a.../1/0", as drivers before 470 named them */
static bool item_is_legacy(struct sel_item *it)
{
	const char *gi, *ci;

	if (!item_uuid(it->text, "mig-gpu-"))
		return false;
	it->uuid = it->text + 4;
	it->uuid_len = item_uuid(it->uuid, "gpu-");
	if (it->uuid[it->uuid_len] != '/')
		return false;
	gi = it->uuid + it->uuid_len + 1;
	ci = strchr(gi, '/');
	return ci && item_number(gi, (size_t)(ci - gi), &it->gpu) &&
	       item_number(ci + 1, strlen(ci + 1), &it->mig);
}

static bool item_is_pair(struct sel_item *it)
{
	const char *colon = strchr(it->text, ':');

	return colon && item_number(it->text, (size_t)(colon - it->text), &it->gpu) &&
	       item_number(colon + 1, strlen(colon + 1), &it->mig);
}

int sel_item_parse(const char *text, struct sel_item *ret)
{
	struct sel_item it = { .text = text };

	if (item_number(text, strlen(text), &it.gpu))
		it.kind = SEL_INDEX;
	else if (item_is_pair(&it))
		it.kind = SEL_MIG_PAIR;
	else if (item_is_uuid("gpu-", &it))
		it.kind = SEL_UUID;
	else if (item_is_uuid("mig-", &it))
		it.kind = SEL_MIG_UUID;
	else if (item_is_legacy(&it))
		it.kind = SEL_MIG_LEGACY;
	else if (pci_parse(text, &it.pci) == 0)
		it.kind = SEL_PCI;
	else if (cdi_is_name(text))
		it.kind = SEL_CDI;
	else
		return -EINVAL;
	*ret = it;
	return 0;
}
