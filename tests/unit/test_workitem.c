#include "test.h"

#include <dirent.h>

#include "data/workitem.h"
#include "sys/dir.h"

#define FEI  "{\"engine_id\":\"engine\",\"wfid\":\"20261122-1028-x\",\"subid\":\"abc\",\"expid\":\"0_0_0\"}"
#define WORK "{\"fields\":{\"x\":1},\"fei\":" FEI "}"

static struct sn_workitem read_text(const char *text)
{
	struct sn_workitem w;

	sn_workitem_read(text, strlen(text), &w);
	return w;
}

static void kinds(void **state)
{
	static const struct {
		const char *text;
		enum sn_workitem_kind kind;
		const char *reason;
	} CASES[] = {
		{WORK, SN_WORKITEM_WORK, NULL},
		{" " WORK "\n", SN_WORKITEM_WORK, NULL},
		{"{\"fields\":{},\"fei\":{}}", SN_WORKITEM_WORK, NULL},
		{"{\"cancel\":true,\"fei\":\"#<Ruote::HashWrapper>\",\"flavour\":null}", SN_WORKITEM_CANCEL,
		 NULL},
		{"{\"cancel\":true}", SN_WORKITEM_CANCEL, NULL},
		{"{\"cancel\":true,\"fei\":" FEI "}", SN_WORKITEM_CANCEL, NULL},
		{"{\"cancel\":true,\"fei\":" FEI ",\"fields\":{}}", SN_WORKITEM_CANCEL, NULL},
		{"{\"cancel\":false,\"fei\":" FEI ",\"fields\":{}}", SN_WORKITEM_WORK, NULL},
		{"{\"cancel\":\"true\",\"fei\":" FEI ",\"fields\":{}}", SN_WORKITEM_WORK, NULL},
		{"", SN_WORKITEM_JUNK, "not JSON"},
		{"just text", SN_WORKITEM_JUNK, "not JSON"},
		{WORK "x", SN_WORKITEM_JUNK, "not JSON"},
		{"\xef\xbb\xbf" WORK, SN_WORKITEM_JUNK, "not JSON"},
		{"[]", SN_WORKITEM_JUNK, "JSON, but not an object"},
		{"{}", SN_WORKITEM_JUNK, "no object in fei"},
		{"{\"fei\":1,\"fields\":{}}", SN_WORKITEM_JUNK, "no object in fei"},
		{"{\"fei\":{},\"fields\":null}", SN_WORKITEM_JUNK, "no object in fields"},
		{"{\"fei\":{},\"fields\":[]}", SN_WORKITEM_JUNK, "no object in fields"},
		{"{\"fei\":{}}", SN_WORKITEM_JUNK, "no object in fields"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		struct sn_workitem w = read_text(CASES[i].text);

		if (w.kind != CASES[i].kind)
			fail_msg("kind %d: %s", (int)w.kind, CASES[i].text);
		if (CASES[i].reason != NULL)
			assert_string_equal(w.reason, CASES[i].reason);
	}
}

static void fei_is_decoded(void **state)
{
	struct sn_workitem w = read_text(WORK);
	char text[1000], value[400];

	(void)state;
	assert_true(w.fei_is_object);
	assert_string_equal(w.fei.engine_id, "engine");
	assert_string_equal(w.fei.wfid, "20261122-1028-x");
	assert_string_equal(w.fei.subid, "abc");
	assert_string_equal(w.fei.expid, "0_0_0");
	assert_int_equal(w.fei_raw.len, strlen(FEI));
	assert_memory_equal(w.fei_raw.data, FEI, w.fei_raw.len);

	w = read_text("{\"fields\":{},\"fei\":{\"wfid\":\"\\u0061\\\"\",\"expid\":7,\"subid\":null}}");
	assert_string_equal(w.fei.wfid, "a\"");
	assert_string_equal(w.fei.expid, "");
	assert_string_equal(w.fei.subid, "");

	w = read_text("{\"fields\":{},\"fei\":{\"wfid\":\"a\",\"\\u0077fid\":\"b\",\"expid\":\"c\"}}");
	assert_string_equal(w.fei.wfid, "b"); /* the last one, as every parser has it */
	assert_string_equal(w.fei.expid, "c");
	w = read_text("{\"fields\":{},\"fei\":{\"wfid\":\"a\",\"expid\":\"\\ud800\"}}");
	assert_int_equal(w.kind, SN_WORKITEM_WORK);
	assert_string_equal(w.fei.wfid, ""); /* of another fei with other halves nobody could tell it */

	memset(value, 'w', sizeof value - 1);
	value[sizeof value - 1] = '\0';
	(void)snprintf(text, sizeof text, "{\"fields\":{},\"fei\":{\"wfid\":\"%s\"}}", value);
	w = read_text(text);
	assert_int_equal(strlen(w.fei.wfid), SN_FEI_MAX);
}

static void forget(void **state)
{
	static const struct {
		const char *fields;
		bool forget;
	} CASES[] = {
		{"{\"params\":{\"forget\":true}}", true},
		{"{\"params\":{\"a\":{},\"forget\" : true }}", true},
		{"{\"params\":{\"forget\":false}}", false},
		{"{\"params\":{\"forget\":null}}", false},
		{"{\"params\":{\"forget\":\"true\"}}", true}, /* as an XML definition has it */
		{"{\"params\":{\"forget\":\"false\"}}", true},
		{"{\"params\":{\"forget\":\"\"}}", false},
		{"{\"params\":{\"forget\":1}}", true},
		{"{\"params\":{\"forget\":-0.5e-2}}", true},
		{"{\"params\":{\"forget\":0}}", false},
		{"{\"params\":{\"forget\": -0.0e7 }}", false},
		{"{\"params\":{\"forget\":1e-400}}", false},
		{"{\"params\":{\"forget\":[0]}}", true},
		{"{\"params\":{\"forget\":{\"a\":0}}}", true},
		{"{\"params\":{\"forget\":[]}}", false},
		{"{\"params\":{\"forget\":{ \t }}}", false},
		{"{\"params\":{\"forget\":false,\"forget\":1}}", true},
		{"{\"params\":{\"forget\":1,\"forget\":false}}", false},
		{"{\"params\":{\"\\u0066orget\":true}}", true},
		{"{\"params\":{\"f\\u006frge\\u0074\":true}}", true},
		{"{\"params\":{\"forgets\":true}}", false},
		{"{\"forget\":true,\"params\":{}}", false},
		{"{\"params\":[\"forget\"]}", false},
		{"{\"params\":\"forget\"}", false},
		{"{\"a\":{\"params\":{\"forget\":true}}}", false},
		{"{}", false},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		char text[500];

		(void)snprintf(text, sizeof text, "{\"fields\":%s,\"fei\":" FEI "}", CASES[i].fields);
		if (read_text(text).forget != CASES[i].forget)
			fail_msg("%s", text);
	}
}

static int reply(const char *text)
{
	struct sn_span fei = {.data = FEI, .len = strlen(FEI)};
	const char *why = NULL;
	int r = sn_workitem_check_reply(fei, text, strlen(text), &why);

	assert_true((r < 0) == (why != NULL));
	return r;
}

static void replies(void **state)
{
	(void)state;
	assert_int_equal(reply(WORK), 0);
	assert_int_equal(reply("{\"fei\":" FEI ",\"fields\":{}}"), 0);
	assert_int_equal(reply("{\"fields\":{},\"fei\":{\"expid\":\"0_0_0\", \"subid\":\"abc\","
			       "\"wfid\":\"2026\\u00311\\u00322-1028-x\",\"engine_id\":\"engine\"}}"),
			 0);
	assert_int_equal(reply("nonsense"), -EBADMSG);
	assert_int_equal(reply("[]"), -EBADMSG);
	assert_int_equal(reply("{\"fei\":" FEI ",\"fields\":{\"x\":NaN}}"), -EBADMSG);
	assert_int_equal(reply("{\"fei\":" FEI ",\"fields\":{\"x\":1e400}}"), -EBADMSG);
	assert_int_equal(reply("{\"fei\":" FEI ",\"fields\":{\"x\":\"\xff\"}}"), -EBADMSG);
	assert_int_equal(reply("{\"fei\":" FEI "}"), -EPROTO);
	assert_int_equal(reply("{\"fei\":" FEI ",\"fields\":null}"), -EPROTO);
	assert_int_equal(reply("{\"fields\":{}}"), -EXDEV);
	assert_int_equal(reply("{\"fei\":{},\"fields\":{}}"), -EXDEV);
	assert_int_equal(reply("{\"fei\":null,\"fields\":{}}"), -EXDEV);
}

/* A participant answers for its own workitem only, whatever the engine's parser makes of the text. */
static void foreign_replies(void **state)
{
	static const char *const FEIS[] = {
		"\"fei\":{\"engine_id\":\"engine\",\"wfid\":\"other\",\"subid\":\"abc\",\"expid\":\"0_0_0\"}",
		"\"fei\":{\"engine_id\":\"engine\",\"wfid\":\"20261122-1028-X\",\"subid\":\"abc\",\"expid\":\"0_0_0\"}",
		"\"fei\":{\"engine_id\":\"engine\",\"wfid\":\"20261122-1028-x\",\"subid\":\"abc\"}",
		"\"fei\":{\"engine_id\":\"engine\",\"wfid\":\"20261122-1028-x\",\"subid\":\"abc\",\"expid\":\"0_0_0\","
		"\"more\":1}",
		"\"fei\":{\"wfid\":\"20261122-1028-x\",\"engine_id\":\"engine\",\"wfid\":\"other\",\"subid\":\"abc\","
		"\"expid\":\"0_0_0\"}",
		"\"fei\":{\"wfid\":\"other\",\"engine_id\":\"engine\",\"wfid\":\"20261122-1028-x\",\"subid\":\"abc\","
		"\"expid\":\"0_0_0\"}",
		"\"fei\":{\"engine_id\":\"engine\",\"wfid\\u0000\":\"20261122-1028-x\",\"subid\":\"abc\","
		"\"expid\":\"0_0_0\"}",
		"\"fei\":{\"engine_id\":\"engine\",\"wfid\":\"20261122-1028-x\\u0000y\",\"subid\":\"abc\","
		"\"expid\":\"0_0_0\"}",
		"\"fei\":" FEI ",\"fei\":{\"wfid\":\"other\"}",
		"\"fei\":" FEI ",\"\\u0066ei\":{\"wfid\":\"other\"}",
		"\"fei\":" FEI ",\"fe\\u0069\":null",
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(FEIS); i++) {
		char text[600];

		(void)snprintf(text, sizeof text, "{\"fields\":{},%s}", FEIS[i]);
		if (reply(text) != -EXDEV)
			fail_msg("accepted: %s", text);
	}
}

static void add_error(void **state)
{
	static const char *const TRACE[] = {"a.py:1: in `f'", "tab\there \xff"};
	static const struct {
		const char *in;
		const char *head;
	} CASES[] = {
		{WORK, "{\"fields\":{\"x\":1},\"fei\":" FEI ","},
		{" " WORK " \r\n\t", " {\"fields\":{\"x\":1},\"fei\":" FEI ","},
		{"{\"a\":1 }", "{\"a\":1 ,"},
		{"{}", "{"},
		{"{ }", "{ "},
		{"{\"error\":{\"old\":1}}", "{\"error\":{\"old\":1},"},
	};
	struct sn_error_reply e = {
		.class_name = "RuntimeError", .message = "bad \xfe \"byte\"\n", .trace = TRACE, .count = 2};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		static const char *const KEY[] = {"error"};
		struct sn_buf b = SN_BUF(10000), want = SN_BUF(10000);
		struct sn_span v;

		assert_int_equal(sn_workitem_add_error(CASES[i].in, strlen(CASES[i].in), &e, &b), 0);
		assert_int_equal(
			sn_buf_addf(&want,
				    "%s\"error\":{\"class\":\"RuntimeError\",\"message\":\"bad \xef\xbf\xbd "
				    "\\\"byte\\\"\\u000a\",\"trace\":[\"a.py:1: in `f'\",\"tab\\u0009here "
				    "\xef\xbf\xbd\"]}}",
				    CASES[i].head),
			0);
		assert_string_equal(b.data, want.data);
		assert_int_equal(sn_json_object(b.data, b.len, KEY, &v, 1), 0);
		assert_memory_equal(v.data, "{\"class\"", 8); /* ours, not the old one */
		sn_buf_release(&b);
		sn_buf_release(&want);
	}
}

