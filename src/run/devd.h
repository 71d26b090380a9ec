/* SPDX-License-Identifier: Apache-2.0 */
/*
 * devd.h - what gpurun and gpurun devd say to each other: one message each way on a connection of
 * its own (AF_UNIX, SEQPACKET).  The request comes with a descriptor of the cgroup, the answer with
 * one of the link, which is the filter's life.  No program, map or token is ever handed over.
 */
#ifndef RUN_DEVD_H
#define RUN_DEVD_H

#include <stdint.h>

#include <gpurun/devices.h>

#define DEVD_MAGIC    0x44757067U /* "gpuD" */
#define DEVD_VERSION  1U
#define DEVD_TEXT_MAX 256

/* Seconds that one side waits for the other; the service may have to be started first. */
#define DEVD_CLIENT_PATIENCE 10
#define DEVD_SERVER_PATIENCE 2

#define DEVD_FDS_MAX 8 /* descriptors that are received, to be closed if there is more than one */

/* What nobody is kept from: null, zero, full, random, urandom, tty, ptmx and pseudo terminals. */
static const struct device_rule devd_must[] = {
	{ 'c', 1, 3, DEVICE_RW }, { 'c', 1, 5, DEVICE_RW },
	{ 'c', 1, 7, DEVICE_RW }, { 'c', 1, 8, DEVICE_RW },
	{ 'c', 1, 9, DEVICE_RW }, { 'c', 5, 0, DEVICE_RW },
	{ 'c', 5, 2, DEVICE_RW }, { 'c', 136, DEVICE_ANY, DEVICE_RW },
};

struct devd_request {
	uint32_t magic, version, n, unused;
	struct device_rule rules[DEVICE_RULES_MAX]; /* the first @n are sent */
};

/**
 * struct devd_answer - @code: 0 and a descriptor, or an errno value and a text
 */
struct devd_answer {
	uint32_t magic, version;
	int32_t code;
	char text[DEVD_TEXT_MAX];
};

/* devd.c: one message with a descriptor (-1: none), and the other side; -errno */
int devd_send(int sock, const void *data, size_t len, int fd);
/* how many bytes there were; @ret_fd: -1 unless there is exactly one, @ret_n: how many came */
int devd_receive(int sock, void *data, size_t size, int *ret_fd, size_t *ret_n);
/* nobody waits for ever */
int devd_patience(int sock, int seconds);

#endif
