/* SPDX-License-Identifier: Apache-2.0 */
/* What doctor's probe printed in a container. */
#include <stdlib.h>

#include "../../src/cli/doctor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_arena_ struct arena *a = arena_new(0);
	struct probe *p = ARENA_NEW(a, struct probe);

	probe_parse(a, arena_strndup(a, (const char *)data, size), p);
	if (p->n_nodes > PROBE_NODES_MAX || p->n_devices > PROBE_DEVICES_MAX)
		abort();
	return 0;
}
