#include "data/jsonw.h"

#include "base/clock.h"

static void keep(struct sn_jsonw *w, int r)
{
	if (w->error == 0)
		w->error = r;
}

static void begin(struct sn_jsonw *w, const char *key)
{
	if (w->comma)
		keep(w, sn_buf_adds(w->buf, ","));
	w->comma = true;
	if (key == NULL)
		return;
	keep(w, sn_buf_add_json(w->buf, key, strlen(key)));
	keep(w, sn_buf_adds(w->buf, ":"));
}

void sn_jsonw_open(struct sn_jsonw *w, const char *key, char bracket)
{
	begin(w, key);
	keep(w, sn_buf_add(w->buf, &bracket, 1));
	w->comma = false;
}

void sn_jsonw_close(struct sn_jsonw *w, char bracket)
{
	keep(w, sn_buf_add(w->buf, &bracket, 1));
	w->comma = true;
}

void sn_jsonw_string(struct sn_jsonw *w, const char *key, const char *text)
{
	begin(w, key);
	keep(w, text == NULL ? sn_buf_adds(w->buf, "null") : sn_buf_add_json(w->buf, text, strlen(text)));
}

void sn_jsonw_number(struct sn_jsonw *w, const char *key, long long n)
{
	begin(w, key);
	keep(w, sn_buf_addf(w->buf, "%lld", n));
}

void sn_jsonw_bool(struct sn_jsonw *w, const char *key, bool b)
{
	begin(w, key);
	keep(w, sn_buf_adds(w->buf, b ? "true" : "false"));
}

void sn_jsonw_raw(struct sn_jsonw *w, const char *key, const char *json, size_t len)
{
	size_t at;

	begin(w, key);
	at = w->buf->len;
	keep(w, sn_buf_add(w->buf, json, len));
	for (; at < w->buf->len; at++) { /* inside a string they would be escaped */
		if (w->buf->data[at] == '\n' || w->buf->data[at] == '\r')
			w->buf->data[at] = ' ';
	}
}

void sn_jsonw_time(struct sn_jsonw *w, const char *key, int64_t real_us)
{
	char text[SN_TIME_TEXT_SIZE];

	sn_time_format(real_us, text);
	sn_jsonw_string(w, key, text);
}