static void add_error_refuses(void **state)
{
	static const char *const BAD[] = {"", "{", "}", "[]", "x}", "[{}", "\"}", "1", "  "};
	struct sn_error_reply e = {.class_name = "RuntimeError", .message = ""};
	struct sn_buf b = SN_BUF(100);

	(void)state;
	for (size_t i = 0; i < SN_COUNT(BAD); i++)
		assert_int_equal(sn_workitem_add_error(BAD[i], strlen(BAD[i]), &e, &b), -EBADMSG);
	assert_int_equal(sn_workitem_add_error(WORK, strlen(WORK), &e, &b), -E2BIG);
	sn_buf_release(&b);
}

static void set_result(void **state)
{
	static const struct {
		const char *in, *yes;
	} CASES[] = {
		{WORK, "{\"fields\":{\"x\":1,\"__result__\":true},\"fei\":" FEI "}"},
		{"{\"fields\":{}}", "{\"fields\":{\"__result__\":true}}"},
		{" {\"fields\" : { \n } } \n", " {\"fields\" : { \n \"__result__\":true} } \n"},
		{"{\"fields\":{\"x\":1 }}", "{\"fields\":{\"x\":1 ,\"__result__\":true}}"},
		{"{\"fields\":{\"__result__\":null,\"x\":1}}", "{\"fields\":{\"__result__\":true,\"x\":1}}"},
		{"{\"fields\":{\"__result__\" : {\"a\":[1,{}]} }}", "{\"fields\":{\"__result__\" : true }}"},
		{"{\"fields\":{\"__r\\u0065sult__\":\"}\"}}", "{\"fields\":{\"__r\\u0065sult__\":true}}"},
		{"{\"fields\":{\"__result__\":1,\"__result__\":2}}",
		 "{\"fields\":{\"__result__\":1,\"__result__\":true}}"},
		{"{\"fields\":{\"a\":{\"__result__\":1}}}",
		 "{\"fields\":{\"a\":{\"__result__\":1},\"__result__\":true}}"},
		{"{\"fields\":{\"a\":\"\\\"__result__\\\":{\"}}",
		 "{\"fields\":{\"a\":\"\\\"__result__\\\":{\",\"__result__\":true}}"},
		{"{\"fields\":{\"a\":1},\"fields\":{},\"z\":0}",
		 "{\"fields\":{\"a\":1},\"fields\":{\"__result__\":true},\"z\":0}"},
		{"{\"a\":{\"fields\":{}},\"\\u0066ields\":{\"x\":\"\xc3\xa9\\u0000\"}}",
		 "{\"a\":{\"fields\":{}},\"\\u0066ields\":{\"x\":\"\xc3\xa9\\u0000\",\"__result__\":true}}"},
	};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		struct sn_buf b = SN_BUF(1000), again = SN_BUF(1000);

		assert_int_equal(sn_workitem_set_result(CASES[i].in, strlen(CASES[i].in), true, &b), 0);
		assert_string_equal(b.data, CASES[i].yes);
		assert_int_equal(sn_workitem_set_result(b.data, b.len, false, &again), 0);
		assert_int_equal(again.len, b.len + 1);
		assert_non_null(strstr(again.data, "false"));
		sn_buf_release(&b);
		sn_buf_release(&again);
	}
}

