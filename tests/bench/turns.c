// SPDX-License-Identifier: Apache-2.0
/*
 * turns.c - start commands in turns and compare them.
 *
 *	turns [-n ROUNDS] [-w WARMUPS] [-q MS] [-P WIDTH [-m LAUNCHES]] [-o FILE] [-e]
 *	      NAME COMMAND... [--- NAME COMMAND...]...
 *
 *	-n ROUNDS    of all commands, each time beginning with another one (20)
 *	-w WARMUPS   rounds before that are not counted (2)
 *	-q MS        before each start wait at most so long until nothing else is runnable
 *	-P WIDTH     a turn is LAUNCHES (10 * WIDTH) starts of the command, WIDTH at a time
 *	-o FILE      the table as tab separated values
 *	-e           leave the commands their standard error
 *
 * The first command is the reference: a ratio is the median over the rounds of the command's time
 * in a round by the reference's, so that what is slow for a while is slow for both.  With -P it is
 * that of launches a second.  "{}" in a word stands for the number of the command's start, from 1.
 *
 * Wall time is that from before posix_spawn(3) to after wait4(2).  User and system time, peak memory
 * and minor faults are those of the command, of what it waited for, and of what it left behind: we
 * inherit its orphans (bwrap's pid 1, podman's conmon) and wait LINGER_MS for them, so that they do
 * not work on another command's time either.
 */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COMMANDS_MAX 64
#define ROUNDS_MAX   2000
#define WIDTH_MAX    1024
#define LAUNCHES_MAX 100000
#define WORDS_MAX    8192
#define WORD_MAX     4096
#define HOLES_MAX    16
#define LINGER_MS    50.0

enum column { WALL, USER, SYSTEM, CPU, RSS, FAULTS, RATE, P50, P95, COLUMNS };

struct command {
	const char *name;
	char **words;
	size_t n_words;
	double *rounds[COLUMNS]; /* one value a round */
	unsigned long starts, failures;
};

struct start {
	pid_t pid;
	double begun;
};

struct bench {
	unsigned int rounds, warmups, quiet_ms, width, launches;
	const char *table;
	bool errors;
	unsigned long starts, unquiet;
	size_t n;
	struct command commands[COMMANDS_MAX];
};

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "turns: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void *alloc(size_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p)
		die("memory");
	return p;
}

