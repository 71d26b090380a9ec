// SPDX-License-Identifier: Apache-2.0
/* Layers that are decompressed ahead of the reader: bytes, errors, early ends, several at once. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>

#include "images.h"

#define LAYER_BYTES (9U << 20) /* more than the ring holds */
#define STREAMS     4

static struct bytes noise_layer(void)
{
	struct bytes data = { 0 }, t = { 0 };
	uint32_t x = 12345;

	while (data.n < LAYER_BYTES) {
		uint8_t c[64];

		for (size_t i = 0; i < sizeof(c); i++) {
			x = x * 1103515245 + 12345;
			c[i] = (uint8_t)(x >> 24) & 31;
		}
		bytes_add(&data, c, sizeof(c));
	}
	tar_add(&t, "data", '0', NULL, data);
	tar_end(&t);
	return t;
}

static int count_tasks(void)
{
	DIR *d = opendir("/proc/self/task");
	int n = 0;

	if (!d)
		die("/proc/self/task");
	for (struct dirent *de; (de = readdir(d));)
		n += de->d_name[0] != '.';
	closedir(d);
	return n;
}

/* Counted in a thread: a sanitizer may have started one of its own by then. */
static void *count_alone(void *arg)
{
	*(int *)arg = count_tasks() - 1;
	return NULL;
}

/* A thread that was joined is seen for a moment longer. */
static bool tasks_become(int want)
{
	for (int i = 0; i < 2000 && count_tasks() != want; i++)
		usleep(5000);
	return count_tasks() == want;
}

/* Leave one CPU to this thread, or give back what there was. */
static bool cpu_restrict(bool one)
{
	static cpu_set_t all;
	static bool known;
	cpu_set_t set;

	if (!known && sched_getaffinity(0, sizeof(all), &all) < 0)
		die("sched_getaffinity");
	known = true;
	CPU_ZERO(&set);
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&set) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &set);
	if (sched_setaffinity(0, sizeof(set), one ? &set : &all) < 0)
		die("sched_setaffinity");
	return CPU_COUNT(&all) > 1;
}

static void test_format(const char *command, struct bytes tar, int alone)
{
	struct bytes file = command ? filter(command, tar) : tar, have = { 0 };
	const char *what = command ? command : "cat";
	char hex[IMAGE_ID_HEX + 1] = "";
	struct image_stream *st;
	struct opened o;
	const void *block;
	uint64_t done, total;
	ssize_t n;

	image_try(&o, file, "");
	o.m.layers[0].digest = digest_of(file);
	is_int(image_layer_open(o.s, &o.m.layers[0], &st, &o.e), 0, "%s: open %s", what, o.e.msg);
	ok(tasks_become(alone + cpu_restrict(false)), "%s: a thread where there is a CPU for it",
	   what);
	while ((n = image_layer_read(st, &block, &o.e)) > 0) {
		bytes_add(&have, block, (size_t)n);
		image_layer_progress(st, &done, &total);
		if (done > total)
			break;
	}
	is_int(n, 0, "%s: to the end %s", what, o.e.msg);
	ok(have.n == tar.n && memcmp(have.p, tar.p, tar.n) == 0, "%s: the same bytes", what);
	is_int(image_layer_read(st, &block, &o.e), 0, "%s: the end stays one", what);
	is_int(image_layer_finish(st, hex, &o.e), 0, "%s: finish %s", what, o.e.msg);
	is_str(hex, digest_of(tar), "%s: diff_id", what);
	image_layer_close(st);
	ok(tasks_become(alone), "%s: it is gone", what);
	image_done(&o);
}

/* Closed behind every block: whoever waits for whom then, nobody is left behind. */
static void test_early(const char *command, struct bytes tar, int alone)
{
	struct image_stream *st;
	struct opened o;
	const void *block;
	int r = 0, closed = 0;
	ssize_t n = 1;

	image_try(&o, command ? filter(command, tar) : tar, "");
	for (int k = 0; n > 0 && r == 0; k++) {
		r = image_layer_open(o.s, &o.m.layers[0], &st, &o.e);
		for (int i = 0; r == 0 && i < k && n > 0; i++)
			n = image_layer_read(st, &block, &o.e);
		if (k % 3 == 1) /* the ring is full, perhaps */
			sched_yield();
		if (k % 3 == 2)
			usleep(3000);
		if (r == 0)
			image_layer_close(st);
		closed++;
	}
	ok(r == 0 && n == 0 && closed > 30, "closed behind each of %d blocks", closed);
	ok(tasks_become(alone), "no thread is left");
	image_done(&o);
}

