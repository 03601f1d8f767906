/* The low-level calls. SHA256() itself is EVP since OpenSSL 3: it loads providers, which costs each worker megabytes and
 * each digest microseconds. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "data/digest.h"

#include <openssl/sha.h>

static void digest(const void *data, size_t len, unsigned char ret[SHA256_DIGEST_LENGTH])
{
	SHA256_CTX c;

	(void)SHA256_Init(&c); /* these three cannot fail */
	(void)SHA256_Update(&c, data, len);
	(void)SHA256_Final(ret, &c);
}

uint64_t sn_digest_short(const void *data, size_t len)
{
	unsigned char d[SHA256_DIGEST_LENGTH];
	uint64_t v = 0;

	digest(data, len, d);
	for (int i = 0; i < 8; i++)
		v = v << 8 | d[i];
	return v;
}

void sn_digest_hex(const void *data, size_t len, char ret_hex[SN_DIGEST_HEX_SIZE])
{
	static const char HEX[] = "0123456789abcdef";
	unsigned char d[SHA256_DIGEST_LENGTH];

	digest(data, len, d);
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++) {
		ret_hex[2 * i] = HEX[d[i] >> 4];
		ret_hex[2 * i + 1] = HEX[d[i] & 15];
	}
	ret_hex[2 * SHA256_DIGEST_LENGTH] = '\0';
}
