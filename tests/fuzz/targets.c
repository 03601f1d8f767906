#include "targets.h"

#include "base/mem.h"
#include "base/utf8.h"
#include "data/ini.h"
#include "data/json_edit.h"
#include "data/jsonw.h"
#include "data/name.h"
#include "data/result.h"
#include "data/workitem.h"
#include "svc/pretty.h"

enum { OUT_MAX = 1 << 22 };

static void hold(bool condition, const char *what)
{
	if (!condition)
		fuzz_fail(what);
}

static bool is_json(const char *data, size_t len)
{
	int r = sn_json_object(data, len, NULL, NULL, 0);

	return r == 0 || r == -ENOTSUP;
}

/* Every span that a reader hands out lies in the text. */
static void inside(struct sn_span s, const char *data, size_t len)
{
	hold(s.data == NULL || (s.data >= data && s.len <= len && s.data + s.len <= data + len),
	     "a span is in the text");
}

static void walk(struct sn_span value, const char *data, size_t len, unsigned depth)
{
	struct sn_span one = {0}, key = {0};
	char text[64];

	inside(value, data, len);
	hold(sn_json_text(value, text, sizeof text) < sizeof text, "a string is cut to its room");
	hold(value.len > 0 || sn_json_number(value, 7) == 7, "nothing is no number");
	while (depth < 8 && sn_json_next(value, &one))
		walk(one, data, len, depth + 1);
	one = (struct sn_span){0};
	while (depth < 8 && sn_json_member(value, &key, &one)) {
		inside(key, data, len);
		walk(one, data, len, depth + 1);
	}
}

static void run_json(const char *data, size_t len)
{
	static const char *const KEYS[] = {"fei", "fields", "a"};
	static const char *const PATH[] = {"fields", "a", "b"};
	struct sn_span v[SN_COUNT(KEYS)] = {{0}};
	struct sn_buf out = SN_BUF(OUT_MAX), again = SN_BUF(OUT_MAX);
	int r = sn_json_object(data, len, KEYS, v, SN_COUNT(KEYS));

	for (size_t i = 0; r == 0 && i < SN_COUNT(KEYS); i++)
		inside(v[i], data, len);
	if (r == 0 || r == -ENOTSUP) {
		walk((struct sn_span){data, len}, data, len, 0);
		if (sn_pretty(data, len, &out) == 0) {
			hold(is_json(out.data, out.len), "what is made pretty is JSON");
			hold(sn_pretty(out.data, out.len, &again) == 0 && again.len == out.len &&
				     memcmp(again.data, out.data, out.len) == 0,
			     "what is pretty stays as it is");
		}
		sn_buf_reset(&out);
		if (sn_json_set((struct sn_span){data, len}, PATH, SN_COUNT(PATH), (struct sn_span){"1", 1},
				&out) == 0)
			hold(sn_json_object(out.data, out.len, NULL, NULL, 0) == 0,
			     "what is set in JSON leaves JSON");
	}
	sn_buf_release(&out);
	sn_buf_release(&again);
}

static void run_workitem(const char *data, size_t len)
{
	static const char *const TRACE[] = {"a", "\xff\n\"", ""};
	const struct sn_error_reply e = {"RuntimeError", "\x80 \"quoted\"\n", TRACE, SN_COUNT(TRACE)};
	struct sn_buf out = SN_BUF(OUT_MAX);
	struct sn_workitem w, again;
	const char *why = NULL;

	sn_workitem_read(data, len, &w);
	hold((w.kind == SN_WORKITEM_JUNK) == (w.reason != NULL), "junk, and only junk, has a reason");
	if (w.kind != SN_WORKITEM_WORK)
		return;
	inside(w.fields, data, len);
	inside(w.fei_raw, data, len);
	hold(sn_workitem_add_error(data, len, &e, &out) == 0, "a workitem can become an error reply");
	sn_workitem_read(out.data, out.len, &again);
	hold(again.kind == SN_WORKITEM_WORK, "an error reply is a workitem");
	hold(sn_workitem_check_reply(w.fei_raw, out.data, out.len, &why) == 0 || w.fei.wfid[0] == '\0' ||
		     !sn_fei_same(&w.fei, &w.fei),
	     "an error reply answers its workitem");
	sn_buf_reset(&out);
	hold(sn_workitem_set_result(data, len, true, &out) == 0, "a workitem can get a result");
	sn_workitem_read(out.data, out.len, &again);
	hold(again.kind == SN_WORKITEM_WORK && again.forget == w.forget,
	     "with a result it is a workitem still");
	sn_buf_release(&out);
}

