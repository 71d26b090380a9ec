// SPDX-License-Identifier: Apache-2.0
/*
 * ahead.c - decompression in a thread of its own, in front of the one that writes.
 *
 *	maker: read, hash the blob, decompress ->  ring of blocks  -> user: parse, write
 *	                                              hash
 *
 * The digest of the tar has no thread of its own: whoever would have to wait for the other
 * hashes what there is to hash, block by block.  So both are busy whichever work is the larger,
 * there are half as many wake-ups as with a third thread, and a block that was just written is
 * hashed from the cache.
 *
 * A block is free again when it was used and hashed.  One that waits is woken when a few blocks
 * are ready for it, not at the first: a switch costs as much as a tenth of a block's work.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include "ahead.h"
#include "decode.h"

#define AHEAD_STACK (256U << 10)
#define AHEAD_BATCH (AHEAD_BLOCKS / 2) /* blocks that are worth waking somebody for */

struct block {
	uint8_t *buf;
	const void *p; /* of the @n bytes */
	size_t n;
};

struct ahead {
	const struct ahead_ops *ops;
	void *arg;
	pthread_t thread;
	pthread_mutex_t lock; /* of everything below; a block itself has one owner at a time */
	pthread_cond_t filled, freed;
	struct block ring[AHEAD_BLOCKS];
	uint64_t made, used, hashed; /* blocks so far; the last one handed out is not yet used */
	bool lent, hashing, ended, stop;
	ssize_t failed; /* why it ended: 0 or -errno */
	struct err err;
};

static uint64_t ahead_free(const struct ahead *p)
{
	uint64_t done = p->used < p->hashed ? p->used : p->hashed;

	return AHEAD_BLOCKS - (p->made - done);
}

/* Call after used or hashed went up. */
static void ahead_tell_maker(struct ahead *p)
{
	if (ahead_free(p) >= AHEAD_BATCH)
		pthread_cond_signal(&p->freed);
}

/* Hash one block with the lock let go; false when there is none or the other thread does. */
static bool ahead_hash(struct ahead *p)
{
	const struct block *b = &p->ring[p->hashed % AHEAD_BLOCKS];

	if (p->hashing || p->hashed == p->made)
		return false;
	p->hashing = true;
	pthread_mutex_unlock(&p->lock);
	p->ops->hash(p->arg, b->p, b->n);
	pthread_mutex_lock(&p->lock);
	p->hashing = false;
	p->hashed++;
	ahead_tell_maker(p);
	return true;
}

/* Make blocks until there are no more, or nobody wants them. */
static void *ahead_make(void *arg)
{
	struct ahead *p = arg;
	struct block *b;
	ssize_t n = 1;

	pthread_mutex_lock(&p->lock);
	while (n > 0) {
		while (!p->stop && ahead_free(p) == 0)
			if (!ahead_hash(p))
				pthread_cond_wait(&p->freed, &p->lock);
		if (p->stop)
			break;
		b = &p->ring[p->made % AHEAD_BLOCKS];
		pthread_mutex_unlock(&p->lock);
		n = p->ops->make(p->arg, &b->buf, &b->p, &p->err);
		b->n = n > 0 ? (size_t)n : 0;
		pthread_mutex_lock(&p->lock);
		p->made += n > 0;
		if (p->made - p->used >= AHEAD_BATCH)
			pthread_cond_signal(&p->filled);
	}
	p->ended = true;
	p->failed = n < 0 ? n : 0;
	pthread_cond_signal(&p->filled);
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* The signals of the process are its first thread's. */
static int thread_start(struct ahead *p)
{
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	sigfillset(&all);
	r = pthread_attr_init(&attr);
	if (r != 0)
		return -r;
	pthread_attr_setstacksize(&attr, AHEAD_STACK);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&p->thread, &attr, ahead_make, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

/* More CPUs than a cpu_set_t has room for are an error, and more than one. */
static bool cpu_is_single(void)
{
	cpu_set_t set;

	return sched_getaffinity(0, sizeof(set), &set) == 0 && CPU_COUNT(&set) == 1;
}

struct ahead *ahead_start(struct arena *a, const struct ahead_ops *ops, void *arg)
{
	struct ahead *p;

	if (cpu_is_single())
		return NULL;
	p = ARENA_NEW(a, struct ahead);
	p->ops = ops;
	p->arg = arg;
	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->filled, NULL);
	pthread_cond_init(&p->freed, NULL);
	for (size_t i = 0; i < AHEAD_BLOCKS; i++)
		p->ring[i].buf = arena_alloc(a, DECODE_BLOCK);
	return thread_start(p) < 0 ? NULL : p;
}

/* The next block, or NULL behind the last one, when everything is hashed. */
static const struct block *ahead_next(struct ahead *p)
{
	while (p->made == p->used && !p->ended)
		if (!ahead_hash(p))
			pthread_cond_wait(&p->filled, &p->lock);
	if (p->made == p->used) {
		while (ahead_hash(p))
			;
		return NULL;
	}
	p->lent = true;
	return &p->ring[p->used % AHEAD_BLOCKS];
}

ssize_t ahead_read(struct ahead *p, const void **ret_block, struct err *e)
{
	const struct block *b;

	pthread_mutex_lock(&p->lock);
	if (p->lent) {
		p->lent = false;
		p->used++;
		ahead_tell_maker(p);
	}
	b = ahead_next(p);
	pthread_mutex_unlock(&p->lock);
	if (b) {
		*ret_block = b->p;
		return (ssize_t)b->n;
	}
	if (p->failed && e)
		*e = p->err;
	return p->failed;
}

void ahead_stop(struct ahead *p)
{
	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->freed);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->filled);
	pthread_cond_destroy(&p->freed);
}