static double now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static double ms(struct timeval t)
{
	return (double)t.tv_sec * 1e3 + (double)t.tv_usec * 1e-3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* The value below which the @part of @n ones are; they end up sorted. */
static double quantile(double *v, size_t n, double part)
{
	double at = part * (double)(n - 1);
	size_t i = (size_t)at;

	qsort(v, n, sizeof(*v), by_value);
	return i + 1 < n ? v[i] + (at - (double)i) * (v[i + 1] - v[i]) : v[i];
}

static long runnable(void)
{
	char text[16384];
	int fd = open("/proc/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	const char *p;

	(void)close(fd);
	text[n < 0 ? 0 : n] = '\0';
	p = strstr(text, "procs_running ");
	return p ? strtol(p + strlen("procs_running "), NULL, 10) : 1;
}

/* Three looks a millisecond apart that see nobody but us. */
static void quiet_wait(struct bench *b)
{
	const struct timespec nap = { .tv_nsec = 1000000 };
	double end = now_ms() + b->quiet_ms;
	int calm = 0;

	b->starts++;
	if (b->quiet_ms == 0)
		return;
	while (now_ms() < end) {
		calm = runnable() <= 1 ? calm + 1 : 0;
		if (calm == 3)
			return;
		(void)nanosleep(&nap, NULL);
	}
	b->unquiet++;
}

/* @word with @number for "{}" */
static char *word_fill(const char *word, unsigned long number, char out[WORD_MAX])
{
	const char *hole = strstr(word, "{}");

	(void)snprintf(out, WORD_MAX, "%.*s%lu%s", (int)(hole - word), word, number, hole + 2);
	return out;
}

static struct start start(struct bench *b, struct command *c)
{
	static char filled[HOLES_MAX][WORD_MAX];
	static char *argv[WORDS_MAX];
	posix_spawn_file_actions_t files;
	struct start s = { 0 };
	size_t used = 0;
	int r;

	c->starts++;
	for (size_t i = 0; i < c->n_words; i++) {
		argv[i] = c->words[i];
		if (strstr(argv[i], "{}") && used < HOLES_MAX)
			argv[i] = word_fill(argv[i], c->starts, filled[used++]);
	}
	argv[c->n_words] = NULL;
	(void)posix_spawn_file_actions_init(&files);
	(void)posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	(void)posix_spawn_file_actions_addopen(&files, 1, "/dev/null", O_WRONLY, 0);
	if (!b->errors)
		(void)posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
	s.begun = now_ms();
	r = posix_spawnp(&s.pid, argv[0], &files, NULL, argv, environ);
	if (r != 0) {
		errno = r;
		die(argv[0]);
	}
	(void)posix_spawn_file_actions_destroy(&files);
	return s;
}

/* One that has ended, if there is one: what it used is added to @sum. */
static pid_t reap(int flags, int *ret_status, double sum[COLUMNS])
{
	struct rusage use;
	pid_t pid;

	while ((pid = wait4(-1, ret_status, flags, &use)) < 0 && errno == EINTR)
		;
	if (pid <= 0)
		return pid;
	sum[USER] += ms(use.ru_utime);
	sum[SYSTEM] += ms(use.ru_stime);
	sum[FAULTS] += (double)use.ru_minflt;
	if (sum[RSS] < (double)use.ru_maxrss)
		sum[RSS] = (double)use.ru_maxrss;
	return pid;
}

static void orphans_reap(double sum[COLUMNS])
{
	const struct timespec nap = { .tv_nsec = 200000 };
	double end = now_ms() + LINGER_MS;
	pid_t pid;
	int status;

	while ((pid = reap(WNOHANG, &status, sum)) >= 0 && now_ms() < end)
		if (pid == 0)
			(void)nanosleep(&nap, NULL);
}

static void turn_single(struct bench *b, struct command *c, double sum[COLUMNS])
{
	struct start s;
	pid_t pid;
	int status;

	quiet_wait(b);
	s = start(b, c);
	while ((pid = reap(0, &status, sum)) != s.pid)
		if (pid < 0)
			die("wait4");
	sum[WALL] = now_ms() - s.begun;
	c->failures += status != 0;
	orphans_reap(sum);
}

/* LAUNCHES starts, WIDTH at a time; a slot is a start that runs. */
static void turn_crowd(struct bench *b, struct command *c, double sum[COLUMNS])
{
	struct start slots[WIDTH_MAX] = { 0 };
	double *took = alloc(b->launches, sizeof(*took)), begun;
	unsigned int begun_n = 0, done = 0;

	quiet_wait(b);
	begun = now_ms();
	while (begun_n < b->width && begun_n < b->launches)
		slots[begun_n++] = start(b, c);
	while (done < b->launches) {
		int status;
		pid_t pid = reap(0, &status, sum);
		size_t i = 0;

		if (pid < 0)
			die("wait4");
		while (i < b->width && slots[i].pid != pid)
			i++;
		if (i == b->width)
			continue; /* an orphan */
		c->failures += status != 0;
		took[done++] = now_ms() - slots[i].begun;
		slots[i].pid = 0;
		if (begun_n < b->launches) {
			slots[i] = start(b, c);
			begun_n++;
		}
	}
	sum[WALL] = now_ms() - begun;
	orphans_reap(sum);
	sum[RATE] = b->launches * 1e3 / sum[WALL];
	sum[P50] = quantile(took, b->launches, 0.5);
	sum[P95] = quantile(took, b->launches, 0.95);
	sum[USER] /= b->launches;
	sum[SYSTEM] /= b->launches;
	sum[FAULTS] /= b->launches;
	free(took);
}

static void turn(struct bench *b, struct command *c, int round)
{
	double sum[COLUMNS] = { 0 };
	unsigned long failures = c->failures;

	if (b->width > 1)
		turn_crowd(b, c, sum);
	else
		turn_single(b, c, sum);
	sum[CPU] = sum[USER] + sum[SYSTEM];
	for (int i = 0; i < COLUMNS && round >= 0; i++)
		c->rounds[i][round] = sum[i];
	if (round < 0)
		c->failures = failures;
}

static double ratio(const struct bench *b, const struct command *c, enum column what)
{
	double v[ROUNDS_MAX];

	for (unsigned int i = 0; i < b->rounds; i++)
		v[i] = c->rounds[what][i] / b->commands[0].rounds[what][i];
	return quantile(v, b->rounds, 0.5);
}

static double part(const struct bench *b, const struct command *c, enum column what, double at)
{
	double v[ROUNDS_MAX];

	memcpy(v, c->rounds[what], b->rounds * sizeof(*v));
	return quantile(v, b->rounds, at);
}

static double median(const struct bench *b, const struct command *c, enum column what)
{
	return part(b, c, what, 0.5);
}

static void report_single(const struct bench *b, FILE *f, const char *head, const char *row)
{
	(void)fprintf(f, head, "name", "wall", "p10", "p90", "cpu", "rss", "faults", "ratio",
		      "cpuratio", "fail");
	for (const struct command *c = b->commands; c < b->commands + b->n; c++)
		(void)fprintf(f, row, c->name, median(b, c, WALL), part(b, c, WALL, 0.1),
			      part(b, c, WALL, 0.9), median(b, c, CPU), median(b, c, RSS),
			      median(b, c, FAULTS), ratio(b, c, WALL), ratio(b, c, CPU),
			      c->failures);
}

static void report_crowd(const struct bench *b, FILE *f, const char *head, const char *row)
{
	(void)fprintf(f, head, "name", "rate", "p50", "p95", "cpu", "rss", "faults", "ratio",
		      "cpuratio", "fail");
	for (const struct command *c = b->commands; c < b->commands + b->n; c++)
		(void)fprintf(f, row, c->name, median(b, c, RATE), median(b, c, P50),
			      median(b, c, P95), median(b, c, CPU), median(b, c, RSS),
			      median(b, c, FAULTS), ratio(b, c, RATE), ratio(b, c, CPU),
			      c->failures);
}

static void report(const struct bench *b, FILE *f, const char *head, const char *row)
{
	if (b->width > 1)
		report_crowd(b, f, head, row);
	else
		report_single(b, f, head, row);
}

static unsigned int number(const char *text, unsigned int max)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (*end || n > max) {
		errno = EINVAL;
		die(text);
	}
	return (unsigned int)n;
}

static void commands_parse(struct bench *b, char **words)
{
	while (*words && b->n < COMMANDS_MAX) {
		struct command *c = &b->commands[b->n++];

		c->name = *words++;
		c->words = words;
		while (*words && strcmp(*words, "---") != 0)
			words++;
		c->n_words = (size_t)(words - c->words);
		if (c->n_words == 0 || c->n_words >= WORDS_MAX) {
			errno = EINVAL;
			die(c->name);
		}
		for (int i = 0; i < COLUMNS; i++)
			c->rounds[i] = alloc(b->rounds, sizeof(double));
		words += *words != NULL;
	}
}

static void options_parse(struct bench *b, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+n:w:q:P:m:o:e")) != -1) {
		if (opt == 'n')
			b->rounds = number(optarg, ROUNDS_MAX);
		else if (opt == 'w')
			b->warmups = number(optarg, ROUNDS_MAX);
		else if (opt == 'q')
			b->quiet_ms = number(optarg, 60000);
		else if (opt == 'P')
			b->width = number(optarg, WIDTH_MAX);
		else if (opt == 'm')
			b->launches = number(optarg, LAUNCHES_MAX);
		else if (opt == 'o')
			b->table = optarg;
		else if (opt == 'e')
			b->errors = true;
		else
			exit(2);
	}
	if (b->launches == 0)
		b->launches = 10 * b->width;
}

