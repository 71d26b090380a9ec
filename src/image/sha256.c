// SPDX-License-Identifier: Apache-2.0
/*
 * sha256.c - SHA-256 by OpenSSL, whose code uses the processor's own instructions.
 *
 * "struct sha256" is never defined: a pointer to it is the EVP_MD_CTX of the library.
 */
#include <errno.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <gpurun/image.h>
#include <gpurun/lib.h>
#include <gpurun/str.h>

#include "source.h"

#define SHA256_BYTES (IMAGE_ID_HEX / 2)

#define CRYPTO_FUNCS(X)                                                                            \
	X(OPENSSL_init_crypto)                                                                     \
	X(EVP_MD_CTX_new)                                                                          \
	X(EVP_MD_CTX_free)                                                                         \
	X(EVP_sha256)                                                                              \
	X(EVP_DigestInit_ex)                                                                       \
	X(EVP_DigestUpdate)                                                                        \
	X(EVP_DigestFinal_ex)
struct crypto_api {
	CRYPTO_FUNCS(LIB_POINTER)
};
#define ENTRY(f) LIB_ENTRY(crypto_api, f)
static const struct lib_func crypto_funcs[] = { CRYPTO_FUNCS(ENTRY) };
static struct crypto_api crypto_api;

/*
 * The configuration file of OpenSSL is not read: it can be named by the environment, and the
 * worker opens no file after its sandbox is closed.
 */
static int crypto_load(struct err *e)
{
	int r;

	if (crypto_api.EVP_DigestFinal_ex)
		return 0;
	r = lib_load("libcrypto.so.3", "libssl3", crypto_funcs, ELEMENTS(crypto_funcs), &crypto_api,
		     e);
	if (r < 0)
		return r;
	if (crypto_api.OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return err_set(e, EIO, "libcrypto.so.3: cannot be initialised");
	return 0;
}

struct sha256 *sha256_new(struct err *e)
{
	EVP_MD_CTX *ctx;

	if (crypto_load(e) < 0)
		return NULL;
	ctx = crypto_api.EVP_MD_CTX_new();
	if (!ctx || crypto_api.EVP_DigestInit_ex(ctx, crypto_api.EVP_sha256(), NULL) != 1) {
		crypto_api.EVP_MD_CTX_free(ctx);
		err_set(e, EIO, "libcrypto.so.3: no SHA-256 there");
		return NULL;
	}
	return (struct sha256 *)ctx;
}

/* A failure here makes sha256_hex() fail, and the digest compares as different. */
void sha256_update(struct sha256 *h, const void *p, size_t n)
{
	crypto_api.EVP_DigestUpdate((EVP_MD_CTX *)h, p, n);
}

void sha256_hex(struct sha256 *h, char ret[IMAGE_ID_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char md[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	ret[0] = '\0';
	if (crypto_api.EVP_DigestFinal_ex((EVP_MD_CTX *)h, md, &n) != 1 || n != SHA256_BYTES)
		return;
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		ret[2 * i] = digits[md[i] >> 4];
		ret[2 * i + 1] = digits[md[i] & 15];
	}
	ret[IMAGE_ID_HEX] = '\0';
}

void sha256_free(struct sha256 *h)
{
	if (h)
		crypto_api.EVP_MD_CTX_free((EVP_MD_CTX *)h);
}

/* The first digest makes libcrypto fetch its provider: better now than inside the sandbox. */
int sha256_load(struct err *e)
{
	char hex[IMAGE_ID_HEX + 1];
	struct sha256 *h = sha256_new(e);

	if (!h)
		return -ENOENT;
	sha256_hex(h, hex);
	sha256_free(h);
	return 0;
}
