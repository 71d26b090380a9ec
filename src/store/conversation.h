/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conversation.h - our side of the worker: start it, hear it, show its progress, end it.
 */
#ifndef STORE_CONVERSATION_H
#define STORE_CONVERSATION_H

#include <signal.h>
#include <sys/types.h>

#include "worker.h"

/**
 * struct conversation
 * @label: the image as the user named it
 * @layers: how many it has, once known
 * @words: the other end of the worker's stderr
 */
struct conversation {
	pid_t pid;
	int sock, words, signals;
	sigset_t old_mask;
	const char *label;
	bool quiet;
	uint32_t layers;
};

/** conversation_begin - fork the worker; SIGINT, SIGTERM and SIGHUP are ours until the end */
int conversation_begin(struct conversation *c, const struct worker_input *in, const char *label,
		       bool quiet, struct err *e);

/** conversation_order - send @m */
int conversation_order(struct conversation *c, const struct msg *m, struct err *e);

/**
 * conversation_hear - the next message that is no progress; checked: counts are in range,
 * strings end.  A failure of the worker, its death and a signal to us become errors.
 */
int conversation_hear(struct conversation *c, struct msg *ret, struct err *e);

/**
 * conversation_end - end the worker, however it is; signals as before
 * Nothing of it runs any more afterwards: it cannot have started a process, and its threads are
 * gone before it is waited for.
 */
void conversation_end(struct conversation *c);

#endif
