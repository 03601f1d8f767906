/* data/ini.h and data/config.h: every key, its bounds, what is refused and with which line. */
#include "test.h"

#include "base/mem.h"
#include "data/config.h"
#include "data/ini.h"

struct said { /* the last complaint, and how many there were */
	unsigned errors, warnings, line;
	char text[256];
	char file[256];
};

static char dir[64] = "/tmp/test_config.XXXXXX";

static void on_complaint(void *arg, bool error, const char *file, unsigned line, const char *text)
{
	struct said *s = arg;

	*(error ? &s->errors : &s->warnings) += 1;
	s->line = line;
	snprintf(s->text, sizeof s->text, "%s", text);
	snprintf(s->file, sizeof s->file, "%s", file);
}

static char *put(const char *name, const char *text, size_t len)
{
	char *path = sn_asprintf("%s/%s", dir, name);
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
	return path;
}

static int read_bytes(struct sn_config *c, const char *text, size_t len, struct said *said)
{
	SN_AUTOFREE char *path = put("x.conf", text, len);
	struct sn_config_reader rd = {.complain = on_complaint, .arg = said};
	int r;

	*said = (struct said){0};
	r = sn_config_read_file(c, path, &rd);
	assert_int_equal(rd.errors, said->errors);
	return r;
}

static int read_text(struct sn_config *c, const char *text, struct said *said)
{
	return read_bytes(c, text, strlen(text), said);
}

/* Reads one file into fresh defaults and compares one value. */
static void expect(const char *text, const char *section, const char *name, const char *value)
{
	struct sn_config c;
	struct said said;

	sn_config_init(&c);
	assert_int_equal(read_text(&c, text, &said), 0);
	assert_string_equal(sn_config_get(&c, section, name), value);
	sn_config_release(&c);
}

/* Reads one file that is wrong in `line`; the complaint has `part` in it. */
static void refuse(const char *text, size_t len, unsigned line, const char *part)
{
	struct sn_config c;
	struct said said;

	sn_config_init(&c);
	assert_int_equal(read_bytes(&c, text, len, &said), -EINVAL);
	assert_int_equal(said.errors, 1);
	assert_int_equal(said.line, line);
	assert_non_null(strstr(said.text, part));
	assert_non_null(strstr(said.file, "/x.conf"));
	sn_config_release(&c);
}

