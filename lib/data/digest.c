/* SHA-256 by nettle: libcrypto, which does the same, costs each worker 1.4 MiB. */
#include "data/digest.h"

#include <nettle/sha2.h>

static void digest(const void *data, size_t len, unsigned char ret[SHA256_DIGEST_SIZE])
{
	struct sha256_ctx c;

	sha256_init(&c);
	sha256_update(&c, len, data);
	sha256_digest(&c, SHA256_DIGEST_SIZE, ret);
}

uint64_t sn_digest_short(const void *data, size_t len)
{
	unsigned char d[SHA256_DIGEST_SIZE];
	uint64_t v = 0;

	digest(data, len, d);
	for (int i = 0; i < 8; i++)
		v = v << 8 | d[i];
	return v;
}

void sn_digest_hex(const void *data, size_t len, char ret_hex[SN_DIGEST_HEX_SIZE])
{
	static const char HEX[] = "0123456789abcdef";
	unsigned char d[SHA256_DIGEST_SIZE];

	digest(data, len, d);
	for (int i = 0; i < SHA256_DIGEST_SIZE; i++) {
		ret_hex[2 * i] = HEX[d[i] >> 4];
		ret_hex[2 * i + 1] = HEX[d[i] & 15];
	}
	ret_hex[2 * SHA256_DIGEST_SIZE] = '\0';
}