static void set_result_refuses(void **state)
{
	static const struct {
		const char *text;
		int r;
	} CASES[] = {
		{"", -EBADMSG},
		{"[]", -EBADMSG},
		{"{\"fields\":{}}x", -EBADMSG},
		{"{}", -EPROTO},
		{"{\"fields\":null}", -EPROTO},
		{"{\"fields\":[1]}", -EPROTO},
		{"{\"fields\":{},\"fields\":1}", -EPROTO},
	};
	struct sn_buf b = SN_BUF(20);

	(void)state;
	for (size_t i = 0; i < SN_COUNT(CASES); i++)
		assert_int_equal(sn_workitem_set_result(CASES[i].text, strlen(CASES[i].text), true, &b),
				 CASES[i].r);
	assert_int_equal(sn_workitem_set_result(WORK, strlen(WORK), true, &b), -E2BIG);
	sn_buf_release(&b);
}

static void set_result_of_16_mb(void **state)
{
	static const char HEAD[] = "{\"fields\":{\"pad\":\"", TAIL[] = "\"},\"fei\":" FEI "}";
	const size_t pad = 16 << 20, len = sizeof HEAD - 1 + pad + sizeof TAIL - 1;
	struct sn_buf b = SN_BUF(len + 100);
	char *text = malloc(len + 1);

	(void)state;
	assert_non_null(text);
	memcpy(text, HEAD, sizeof HEAD - 1);
	memset(text + sizeof HEAD - 1, 'x', pad);
	memcpy(text + sizeof HEAD - 1 + pad, TAIL, sizeof TAIL);
	assert_int_equal(sn_workitem_set_result(text, len, true, &b), 0);
	assert_int_equal(b.len, len + strlen(",\"__result__\":true"));
	assert_memory_equal(b.data, text, sizeof HEAD - 1 + pad + 1);
	assert_string_equal(b.data + sizeof HEAD - 1 + pad, "\",\"__result__\":true},\"fei\":" FEI "}");
	free(text);
	sn_buf_release(&b);
}

