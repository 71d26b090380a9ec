// SPDX-License-Identifier: Apache-2.0
/*
 * unpackfloor - the least that unpacks an image and knows its digests.
 *
 *	unpackfloor [-j THREADS] DIR ARCHIVE OFFSET+SIZE...
 *
 * Each range of ARCHIVE is a layer (tar, gzip or zstd): read(2), SHA-256 of the blob by OpenSSL,
 * inflated by ISA-L or libzstd, SHA-256 of the tar, its tree created in DIR/NUMBER.  A thread takes
 * a layer from its start to its end.  Prints the digest of each tar and what it holds.  See untar.h for what is left
 * out; a launcher that unpacks safely cannot be cheaper.
 */
#include <isa-l/igzip_lib.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <sched.h>
#include <zstd.h>

#include "untar.h"

#define IN_BYTES    (256 << 10)
#define OUT_BYTES   (512 << 10)
#define THREADS_MAX 64

struct layer {
	off_t offset;
	size_t left; /* bytes of the blob that were not read */
	int fd;
	EVP_MD_CTX *blob, *tar;
	struct untar tree;
	unsigned char in[IN_BYTES], out[OUT_BYTES];
};

struct job {
	const char *dir, *archive;
	char **ranges;
	int n, next;
};

static size_t layer_read(struct layer *l)
{
	ssize_t n = pread(l->fd, l->in, l->left < IN_BYTES ? l->left : IN_BYTES, l->offset);

	if (n < 0)
		die("read", "archive");
	EVP_DigestUpdate(l->blob, l->in, (size_t)n);
	l->offset += n;
	l->left -= (size_t)n;
	return (size_t)n;
}

static void layer_emit(struct layer *l, const unsigned char *p, size_t n)
{
	EVP_DigestUpdate(l->tar, p, n);
	untar_feed(&l->tree, p, n);
}

static void layer_gzip(struct layer *l, size_t n)
{
	struct inflate_state *z = malloc(sizeof(*z));

	isal_inflate_init(z);
	z->crc_flag = ISAL_GZIP;
	z->next_in = l->in;
	z->avail_in = (uint32_t)n;
	while (z->avail_in && z->block_state != ISAL_BLOCK_FINISH) {
		z->next_out = l->out;
		z->avail_out = OUT_BYTES;
		if (isal_inflate(z) != ISAL_DECOMP_OK)
			die("inflate", "layer");
		layer_emit(l, l->out, OUT_BYTES - z->avail_out);
		if (!z->avail_in && z->avail_out) {
			z->next_in = l->in;
			z->avail_in = (uint32_t)layer_read(l);
		}
	}
	free(z);
}

static void layer_zstd(struct layer *l, size_t n)
{
	ZSTD_DStream *z = ZSTD_createDStream();

	for (; n; n = layer_read(l)) {
		ZSTD_inBuffer in = { l->in, n, 0 };
		ZSTD_outBuffer out;

		do {
			out = (ZSTD_outBuffer){ l->out, OUT_BYTES, 0 };
			if (ZSTD_isError(ZSTD_decompressStream(z, &out, &in)))
				die("zstd", "layer");
			layer_emit(l, l->out, out.pos);
		} while (in.pos < in.size || out.pos == out.size);
	}
	ZSTD_freeDStream(z);
}

/* The blob is the tar: one digest for both. */
static void layer_plain(struct layer *l, size_t n)
{
	for (; n; n = layer_read(l))
		untar_feed(&l->tree, l->in, n);
	EVP_MD_CTX_copy_ex(l->tar, l->blob);
}

static void layer_unpack(struct layer *l)
{
	size_t n = layer_read(l);

	if (n > 2 && l->in[0] == 0x1f && l->in[1] == 0x8b)
		layer_gzip(l, n);
	else if (n > 4 && !memcmp(l->in, "\x28\xb5\x2f\xfd", 4))
		layer_zstd(l, n);
	else
		layer_plain(l, n);
	while (layer_read(l))
		;
}

static void *run(void *arg)
{
	struct job *job = arg;
	struct layer *l = malloc(sizeof(*l));
	unsigned char md[EVP_MAX_MD_SIZE];
	char path[NAME_LEN], hex[2 * EVP_MAX_MD_SIZE + 1];
	unsigned int n_md = 0;
	char *end;

	for (int i; (i = __atomic_fetch_add(&job->next, 1, __ATOMIC_RELAXED)) < job->n;) {
		l->fd = open(job->archive, O_RDONLY | O_CLOEXEC);
		l->offset = strtol(job->ranges[i], &end, 10);
		l->left = strtoul(end + (*end == '+'), NULL, 10);
		l->blob = EVP_MD_CTX_new();
		l->tar = EVP_MD_CTX_new();
		if (l->fd < 0 || !EVP_DigestInit_ex(l->blob, EVP_sha256(), NULL) ||
		    !EVP_DigestInit_ex(l->tar, EVP_sha256(), NULL))
			die("open", job->archive);
		snprintf(path, sizeof(path), "%s/%d", job->dir, i);
		untar_open(&l->tree, path);
		layer_unpack(l);
		untar_close(&l->tree);
		EVP_DigestFinal_ex(l->tar, md, &n_md);
		for (unsigned int k = 0; k < n_md; k++)
			snprintf(hex + 2 * k, 3, "%02x", md[k]);
		printf("%d sha256:%s %ju entries %ju bytes\n", i, hex, (uintmax_t)l->tree.entries,
		       (uintmax_t)l->tree.bytes);
		EVP_MD_CTX_free(l->blob);
		EVP_MD_CTX_free(l->tar);
		close(l->fd);
	}
	free(l);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS_MAX];
	cpu_set_t cpus;
	int n, c;

	sched_getaffinity(0, sizeof(cpus), &cpus);
	n = CPU_COUNT(&cpus);
	while ((c = getopt(argc, argv, "j:")) == 'j')
		n = (int)strtol(optarg, NULL, 10);
	if (c != -1 || n < 1 || n > THREADS_MAX || argc - optind < 3) {
		fprintf(stderr, "usage: unpackfloor [-j THREADS] DIR ARCHIVE OFFSET+SIZE...\n");
		return 2;
	}
	umask(0);
	if (mkdir(argv[optind], 0755) < 0 && errno != EEXIST)
		die("mkdir", argv[optind]);
	struct job job = { argv[optind], argv[optind + 1], argv + optind + 2, argc - optind - 2,
			   0 };
	for (int i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, run, &job))
			die("thread", "");
	for (int i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	return 0;
}
