/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slots.h - the file of a step: one line of fixed width for each rank,
 *
 *	       PID           START TIME       USER NAMESPACE      MOUNT NAMESPACE
 *
 * decimal, right-aligned.  A slot is free when its pid is 0, or when it is no such line: whatever
 * the file holds, reading it finds ranks or finds none.  Slots are written under the lock of the
 * file, each by one write; whoever reads without the lock may miss a rank that is just arriving.
 */
#ifndef GPURUN_STATE_SLOTS_H
#define GPURUN_STATE_SLOTS_H

#include <stdbool.h>

#include <gpurun/arena.h>
#include <gpurun/sys.h>

#define SLOT_SIZE 74    /* 10 and 3 times 20 digits, blanks between them, a newline */
#define SLOTS_MAX 16384 /* ranks of one container */

/** slots_read - all slots (of those behind SLOTS_MAX none), free ones with pid 0; -errno */
int slots_read(struct arena *a, int fd, struct sys_peer **ret, size_t *ret_n);

/** slots_first_free - which it is, perhaps one behind the last; -errno */
ssize_t slots_first_free(int fd);

/** slot_write - slot @i becomes @peer (NULL: free) */
int slot_write(int fd, size_t i, const struct sys_peer *peer);

/** slot_alive - is that process there, and the same? */
bool slot_alive(const struct sys_peer *peer);

/** slots_alive - drop what is not alive from the list; how many are left */
size_t slots_alive(struct sys_peer *v, size_t n);

#endif
