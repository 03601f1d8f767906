/* Writes JSON text member by member. Errors stick: the buffer's ceiling is looked at once, at the end.
 *
 *	struct sn_jsonw w = {.buf = &buf};
 *	sn_jsonw_open(&w, NULL, '{');
 *	sn_jsonw_string(&w, "event", "finished");
 *	sn_jsonw_open(&w, "workers", '[');
 *	sn_jsonw_close(&w, ']');
 *	sn_jsonw_close(&w, '}');
 *	r = w.error;			(0 or -E2BIG)
 *
 * `key` is NULL inside a list and for the whole. */
#ifndef SN_JSONW_H
#define SN_JSONW_H

#include "base/buf.h"

struct sn_jsonw {
	struct sn_buf *buf;
	bool comma;
	int error;
};

void sn_jsonw_open(struct sn_jsonw *w, const char *key, char bracket);
void sn_jsonw_close(struct sn_jsonw *w, char bracket);
/* NULL is written as null; bytes that are no UTF-8 become U+FFFD. */
void sn_jsonw_string(struct sn_jsonw *w, const char *key, const char *text);
void sn_jsonw_number(struct sn_jsonw *w, const char *key, long long n);
void sn_jsonw_bool(struct sn_jsonw *w, const char *key, bool b);
/* Checked JSON text. Line ends between its tokens become blanks, so that it stays one line. */
void sn_jsonw_raw(struct sn_jsonw *w, const char *key, const char *json, size_t len);
/* "2026-11-22T10:54:43.865116Z" */
void sn_jsonw_time(struct sn_jsonw *w, const char *key, int64_t real_us);

#endif