static const struct row {
	const char *section, *name, *fallback, *good, *good_reads, *bad[4];
} ROWS[] = {
	{"boss", "amqp_host", "none", "a:1, b:2", "a:1, b:2", {0}},
	{"boss", "amqp_vhost", "boss", "/x", "/x", {0}},
	{"boss", "amqp_user", "boss", "u", "u", {0}},
	{"boss", "amqp_pwd", "", "a#b;c = d", "a#b;c = d", {0}},
	{"boss", "amqp_password_file", "", "pw", "pw", {0}},
	{"boss", "amqp_tls", "no", "TRUE", "yes", {"maybe", "2", ""}},
	{"boss", "amqp_ca", "", "ca.pem", "ca.pem", {0}},
	{"boss", "amqp_cert", "", "c.pem", "c.pem", {0}},
	{"boss", "amqp_key", "", "k.pem", "k.pem", {0}},
	{"boss", "amqp_tls_verify", "yes", "off", "no", {"never"}},
	{"boss", "amqp_heartbeat", "30", "0", "0", {"3601", "-1", "1.5", "x"}},
	{"boss", "engine_queue", "ruote_workitems", "q", "q", {""}},
	{"skynet", "include_dir", "conf.d", "", "", {0}},
	{"skynet", "log_level", "info", "CRITICAL", "error", {0}},
	{"skynet", "sync", "syncfs", "FDATASYNC", "fdatasync", {"fsync", ""}},
	{"skynet", "sync_after", "1", "0.25", "0.25", {"3600.1", "1.", "-1", ".5"}},
	{"skynet", "min_free_mb", "64", "0", "0", {"4294967296", "1M"}},
	{"skynet", "min_free_inodes", "1000", "7", "7", {"", "+1"}},
	{"skynet", "history", "yes", "0", "no", {"nope"}},
	{"skynet", "air_after", "1", "no", "no", {"never", "3601", "-1"}},
	{"skynet", "air_max", "500", "1", "1", {"0", "10001", "no"}},
	{"skynet", "user", "skynet", "u", "u", {""}},
	{"skynet", "log_user", "skynetlog", "u", "u", {""}},
	{"skynet", "log_size", "1000000", "1073741824", "1073741824", {"1073741825"}},
	{"skynet", "log_count", "10", "9999", "9999", {"10000"}},
	{"skynet", "log_min_free", "5", "1", "1", {"0"}},
	{"participant", "queue", "", "q w", "q w", {0}},
	{"participant", "regexp", "", "^p.*$ ; x", "^p.*$ ; x", {0}},
	{"participant", "code", "code.py", "a.py", "a.py", {"../a.py", "", "."}},
	{"participant", "user", "", "u", "u", {0}},
	{"participant", "groups", "", "a:b", "a:b", {0}},
	{"participant", "instances", "1", "256", "256", {"0", "257"}},
	{"participant", "exo_class", "", "m:C", "m:C", {0}},
	{"participant", "error_class", "RuntimeError", "StandardError", "StandardError", {""}},
	{"participant", "prefetch", "400", "65535", "65535", {"0", "65536"}},
	{"participant", "hold", "1000", "1", "1", {"0", "1000001"}},
	{"participant", "max_size", "67108864", "1", "1", {"0", "18446744073709551616"}},
	{"participant", "max_attempts", "3", "99", "99", {"0", "100"}},
	{"participant", "sync_results", "no", "on", "yes", {"10"}},
	{"participant", "grace", "30", "0", "0", {"86401"}},
	{"participant", "time_limit", "0", "90", "90", {"-1", "1s", "31536001"}},
	{"participant", "max_items", "0", "1000", "1000", {"-1", "x"}},
	{"participant", "limit_data_mb", "0", "256", "256", {"-1", "1g", "1048577"}},
	{"participant", "limit_files", "0", "64", "64", {"-1", "1048577"}},
	{"participant", "limit_cpu_s", "0", "60", "60", {"-1", "31536001"}},
	{"participant", "start_limit", "60", "1", "1", {"0"}},
};

static void test_every_key(void **state)
{
	size_t count;
	const struct sn_config_key *keys = sn_config_keys(&count);

	(void)state;
	assert_int_equal(count, SN_COUNT(ROWS));
	for (size_t i = 0; i < count; i++) {
		const struct row *r = &ROWS[i];
		SN_AUTOFREE char *good = sn_asprintf("[%s]\n%s = %s\n", r->section, r->name, r->good);

		assert_string_equal(keys[i].section, r->section);
		assert_string_equal(keys[i].name, r->name);
		assert_string_equal(keys[i].fallback, r->fallback);
		assert_true(keys[i].help[0] != '\0');
		expect("", r->section, r->name, r->fallback);
		expect(good, r->section, r->name, r->good_reads);
		for (size_t j = 0; j < SN_COUNT(r->bad) && r->bad[j] != NULL; j++) {
			SN_AUTOFREE char *bad =
				sn_asprintf("[%s]\n\n%s = %s\n", r->section, r->name, r->bad[j]);

			refuse(bad, strlen(bad), 3, r->name);
		}
	}
}

static void test_fields(void **state)
{
	struct sn_config c;
	struct said said;

	(void)state;
	sn_config_init(&c);
	assert_int_equal(c.skynet.sync_after_ns, 1000000000);
	assert_int_equal(
		read_text(
			&c,
			"[boss]\namqp_tls=yes\n[skynet]\nsync_after=0.000000001\nsync=none\nlog_level=warn\n"
			"[participant]\ninstances=2\nmax_size=5\n",
			&said),
		0);
	assert_true(c.boss.tls && c.boss.tls_verify);
	assert_int_equal(c.skynet.sync_after_ns, 1);
	assert_string_equal(sn_config_get(&c, "skynet", "sync_after"), "0.000000001");
	assert_int_equal(c.skynet.sync, SN_SYNC_NONE);
	assert_int_equal(c.skynet.log_level, SN_WARNING);
	assert_int_equal(read_text(&c, "[skynet]\nlog_level =\nlog_level = loud\n", &said), 0);
	assert_int_equal(said.warnings * 10 + said.line, 23);
	assert_int_equal(c.skynet.log_level, SN_WARNING); /* a bogus one is reported and ignored */
	assert_int_equal(c.participant.instances, 2);
	assert_int_equal(c.participant.max_size_bytes, 5);
	sn_config_release(&c);
}

