// SPDX-License-Identifier: Apache-2.0
/*
 * writefloor - the least that creates the tree of tars that are not compressed.
 *
 *	writefloor [-s] DIR ARCHIVE [OFFSET+SIZE...]
 *
 * Each range (default: all of ARCHIVE) is a tar, mapped; its tree comes into DIR/NUMBER.  -s: and
 * its SHA-256, as whoever wants to recognise the image must know it.
 */
#include <openssl/evp.h>
#include <sys/mman.h>

#include "untar.h"

#define PIECE (512 << 10) /* hashed and written while it is in the cache */

static void plant(const char *dir, const unsigned char *p, size_t n, bool digest)
{
	EVP_MD_CTX *md = digest ? EVP_MD_CTX_new() : NULL;
	unsigned char sum[EVP_MAX_MD_SIZE];
	struct untar u;

	untar_open(&u, dir);
	if (md)
		EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	for (size_t k; n; p += k, n -= k) {
		k = n < PIECE ? n : PIECE;
		if (md)
			EVP_DigestUpdate(md, p, k);
		untar_feed(&u, p, k);
	}
	untar_close(&u);
	if (md)
		EVP_DigestFinal_ex(md, sum, NULL);
	EVP_MD_CTX_free(md);
	printf("%s %ju entries %ju bytes\n", dir, (uintmax_t)u.entries, (uintmax_t)u.bytes);
}

int main(int argc, char **argv)
{
	bool digest = argc > 1 && !strcmp(argv[1], "-s");
	char path[NAME_LEN], *end;
	const unsigned char *map;
	struct stat st;
	int fd;

	argv += digest;
	argc -= digest;
	if (argc < 3) {
		fprintf(stderr, "usage: writefloor [-s] DIR ARCHIVE [OFFSET+SIZE...]\n");
		return 2;
	}
	umask(0);
	fd = open(argv[2], O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		die("open", argv[2]);
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		die("mmap", argv[2]);
	if (mkdir(argv[1], 0755) < 0 && errno != EEXIST)
		die("mkdir", argv[1]);
	if (argc == 3)
		plant(argv[1], map, (size_t)st.st_size, digest);
	for (int i = 3; i < argc; i++) {
		unsigned long offset = strtoul(argv[i], &end, 10);

		snprintf(path, sizeof(path), "%s/%d", argv[1], i - 3);
		plant(path, map + offset, strtoul(end + (*end == '+'), NULL, 10), digest);
	}
	return 0;
}
