// SPDX-License-Identifier: Apache-2.0
/*
 * signals.c - which signals reach the command, and with which dispositions it starts.
 */
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gpurun/run.h>

#include "child.h"

/*
 * Not forwarded: what cannot be caught, what tells of children, what the kernel raises for an
 * instruction of the receiver itself, and the stops of job control, which keep their default
 * effect on the launcher (the command gets its own from the terminal).
 */
static const int not_forwarded[] = {
	SIGKILL, SIGSTOP, SIGCHLD, SIGTSTP, SIGTTIN, SIGTTOU, SIGSEGV,
	SIGBUS,  SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT,
};

/*
 * Signals that a caller ignores on purpose and that must stay so in the command: SIGHUP under
 * nohup(1), SIGINT and SIGQUIT of a shell's background job.  All others are reset: an ignored
 * SIGPIPE inherited from some harness has surprised enough people.
 */
static const int kept_ignored[] = { SIGHUP, SIGINT, SIGQUIT };

/** signals_ignored - those of kept_ignored that this process ignores now */
void signals_ignored(sigset_t *ret)
{
	struct sigaction sa;

	(void)sigemptyset(ret);
	for (size_t i = 0; i < sizeof(kept_ignored) / sizeof(int); i++)
		if (sigaction(kept_ignored[i], NULL, &sa) == 0 && sa.sa_handler == SIG_IGN)
			(void)sigaddset(ret, kept_ignored[i]);
}

bool run_hands_on(int sig)
{
	for (size_t i = 0; i < sizeof(not_forwarded) / sizeof(int); i++)
		if (sig == not_forwarded[i])
			return false;
	return true;
}

/** signals_forwarded - the set that the launcher takes and hands on */
void signals_forwarded(const sigset_t *ignored, sigset_t *ret)
{
	(void)sigfillset(ret);
	for (size_t i = 0; i < sizeof(not_forwarded) / sizeof(int); i++)
		(void)sigdelset(ret, not_forwarded[i]);
	for (size_t i = 0; i < sizeof(kept_ignored) / sizeof(int); i++)
		if (sigismember(ignored, kept_ignored[i]) == 1)
			(void)sigdelset(ret, kept_ignored[i]);
}

/** signals_mask - block @set and nothing else; bit n - 1 is signal n, as the kernel has it */
void signals_mask(uint64_t set)
{
	(void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &set, NULL, sizeof(set));
}

/**
 * signals_reset - default dispositions and an empty mask, last thing before exec
 * Only what is ignored survives an exec: @ignores says what that is, @ignored what is to stay so.
 */
void signals_reset(uint64_t ignores, const sigset_t *ignored)
{
	/* all zero: SIG_DFL without flags, in the kernel's layout of every architecture */
	static const uint64_t action[8];

	/*
	 * Not by sigaction(3), which refuses libc's own signals 32 and 33: glibc's posix_spawn
	 * leaves those ignored, so everything that make(1) starts has them so.
	 */
	for (int sig = 1; sig < NSIG; sig++)
		if ((ignores >> (sig - 1) & 1) && sigismember(ignored, sig) != 1)
			(void)syscall(SYS_rt_sigaction, sig, action, NULL, (size_t)(NSIG - 1) / 8);
	signals_mask(0);
}