static void test_later_wins_and_bad_keeps(void **state)
{
	struct sn_config c;
	struct said said;

	(void)state;
	sn_config_init(&c);
	assert_int_equal(read_text(&c, "[participant]\nqueue = a\ninstances = 4\n", &said), 0);
	assert_int_equal(read_text(&c, "[participant]\nqueue = b\nqueue = c\n", &said), 0);
	assert_string_equal(c.participant.queue, "c");
	assert_int_equal(read_text(&c, "[participant]\ninstances = 9999\nqueue = d\n", &said), -EINVAL);
	assert_int_equal(c.participant.instances, 4);
	assert_string_equal(c.participant.queue, "d");
	sn_config_release(&c);
}

static void test_syntax(void **state)
{
	(void)state;
	expect("[participant]\nqueue: a:b=c\n", "participant", "queue", "a:b=c");
	expect("[participant]\nqueue=x", "participant", "queue", "x"); /* no newline at the end */
	expect("[participant]\r\nqueue = x \r\n", "participant", "queue", "x");
	expect("\xef\xbb\xbf[participant]\nqueue = x\n", "participant", "queue", "x");
	expect("# c\n; c\n[participant] \n  # c\n  QUEUE = x ; y # z\n", "participant", "queue", "x ; y # z");
	expect("[participant]\nqueue = 'q'\n", "participant", "queue", "'q'");
	expect("[participant]\nqueue =\n", "participant", "queue", "");
	expect("[participant]\n  queue = a\n  regexp = b\n", "participant", "queue",
	       "a"); /* not deeper: no continuation */
	expect("[participant]\nqueue = a\n b = c\n\n\t; no\n  d\nregexp = r\n", "participant", "queue",
	       "a\nb = c\n\nd");
	expect("[participant]\nqueue = a\n b\nregexp = r\n", "participant", "regexp", "r");
	expect("[participant]\nqueue =\n  a\n", "participant", "queue", "\na");
	expect("[other]\nqueue = a\nfree text = yes\n[x]\n", "participant", "queue", "");
	expect("[Participant]\nqueue = a\n", "participant", "queue", "");
	expect("", "participant", "queue", "");
}

static void test_refused(void **state)
{
	static const char NUL[] = "[participant]\nqueue = a\0b\n",
			  NUL2[] = "[participant]\nqueue = a\n b\0c\n";

	(void)state;
	refuse(NUL, sizeof NUL - 1, 2, "NUL");
	refuse(NUL2, sizeof NUL2 - 1, 3, "NUL");
#define REFUSE(text, line, part) refuse(text, sizeof(text) - 1, line, part)
	REFUSE("[participant]\nqueue\n[skynet]\n", 2, "neither");
	REFUSE("[participant]\nqueue = a\njunk", 3, "neither");
	REFUSE("queue = a\n", 1, "no [section]");
	REFUSE("[participant]\n= a\n", 2, "without a name");
	REFUSE("\n\n[participant\n", 3, "neither");
	REFUSE("[participant]\ninstances = 4 ; four\n", 2, "'4 ; four' is no number from 1 to 256");
	REFUSE("[participant]\ninstances = 4\n  5\nqueue = q\n", 2, "instances");
}

static void test_no_secret_in_complaints(void **state)
{
	struct sn_config c;
	struct said said;

	(void)state;
	sn_config_init(&c);
	assert_int_equal(read_text(&c, "[boss]\namqp_pwd hunter2\n", &said), -EINVAL);
	assert_null(strstr(said.text, "hunter2"));
	sn_config_release(&c);
}

static void test_all_complaints(void **state)
{
	struct sn_config c;
	struct said said;

	(void)state;
	sn_config_init(&c);
	assert_int_equal(read_text(&c, "junk\n[participant]\nhold=x\nqeue = a\njunk\nprefetch=0\n", &said),
			 -EINVAL);
	assert_int_equal(said.errors, 4);
	assert_int_equal(said.warnings, 1);
	assert_int_equal(said.line, 6);
	assert_int_equal(read_text(&c, "[skynet]\nfoo = 1\n[boss]\nfoo = 1\n", &said), 0);
	assert_int_equal(said.warnings, 1);
	assert_int_equal(said.line, 2);
	sn_config_release(&c);
}

