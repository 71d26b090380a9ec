/* SPDX-License-Identifier: Apache-2.0 */
/*
 * analyzer.h - what clang-tidy cannot know about functions of other files: err_set() and
 * err_sys() return a negative number, so that "return err_set(...)" is never success.
 */
#ifndef GPURUN_TEST_ANALYZER_H
#define GPURUN_TEST_ANALYZER_H

#include <gpurun/err.h>

#define err_set(...) (err_set(__VA_ARGS__), -1)
#define err_sys(...) (err_sys(__VA_ARGS__), -1)

#endif
