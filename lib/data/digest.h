/* SHA-256 (nettle). Not for exo, which stays small without it. */
#ifndef SN_DIGEST_H
#define SN_DIGEST_H

#include "base/base.h"

enum { SN_DIGEST_HEX_SIZE = 65 };

/* The first 64 bits, as they stand in a name. */
uint64_t sn_digest_short(const void *data, size_t len);
void sn_digest_hex(const void *data, size_t len, char ret_hex[SN_DIGEST_HEX_SIZE]);

#endif