static void run_reply(const char *data, size_t len)
{
	static const char FEI[] = "{\"engine_id\":\"e\",\"wfid\":\"w\",\"subid\":\"s\",\"expid\":\"0_0\"}";
	const char *why = NULL;
	struct sn_workitem w;
	struct sn_fei fei;

	if (sn_workitem_check_reply((struct sn_span){FEI, sizeof FEI - 1}, data, len, &why) != 0) {
		hold(why != NULL, "a reply is refused with a reason");
		return;
	}
	sn_workitem_read(data, len, &w);
	sn_fei_read((struct sn_span){FEI, sizeof FEI - 1}, &fei);
	hold(w.fei_is_object && sn_fei_same(&w.fei, &fei),
	     "a reply that is taken has the fei of its workitem");
}

static void run_result(const char *data, size_t len)
{
	struct sn_result res, again;
	struct sn_buf out = SN_BUF(OUT_MAX);
	size_t at = 0, at_again = 0;
	int r = sn_result_parse_head(data, len, &res, &at);

	if (r == 0) {
		hold(at <= len && at <= SN_RESULT_HEADER_MAX, "the body begins in the text");
		hold(res.name[0] == '\0' || sn_name_valid(res.name), "a name that is read is valid");
		hold(sn_result_format(&res, &out) == 0 &&
			     sn_result_parse_head(out.data, out.len, &again, &at_again) == 0,
		     "what is read can be written and read again");
		hold(again.outcome == res.outcome && again.send == res.send && again.length == res.length &&
			     again.message == res.message && again.attempt == res.attempt &&
			     strcmp(again.name, res.name) == 0 && strcmp(again.sha256, res.sha256) == 0,
		     "and says the same");
	}
	if (sn_result_parse(data, len, &res, &at) == 0)
		hold(at + res.length == len, "a result ends with its body");
	sn_buf_release(&out);
}

static void ini_value(void *arg, unsigned line, const char *section, const char *name, const char *value)
{
	(void)arg;
	(void)line;
	hold(strlen(section) + strlen(name) + strlen(value) < OUT_MAX, "values are strings");
}

static void ini_complain(void *arg, unsigned line, const char *text)
{
	(void)line;
	hold(text[0] != '\0', "a complaint says something");
	++*(unsigned *)arg;
}

static void run_ini(const char *data, size_t len)
{
	unsigned complaints = 0;
	int r = sn_ini_parse(data, len, &(struct sn_ini){&complaints, ini_value, ini_complain});

	hold((r == 0) == (complaints == 0), "what is wrong is complained of");
}

static void run_name(const char *data, size_t len)
{
	char name[SN_NAME_SIZE], leaf[SN_ATTEMPT_SIZE], bucket[SN_BUCKET_SIZE], date[SN_DATE_SIZE];
	struct sn_name_clock clock = {0};
	unsigned n;

	(void)len;
	if (sn_name_valid(data)) {
		hold(strlen(data) <= SN_NAME_MAX && strpbrk(data, "/,\n") == NULL, "a valid name is no path");
		sn_name_bucket(data, date, bucket);
		sn_attempt_format(data, 7, leaf);
		hold(sn_attempt_parse(leaf, name, &n) == 0 && n == 7 && strcmp(name, data) == 0,
		     "an attempt is read back");
		sn_name_clock_seed(&clock, data);
	}
	if (sn_attempt_parse(data, name, &n) == 0 || sn_message_parse(data, name, &n) == 0)
		hold(sn_name_valid(name) && n > 0, "what is split off is a valid name");
	sn_name_make(&clock, 1, data, name);
	hold(sn_name_valid(name), "a name with any label is valid");
	if (sn_participant_valid(data))
		hold(strchr(data, '/') == NULL && data[0] != '.', "a participant's name is no path");
}

