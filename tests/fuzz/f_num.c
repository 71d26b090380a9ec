/* SPDX-License-Identifier: Apache-2.0 */
/* What is accepted as a number is what its own text says. */
#include <gpurun/str.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char s[256], again[32];
	uint64_t v = 1, bytes = 1;
	const char *digits = s;

	if (size >= sizeof(s))
		return 0;
	memcpy(s, data, size);
	s[size] = '\0';
	if (num_u64(s, UINT64_MAX, &v) == 0) {
		(void)snprintf(again, sizeof(again), "%" PRIu64, v);
		while (digits[0] == '0' && digits[1])
			digits++;
		if (!str_eq(again, digits))
			abort();
		/* a size is one that off_t holds */
		if (v > INT64_MAX ? num_size(s, &bytes) != -ERANGE
				  : num_size(s, &bytes) != 0 || bytes != v)
			abort();
		if (v > 0 && num_u64(s, v - 1, &v) != -ERANGE)
			abort();
	}
	if (num_size(s, &bytes) == 0 && strspn(s, "0123456789") == 0)
		abort();
	if (num_is_hex(s, strlen(s)) != (strspn(s, "0123456789abcdef") == strlen(s)))
		abort();
	return 0;
}