static void table_write(const struct bench *b)
{
	FILE *f = fopen(b->table, "we");

	if (!f)
		die(b->table);
	report(b, f, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
	       "%s\t%.4f\t%.4f\t%.4f\t%.4f\t%.0f\t%.1f\t%.4f\t%.4f\t%lu\n");
	if (fclose(f) != 0)
		die(b->table);
}

int main(int argc, char **argv)
{
	static struct bench b = { .rounds = 20, .warmups = 2, .width = 1 };

	options_parse(&b, argc, argv);
	commands_parse(&b, argv + optind);
	if (b.n == 0 || b.rounds == 0 || b.width == 0)
		return 2;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		die("subreaper");
	for (int round = -(int)b.warmups; round < (int)b.rounds; round++)
		for (size_t i = 0; i < b.n; i++)
			turn(&b, &b.commands[(i + (size_t)(round + (int)b.warmups)) % b.n], round);
	report(&b, stdout, "%-28s %9s %8s %8s %8s %8s %7s %7s %8s %5s\n",
	       "%-28s %9.3f %8.3f %8.3f %8.3f %8.0f %7.0f %7.3f %8.3f %5lu\n");
	if (b.quiet_ms)
		printf("%lu of %lu starts while something else was runnable\n", b.unquiet,
		       b.starts);
	if (b.table)
		table_write(&b);
	return 0;
}