static void run_pretty(const char *data, size_t len)
{
	struct sn_buf out = SN_BUF(OUT_MAX);
	struct sn_jsonw w = {.buf = &out};

	if (sn_pretty_line(data, len, &out) == 0) {
		for (size_t i = 0; i < out.len; i++)
			hold((unsigned char)out.data[i] >= ' ' && out.data[i] != 0x7f,
			     "no control byte reaches a terminal");
	}
	sn_buf_reset(&out);
	sn_jsonw_string(&w, NULL, data);
	hold(w.error < 0 || is_json(out.data, out.len), "any text can be a JSON string");
	sn_buf_release(&out);
}

static const char WORKITEM[] =
	"{\"fields\":{\"x\":1,\"params\":{\"ref\":\"p1\",\"forget\":false},\"a\":{\"b\":[1.0,1e5,\"\\u00e4\"]}},"
	"\"fei\":{\"engine_id\":\"e\",\"wfid\":\"w\",\"subid\":\"s\",\"expid\":\"0_0\"},\"participant_name\":\"p1\"}";
static const char CANCEL[] = "{\"cancel\":true,\"fei\":\"#<Ruote::HashWrapper>\",\"flavour\":null}";
static const char ODD[] = "{\"fei\":{\"wfid\\u0000\":1},\"fields\":{\"__result__\":1,\"__result__\":{}}}";
/* Longer than the room that run_json has for a string. */
static const char LONG[] =
	"{\"a\":\"0123456789012345678901234567890123456789012345678901234567890\\u00e4\xc3\xa4xy\"}";
static const char ANSWER[] =
	"outcome: ok\nattempt: 1\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\n"
	"send: reply\nlength: 2\nsha256: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n"
	"workitem: 20261122T105443.865116-0000-9f86d081884c7d65-20261122-1052-gomozuni\nmessage: 1\n\n{}";
static const char CRASH[] =
	"outcome: crash\nattempt: 3\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\n"
	"send: nothing\nlength: 0\n\n";

static const char *const JSON[] = {WORKITEM, "[1,{\"a\":\"\\ud83d\\ude00\"},null,true]", LONG,
				   "{\"a\":{\"a\":{}},\"a\":[]}", NULL};
static const char *const WORKITEMS[] = {WORKITEM, CANCEL, "{\"cancel\":true,\"fei\":{\"wfid\":\"w\"}}", ODD,
					NULL};
static const char *const RESULTS[] = {ANSWER, CRASH, NULL};
static const char *const INI[] = {
	"[skynet]\nlog_level = info\n# no\n; no\nlong: a\n  b\n\n  c\n[x y]\nK=%(v)s\n",
	"\xef\xbb\xbf[a]\r\nb = \"c\"\r\n", NULL};
static const char *const NAMES[] = {
	"20261122T105443.865116-0000-9f86d081884c7d65-20261122-1052-gomozuni-pebugure",
	"20261122T105443.865116-ffff-9f86d081884c7d65-a,a12",
	"20261122T105443.865116-0000-9f86d081884c7d65-_.m0001", "P1.x_y-z", NULL};
static const char *const TEXTS[] = {"a b \xc3\xa4 \xe2\x82\xac \xf0\x9f\x98\x80",
				    "\x1b[1m\x7f\xc2\x9b\xe2\x80\xae", NULL};

const struct fuzz_target FUZZ_TARGETS[] = {
	{"json", run_json, JSON},	 {"workitem", run_workitem, WORKITEMS},
	{"reply", run_reply, WORKITEMS}, {"result", run_result, RESULTS},
	{"ini", run_ini, INI},		 {"name", run_name, NAMES},
	{"pretty", run_pretty, TEXTS},	 {0},
};