static enum sn_workitem_kind sample_kind(const char *name)
{
	if (strcmp(name, "field_message_string.json") == 0)
		return SN_WORKITEM_JUNK;
	return strstr(name, "cancelitem") != NULL || strstr(name, "killitem") != NULL ? SN_WORKITEM_CANCEL
										      : SN_WORKITEM_WORK;
}

static void samples(void **state)
{
	DIR *dir = opendir("tests/data/workitems");
	struct dirent *e;

	(void)state;
	assert_non_null(dir);
	while ((e = readdir(dir)) != NULL) {
		struct sn_buf b = SN_BUF(1 << 26), with = SN_BUF(1 << 26);
		struct sn_workitem w;
		const char *why;

		if (strstr(e->d_name, ".json") == NULL || strstr(e->d_name, ".props.") != NULL)
			continue;
		assert_int_equal(sn_dir_read(dirfd(dir), e->d_name, &b), 0);
		sn_workitem_read(b.data, b.len, &w);
		if (w.kind != sample_kind(e->d_name))
			fail_msg("%s: kind %d", e->d_name, (int)w.kind);
		assert_int_equal(w.forget, strcmp(e->d_name, "forget.json") == 0);
		if (w.kind == SN_WORKITEM_WORK) {
			assert_true(w.fei.wfid[0] != '\0' && w.fei.expid[0] != '\0');
			assert_int_equal(sn_workitem_check_reply(w.fei_raw, b.data, b.len, &why), 0);
			assert_int_equal(sn_workitem_set_result(b.data, b.len, true, &with), 0);
			assert_int_equal(sn_workitem_check_reply(w.fei_raw, with.data, with.len, &why), 0);
		}
		sn_buf_release(&b);
		sn_buf_release(&with);
	}
	(void)closedir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds),
		cmocka_unit_test(fei_is_decoded),
		cmocka_unit_test(forget),
		cmocka_unit_test(replies),
		cmocka_unit_test(foreign_replies),
		cmocka_unit_test(add_error),
		cmocka_unit_test(samples),
		cmocka_unit_test(add_error_refuses),
		cmocka_unit_test(set_result),
		cmocka_unit_test(set_result_refuses),
		cmocka_unit_test(set_result_of_16_mb),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