/* The same blocks and the same words with one CPU and with more. */
static void test_same(const char *what, struct bytes file)
{
	struct bytes have[2] = { { 0 }, { 0 } };
	ssize_t n[2], finish[2];
	struct err e[2] = { { 0 }, { 0 } };
	struct image_stream *st;
	struct opened o;
	const void *block;

	image_try(&o, file, "");
	is_int(o.r, 0, "%s: open %s", what, o.e.msg);
	o.m.layers[0].diff_id = digest_of(bytes_of("another"));
	for (int i = 0; i < 2; i++) {
		cpu_restrict(i == 0);
		if (image_layer_open(o.s, &o.m.layers[0], &st, &o.e) < 0)
			die(o.e.msg);
		while ((n[i] = image_layer_read(st, &block, &e[i])) > 0)
			bytes_add(&have[i], block, (size_t)n[i]);
		if (n[i] < 0)
			n[i] = image_layer_read(st, &block, &o.e);
		finish[i] = image_layer_finish(st, NULL, n[i] < 0 ? &o.e : &e[i]);
		image_layer_close(st);
	}
	ok(n[0] == n[1] && finish[0] == finish[1], "%s: the same result", what);
	ok(finish[0] < 0 && *e[0].msg, "%s: %s", what, e[0].msg);
	is_str(e[1].msg, e[0].msg, "%s: the same words", what);
	ok(have[0].n == have[1].n && memcmp(have[0].p, have[1].p, have[0].n) == 0,
	   "%s: the same %zu bytes before", what, have[0].n);
	image_done(&o);
}

static void test_errors(const char *command, struct bytes tar)
{
	struct bytes whole = filter(command, tar), half = whole, bent = { 0 }, tail = { 0 };

	half.n /= 2;
	bytes_add(&bent, whole.p, whole.n);
	memset(bent.p + bent.n / 3, 0x55, 1000);
	bytes_add(&tail, whole.p, whole.n);
	bytes_add(&tail, "garbage", 7);
	test_same(text_of("%s: good but for its diff_id", command), whole);
	test_same(text_of("%s: cut off", command), half);
	test_same(text_of("%s: damaged", command), bent);
	test_same(text_of("%s: garbage behind", command), tail);
}

/* ---- several threads, each with a stream of one source --------------------------------- */

struct reader {
	struct image_source *s;
	const struct image_layer *l;
	char hex[IMAGE_ID_HEX + 1];
	struct err e;
	int r;
};

static void *reader_run(void *arg)
{
	struct reader *rd = arg;
	struct image_stream *st;

	rd->r = image_layer_open(rd->s, rd->l, &st, &rd->e);
	if (rd->r < 0)
		return NULL;
	rd->r = image_layer_finish(st, rd->hex, &rd->e);
	image_layer_close(st);
	return NULL;
}

static void test_streams(const char *command, struct bytes tar)
{
	struct reader rd[STREAMS];
	pthread_t t[STREAMS];
	struct opened o;

	image_try(&o, command ? filter(command, tar) : tar, "");
	for (int i = 0; i < STREAMS; i++) {
		rd[i] = (struct reader){ .s = o.s, .l = &o.m.layers[0] };
		if (pthread_create(&t[i], NULL, reader_run, &rd[i]) != 0)
			die("pthread_create");
	}
	for (int i = 0; i < STREAMS; i++) {
		pthread_join(t[i], NULL);
		ok(rd[i].r == 0 && strcmp(rd[i].hex, digest_of(tar)) == 0, "stream %d of %d %s", i,
		   STREAMS, rd[i].e.msg);
	}
	image_done(&o);
}

int main(void)
{
	static const char *const commands[] = { NULL, "gzip -1c", "zstd -q -c" };
	struct bytes tar = noise_layer();
	struct err e = { 0 };
	pthread_t t;
	int alone;

	if (pthread_create(&t, NULL, count_alone, &alone) != 0)
		die("pthread_create");
	pthread_join(t, NULL);
	if (image_libs_load(&e) < 0)
		die(e.msg);
	cpu_restrict(false);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		test_format(commands[i], tar, alone);
		test_early(commands[i], tar, alone);
		test_streams(commands[i], tar);
		if (commands[i])
			test_errors(commands[i], tar);
	}
	return done_testing();
}
