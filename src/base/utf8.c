/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8.c - table 3-7 of the Unicode standard ("well-formed UTF-8 byte sequences").
 */
#include "utf8.h"

#include <gpurun/str.h>

/* Lead bytes, the length they announce and the bounds of the byte behind them. */
static const struct utf8_row {
	unsigned char first, last, len, low, high;
} utf8_rows[] = {
	{ 0x00, 0x7f, 1, 0, 0 },       { 0xc2, 0xdf, 2, 0x80, 0xbf }, { 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf }, { 0xed, 0xed, 3, 0x80, 0x9f }, { 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf }, { 0xf1, 0xf3, 4, 0x80, 0xbf }, { 0xf4, 0xf4, 4, 0x80, 0x8f },
};

size_t utf8_len(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	const struct utf8_row *row = utf8_rows;

	while (row < utf8_rows + ELEMENTS(utf8_rows) && (p[0] < row->first || p[0] > row->last))
		row++;
	if (row == utf8_rows + ELEMENTS(utf8_rows) || row->len > n)
		return 0;
	if (row->len > 1 && (p[1] < row->low || p[1] > row->high))
		return 0;
	for (size_t i = 2; i < row->len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	}
	return row->len;
}
