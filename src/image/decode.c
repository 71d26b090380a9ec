// SPDX-License-Identifier: Apache-2.0
/*
 * decode.c - one stream of bytes out of a compressed one.
 *
 * pigz, bgzip, pbzip2, pzstd and the makers of "lazy" layers write many streams behind one
 * another; some tools pad with NULs.  Both are read to the end of the input; anything else
 * behind a stream, and a stream that has no end, is an error.  Small streams share a block: an
 * image may have one for every file.
 */
#include <errno.h>

#include "decode.h"

void window_turn_init(struct window_turn *w)
{
	*w = (struct window_turn){ .taken = false };
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->freed, NULL);
}

void window_turn_end(struct window_turn *w)
{
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->freed);
}

static void window_take(struct decoder *d)
{
	struct window_turn *w = d->turn;

	d->io.wide = true;
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	while (w->taken)
		pthread_cond_wait(&w->freed, &w->lock);
	w->taken = true;
	pthread_mutex_unlock(&w->lock);
}

static void window_give(struct decoder *d)
{
	struct window_turn *w = d->turn;

	if (!w || !d->io.wide)
		return;
	pthread_mutex_lock(&w->lock);
	w->taken = false;
	pthread_cond_signal(&w->freed);
	pthread_mutex_unlock(&w->lock);
	d->io.wide = false;
}

void decoder_init(struct decoder *d, struct arena *a, const char *label,
		  ssize_t (*fill)(void *arg, const void **ret_block, struct err *e), void *arg)
{
	*d = (struct decoder){ .label = label, .fill = fill, .arg = arg, .a = a };
}

/* Get input when there is none: 1 when there is some now, 0 at the end of the input. */
static int decoder_fill(struct decoder *d, struct err *e)
{
	const void *block;
	ssize_t n;

	if (d->io.n_in > 0)
		return 1;
	if (d->eof)
		return 0;
	n = d->fill(d->arg, &block, e);
	if (n < 0)
		return (int)n;
	if (n == 0) {
		d->eof = true;
		return 0;
	}
	d->io.in = block;
	d->io.n_in = (size_t)n;
	return 1;
}

static void decoder_end(struct decoder *d)
{
	if (d->begun)
		d->codec->end(d->state);
	d->begun = false;
}

static int decoder_begin_stream(struct decoder *d, struct err *e)
{
	int r;

	if (d->begun && d->codec->again) {
		r = d->codec->again(d->state);
	} else {
		decoder_end(d);
		r = d->codec->begin(d->state);
	}
	d->begun = true;
	d->phase = DECODE_STREAM;
	return r < 0 ? err_set(e, -r, "%s: no memory to decode %s", d->label, d->codec->name) : 0;
}

static int decoder_start(struct decoder *d, struct err *e)
{
	int r = decoder_fill(d, e);

	if (r < 0)
		return r;
	d->codec = codec_find(d->io.in, d->io.n_in);
	if (!d->codec) {
		d->phase = DECODE_PASS;
		return 0;
	}
	if (!d->codec->begin) {
		err_set(e, ENOTSUP, "%s: compressed with %s, which is not read", d->label,
			d->codec->name);
		err_hint(e, "decompress it with %s -d, or use gzip, xz, bzip2 or zstd",
			 d->codec->tool);
		return -ENOTSUP;
	}
	r = codec_load(&d->codec, e);
	if (r < 0)
		return r;
	d->state = arena_alloc(d->a, d->codec->state_size);
	return decoder_begin_stream(d, e);
}

/* Behind a stream: padding is skipped, the rest must be another stream. */
static int decoder_between(struct decoder *d, struct err *e)
{
	int r;

	while ((r = decoder_fill(d, e)) > 0) {
		while (d->io.n_in > 0 && *d->io.in == 0) {
			d->io.in++;
			d->io.n_in--;
		}
		if (d->io.n_in > 0)
			return decoder_begin_stream(d, e);
	}
	if (r == 0)
		d->phase = DECODE_END;
	return r;
}

static int decoder_fail(const struct decoder *d, int r, struct err *e)
{
	if (r == -E2BIG)
		return err_set(e, EINVAL, "%s: %s data that take too much memory to decode",
			       d->label, d->codec->name);
	if (r == -ENOMEM)
		return err_set(e, ENOMEM, "%s: there is too little memory to decode the %s data",
			       d->label, d->codec->name);
	return err_set(e, EINVAL, "%s: bad %s data", d->label, d->codec->name);
}

/* One call of the library, whose output goes behind what d->out has already. */
static int decoder_step(struct decoder *d, struct err *e)
{
	size_t had, room = DECODE_BLOCK - d->n_out;
	int r = 0;

	if (!d->pending)
		r = decoder_fill(d, e);
	if (r < 0)
		return r;
	had = d->io.n_in;
	if (had == 0 && !d->pending)
		return err_set(e, EINVAL, "%s: the %s data are cut off", d->label, d->codec->name);
	d->io.out = d->out + d->n_out;
	d->io.n_out = room;
	r = d->codec->step(d->state, &d->io);
	if (r == CODEC_WIDE) {
		window_take(d);
		r = d->codec->step(d->state, &d->io);
	}
	if (r < 0)
		return decoder_fail(d, r, e);
	if (r == 0 && d->io.n_out == room && had > 0 && d->io.n_in == had && !d->pending)
		return decoder_fail(d, -EBADMSG, e);
	d->n_out = DECODE_BLOCK - d->io.n_out;
	d->pending = r == 0 && d->io.n_out == 0;
	if (r == 1)
		d->phase = DECODE_BETWEEN;
	return 0;
}

static ssize_t decoder_pass(struct decoder *d, const void **ret_block, struct err *e)
{
	int r = decoder_fill(d, e);
	size_t n = d->io.n_in < DECODE_BLOCK ? d->io.n_in : DECODE_BLOCK;

	if (r <= 0) {
		d->phase = r == 0 ? DECODE_END : d->phase;
		return r;
	}
	*ret_block = d->io.in;
	d->io.in += n;
	d->io.n_in -= n;
	return (ssize_t)n;
}

/* What is in d->out. */
static ssize_t decoder_take(struct decoder *d, const void **ret_block)
{
	size_t n = d->n_out;

	*ret_block = d->out;
	d->n_out = 0;
	return (ssize_t)n;
}

ssize_t decoder_read(struct decoder *d, const void **ret_block, struct err *e)
{
	ssize_t n = 0;

	for (;;) {
		switch (d->phase) {
		case DECODE_START:
			n = decoder_start(d, e);
			break;
		case DECODE_PASS:
			n = decoder_pass(d, ret_block, e);
			if (n != 0)
				return n;
			break;
		case DECODE_STREAM:
			n = decoder_step(d, e);
			if (n == 0 && d->n_out == DECODE_BLOCK)
				return decoder_take(d, ret_block);
			break;
		case DECODE_BETWEEN:
			n = decoder_between(d, e);
			break;
		case DECODE_END:
			return decoder_take(d, ret_block);
		}
		if (n < 0)
			return n;
	}
}

void decoder_close(struct decoder *d)
{
	decoder_end(d);
	window_give(d);
}
