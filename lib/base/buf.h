/* A growing byte buffer with a ceiling. `data` is NUL-terminated behind `len` once anything was added.
 *
 *	struct sn_buf b = SN_BUF(65536);
 *	r = sn_buf_addf(&b, "attempt: %u\n", n);
 *	sn_buf_release(&b);
 *
 * Additions return 0, or -E2BIG when the ceiling would be passed (the buffer keeps what it had). */
#ifndef SN_BUF_H
#define SN_BUF_H

#include "base/base.h"

struct sn_buf {
	char *data;
	size_t len;
	size_t cap;
	size_t max_bytes;
};

#define SN_BUF(max) ((struct sn_buf){.max_bytes = (max)})

int sn_buf_add(struct sn_buf *b, const void *data, size_t len) SN_CHECK;
int sn_buf_adds(struct sn_buf *b, const char *s) SN_CHECK;
int sn_buf_addf(struct sn_buf *b, const char *fmt, ...) SN_CHECK SN_PRINTF(2, 3);
/* Makes room for `len` more bytes and returns where they go; the caller then adds to b->len. NULL: ceiling. */
char *sn_buf_reserve(struct sn_buf *b, size_t len) SN_CHECK;
/* Adds `s` as a JSON string with quotes; bytes that are no UTF-8 become U+FFFD. */
int sn_buf_add_json(struct sn_buf *b, const char *s, size_t len) SN_CHECK;
void sn_buf_reset(struct sn_buf *b);
void sn_buf_release(struct sn_buf *b);

#endif