/* "[participant]\nqueue = xxx…\nregexp = r\n" with a second line of `len` bytes. */
static char *long_text(size_t len)
{
	SN_AUTOFREE char *x = sn_malloc(len + 1);

	memset(x, 'x', len);
	x[len] = '\0';
	memcpy(x, "queue = ", 8);
	return sn_asprintf("[participant]\n%s\nregexp = r\n", x);
}

static void test_long_lines(void **state)
{
	static const size_t LENGTHS[] = {199, 200, 201, 1000, SN_CONFIG_LINE_MAX};
	struct sn_config c;
	struct said said;

	(void)state;
	for (size_t i = 0; i < SN_COUNT(LENGTHS); i++) {
		SN_AUTOFREE char *text = long_text(LENGTHS[i]);

		sn_config_init(&c);
		assert_int_equal(read_text(&c, text, &said), 0);
		assert_int_equal(strlen(c.participant.queue), LENGTHS[i] - 8);
		assert_string_equal(c.participant.regexp, "r");
		sn_config_release(&c);
	}
	SN_AUTOFREE char *text = long_text(SN_CONFIG_LINE_MAX + 1);

	refuse(text, strlen(text), 2, "longer");
}

static void test_long_names_and_files(void **state)
{
	SN_AUTOFREE char *many = sn_malloc(SN_CONFIG_FILE_MAX + 2);
	SN_AUTOFREE char *text = NULL;

	(void)state;
	memset(many, 'n', 70);
	many[70] = '\0';
	text = sn_asprintf("[participant]\n%s = 1\n", many);
	refuse(text, strlen(text), 2, "longer than 64");
	free(text);
	text = sn_asprintf("[%s%s%s%s]\nfree = 1\n[participant]\nqueue=q\n", many, many, many, many);
	expect(text, "participant", "queue",
	       "q"); /* a long section of somebody else's is none of our trouble */
	memset(many, '\n', SN_CONFIG_FILE_MAX + 1);
	refuse(many, SN_CONFIG_FILE_MAX + 1, 0, "1 MiB");
}

static void test_long_continuation(void **state)
{
	SN_AUTOFREE char *half = sn_malloc(40001);
	SN_AUTOFREE char *text = NULL;

	(void)state;
	memset(half, 'x', 40000);
	half[40000] = '\0';
	text = sn_asprintf("[participant]\nqueue = %s\n  %s\n", half, half);
	refuse(text, strlen(text), 3, "longer");
}

static void test_set_and_get(void **state)
{
	struct sn_config c;

	(void)state;
	sn_config_init(&c);
	assert_null(sn_config_get(&c, "participant", "nope"));
	assert_null(sn_config_get(&c, "nope", "queue"));
	assert_int_equal(sn_config_set_text(&c, "participant", "queue", "q"), 0);
	assert_string_equal(c.participant.queue, "q");
	assert_int_equal(sn_config_set_text(&c, "participant", "hold", "5"), -EINVAL);
	assert_int_equal(sn_config_set_text(&c, "participant", "nope", "5"), -EINVAL);
	sn_config_release(&c);
	sn_config_release(&c); /* twice does no harm */
}

static void test_cannot_open(void **state)
{
	struct sn_config c;
	struct sn_config_reader rd = {0};
	SN_AUTOFREE char *path = sn_asprintf("%s/missing.conf", dir);

	(void)state;
	sn_config_init(&c);
	assert_int_equal(sn_config_read_file(&c, path, &rd), -ENOENT);
	assert_int_equal(sn_config_read_file(&c, dir, &rd), -EISDIR);
	assert_int_equal(rd.errors, 0);
	sn_config_release(&c);
}

static int setup(void **state)
{
	(void)state;
	return mkdtemp(dir) == NULL;
}

static int teardown(void **state)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/x.conf", dir);

	(void)state;
	return unlink(path) != 0 || rmdir(dir) != 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_key),
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_later_wins_and_bad_keeps),
		cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_no_secret_in_complaints),
		cmocka_unit_test(test_all_complaints),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_long_names_and_files),
		cmocka_unit_test(test_long_continuation),
		cmocka_unit_test(test_set_and_get),
		cmocka_unit_test(test_cannot_open),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
