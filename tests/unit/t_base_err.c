/* SPDX-License-Identifier: Apache-2.0 */
/* base/err: codes, texts that do not fit, hints and prefixes. */
#include "tap.h"

#include <gpurun/err.h>

#include <errno.h>
#include <locale.h>

static char long_text[4 * ERR_MSG_MAX];

static void test_set(void)
{
	struct err e = { .status = 7, .topic = ERR_TOPIC_BUSY, .msg = "old", .hint = "old" };

	is_int(err_set(&e, ENOENT, "%s: not there", "x.tar"), -ENOENT, "err_set returns -code");
	is_str(e.msg, "x.tar: not there", "err_set's text");
	is_int(e.code, ENOENT, "err_set's code");
	is_int(e.status, EXIT_GPURUN, "the status is 125");
	is_int(e.topic, ERR_TOPIC_NONE, "an old topic is gone");
	is_str(e.hint, "", "an old hint is gone");
	is_int(err_set(&e, 0, "bad"), -EINVAL, "code 0 returns -EINVAL");
	is_int(e.code, 0, "code 0 stays in the record");
	is_int(err_set(&e, -EPERM, "bad"), -EPERM, "a negative code is no success");
	is_int(e.code, EPERM, "a negative code is stored positive");
	is_int(err_set(NULL, EIO, "bad"), -EIO, "no record");
	is_int(err_sys(NULL, EIO, "bad"), -EIO, "no record, err_sys");
	is_int(err_sys(&e, ENOENT, "/dev/%s", "nvidia0"), -ENOENT, "err_sys returns -code");
	is_str(e.msg, "/dev/nvidia0: No such file or directory", "err_sys adds the reason");
}

static void test_hint(void)
{
	struct err e = { 0 };

	ok(!err_is_set(&e) && !err_is_set(NULL), "an empty record is no error");
	err_hint(&e, "do this");
	is_str(e.hint, "", "no hint without a message");
	err_wrap(&e, "prefix");
	is_str(e.msg, "", "no prefix without a message");
	err_set(&e, EIO, "bad");
	ok(err_is_set(&e), "a record with a message is an error");
	err_hint(&e, "do %s", "this");
	err_hint(&e, "do that");
	is_str(e.hint, "do this", "the first hint stays");
	err_wrap(&e, "step %s", "mounts");
	is_str(e.msg, "step mounts: bad", "err_wrap");
	is_int(e.code, EIO, "err_wrap keeps the code");
	err_hint(NULL, "x");
	err_wrap(NULL, "x");
}

static void test_long(void)
{
	struct err e = { 0 };
	const char *end;

	memset(long_text, 'x', sizeof(long_text) - 1);
	err_set(&e, EIO, "%s", long_text);
	is_int(strlen(e.msg), ERR_MSG_MAX - 1, "a long message fills the record");
	end = e.msg + ERR_MSG_MAX - 5;
	is_str(end, "x...", "and shows that it was cut");
	err_hint(&e, "%s", long_text);
	is_int(strlen(e.hint), ERR_HINT_MAX - 1, "a long hint fills the record");
	err_wrap(&e, "step");
	is_int(strlen(e.msg), ERR_MSG_MAX - 1, "a prefix does not overflow");
	ok(strncmp(e.msg, "step: xx", 8) == 0, "the prefix is in front");
	is_str(end, "x...", "the end is still marked");
	err_wrap(&e, "%s", long_text);
	is_int(strlen(e.msg), ERR_MSG_MAX - 1, "nor a long prefix");
	err_sys(&e, EIO, "%s", long_text);
	is_int(strlen(e.msg), ERR_MSG_MAX - 1, "err_sys with a long object");
	memset(long_text + ERR_MSG_MAX - 1, 0, 1);
	err_set(&e, EIO, "%s", long_text);
	is_str(end, "xxxx", "what just fits is not cut");
}

static void test_text(void)
{
	(void)setlocale(LC_ALL, "");
	is_str(err_text(EPERM), "Operation not permitted", "EPERM");
	is_str(err_text(ENOSPC), "No space left on device", "ENOSPC");
	ok(err_text(0), "0 has a text");
	ok(err_text(-1) && *err_text(-1), "a negative number has a text");
	ok(err_text(99999) && *err_text(99999), "an unknown number has a text");
}

int main(void)
{
	test_set();
	test_hint();
	test_long();
	test_text();
	return done_testing();
}
