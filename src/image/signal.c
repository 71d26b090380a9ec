// SPDX-License-Identifier: Apache-2.0
/*
 * signal.c - the names of signals as an image's StopSignal spells them.
 */
#include <errno.h>
#include <signal.h>
#include <strings.h>

#include <gpurun/image.h>
#include <gpurun/str.h>

/* As a program in the container numbers them, whatever our own C library keeps for itself. */
#define SIGNAL_RTMIN 34
#define SIGNAL_RTMAX 64

static const struct {
	const char *name;
	int number;
} signals[] = {
	{ "HUP", SIGHUP },       { "INT", SIGINT },         { "QUIT", SIGQUIT },
	{ "ILL", SIGILL },       { "TRAP", SIGTRAP },       { "ABRT", SIGABRT },
	{ "IOT", SIGABRT },      { "BUS", SIGBUS },         { "FPE", SIGFPE },
	{ "KILL", SIGKILL },     { "USR1", SIGUSR1 },       { "SEGV", SIGSEGV },
	{ "USR2", SIGUSR2 },     { "PIPE", SIGPIPE },       { "ALRM", SIGALRM },
	{ "TERM", SIGTERM },     { "STKFLT", SIGSTKFLT },   { "CHLD", SIGCHLD },
	{ "CLD", SIGCHLD },      { "CONT", SIGCONT },       { "STOP", SIGSTOP },
	{ "TSTP", SIGTSTP },     { "TTIN", SIGTTIN },       { "TTOU", SIGTTOU },
	{ "URG", SIGURG },       { "XCPU", SIGXCPU },       { "XFSZ", SIGXFSZ },
	{ "VTALRM", SIGVTALRM }, { "PROF", SIGPROF },       { "WINCH", SIGWINCH },
	{ "IO", SIGIO },         { "POLL", SIGIO },         { "PWR", SIGPWR },
	{ "SYS", SIGSYS },       { "RTMIN", SIGNAL_RTMIN }, { "RTMAX", SIGNAL_RTMAX },
};

/* "RTMIN+3" and "RTMAX-3" behind the "SIG" */
static int signal_realtime(const char *name)
{
	bool from_min = strncasecmp(name, "RTMIN+", 6) == 0;
	bool from_max = strncasecmp(name, "RTMAX-", 6) == 0;
	uint64_t n;

	if (!from_min && !from_max)
		return -EINVAL;
	if (num_u64(name + 6, SIGNAL_RTMAX - SIGNAL_RTMIN, &n) < 0)
		return -EINVAL;
	return from_min ? SIGNAL_RTMIN + (int)n : SIGNAL_RTMAX - (int)n;
}

int image_signal_parse(const char *text)
{
	const char *name = strncasecmp(text, "SIG", 3) == 0 ? text + 3 : text;
	uint64_t n;

	if (num_u64(text, SIGNAL_RTMAX, &n) == 0)
		return n ? (int)n : -EINVAL;
	for (size_t i = 0; i < ELEMENTS(signals); i++)
		if (strcasecmp(name, signals[i].name) == 0)
			return signals[i].number;
	return signal_realtime(name);
}
