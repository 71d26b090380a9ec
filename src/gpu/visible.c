/* SPDX-License-Identifier: Apache-2.0 */
/* CUDA_VISIBLE_DEVICES, read as CUDA reads it (pure). */
#include <errno.h>

#include <gpurun/str.h>

#include "choose.h"

bool visible_gives(const char *devices)
{
	return devices && *devices && !str_eq(devices, "-1") && !str_eq(devices, "NoDevFiles");
}

bool visible_next(const char **list, char word[VISIBLE_WORD_MAX])
{
	const char *s = *list;
	size_t n;

	if (!s)
		return false;
	n = strcspn(s, ",");
	*list = s[n] ? s + n + 1 : NULL;
	while (n && *s == ' ') {
		s++;
		n--;
	}
	while (n && s[n - 1] == ' ')
		n--;
	if (n >= VISIBLE_WORD_MAX)
		n = VISIBLE_WORD_MAX - 1; /* no such word is known */
	memcpy(word, s, n);
	word[n] = '\0';
	return true;
}

bool visible_item(const char *word, struct sel_item *ret)
{
	return sel_item_parse(word, ret) == 0 && ret->kind != SEL_PCI &&
	       ret->kind != SEL_MIG_PAIR && ret->kind != SEL_CDI;
}

bool visible_needs_nvml(const struct gpu_set *set, const char *devices)
{
	struct gpu_choice found;
	struct sel_item item;
	char word[VISIBLE_WORD_MAX];

	while (visible_next(&devices, word))
		if (visible_item(word, &item) && gpu_find(set, &item, &found) == -EAGAIN)
			return true;
	return false;
}

/* One word; false when it means no GPU that can be used. */
static bool visible_take(struct arena *a, const struct gpu_set *set, const char *word,
			 struct visible_list *list)
{
	struct gpu_choice found;
	struct sel_item item;
	int error, r;

	if (!visible_item(word, &item))
		return false;
	r = gpu_find(set, &item, &found);
	list->unknown = r == -EAGAIN;
	if (r < 0 || gpu_why_not(&found, &error))
		return false;
	list->indexes |= item.kind == SEL_INDEX;
	VEC_PUSH(a, list->named.v, list->named.n, list->named.cap, found);
	return true;
}

void visible_read(struct arena *a, const struct gpu_set *set, const char *devices,
		  struct visible_list *ret)
{
	const char *rest = visible_gives(devices) ? devices : NULL;
	char word[VISIBLE_WORD_MAX];

	*ret = (struct visible_list){ 0 };
	while (visible_next(&rest, word)) {
		if (visible_take(a, set, word, ret))
			continue;
		if (!str_eq(word, "-1"))
			ret->bad = arena_strdup(a, word);
		return;
	}
}

const char *visible_complaint(struct arena *a, const char *devices, const char *word)
{
	return arena_printf(a,
			    "CUDA_VISIBLE_DEVICES=%s: '%s' is no GPU that can be used, and ends "
			    "the list",
			    devices, word);
}
