// SPDX-License-Identifier: Apache-2.0
/*
 * digest.c - the grammar of digests.  A digest becomes part of a path: it is checked before.
 */
#include <errno.h>

#include <gpurun/str.h>

#include "source.h"

int digest_parse(const char *text, const char *what, const char **ret_hex, struct err *e)
{
	const char *hex = str_after(text, "sha256:");

	if (hex && strlen(hex) == IMAGE_ID_HEX && num_is_hex(hex, IMAGE_ID_HEX)) {
		*ret_hex = hex;
		return 0;
	}
	if (str_after(text, "sha512:"))
		return err_set(e, ENOTSUP, "%s: a SHA-512 digest; only SHA-256 is read", what);
	return err_set(e, EINVAL, "%s: \"%.80s\" is no digest", what, text);
}
