// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <signal.h>

#include <gpurun/image.h>

#include "tap.h"

static const struct {
	const char *text;
	int want;
} cases[] = {
	{ "SIGTERM", SIGTERM },
	{ "TERM", SIGTERM },
	{ "15", SIGTERM },
	{ "sigterm", SIGTERM },
	{ "Term", SIGTERM },
	{ "SIGQUIT", SIGQUIT },
	{ "SIGIOT", SIGABRT },
	{ "SIGRTMIN", 34 },
	{ "SIGRTMIN+3", 37 },
	{ "RTMIN+0", 34 },
	{ "sigrtmin+30", 64 },
	{ "SIGRTMAX", 64 },
	{ "SIGRTMAX-1", 63 },
	{ "SIGRTMAX-30", 34 },
	{ "64", 64 },
	{ "1", 1 },
	{ "0", -EINVAL },
	{ "65", -EINVAL },
	{ "-1", -EINVAL },
	{ "+15", -EINVAL },
	{ " 15", -EINVAL },
	{ "15 ", -EINVAL },
	{ "", -EINVAL },
	{ "SIG", -EINVAL },
	{ "SIG15", -EINVAL },
	{ "SIGSIGTERM", -EINVAL },
	{ "SIGNOPE", -EINVAL },
	{ "SIGRTMIN+31", -EINVAL },
	{ "SIGRTMIN+", -EINVAL },
	{ "SIGRTMAX+1", -EINVAL },
	{ "SIGRTMIN-1", -EINVAL },
	{ "SIGRTMIN+99999999999999999999", -EINVAL },
};

int main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_int(image_signal_parse(cases[i].text), cases[i].want, "\"%s\"", cases[i].text);
	return done_testing();
}
