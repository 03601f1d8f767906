/* svc/status.h: our status files and runit's. */
#include "test.h"

#include "base/mem.h"
#include "svc/status.h"
#include "sys/dir.h"

static char dir[64];
static int dirfd_;

static void put(const char *leaf, const char *text, size_t len)
{
	assert_int_equal(sn_dir_replace(dirfd_, leaf, text, len), 0);
}

static void expect_file(const char *want)
{
	struct sn_buf b = SN_BUF(4096);

	assert_int_equal(sn_dir_read(dirfd_, "status", &b), 0);
	assert_string_equal(b.data, want);
	sn_buf_release(&b);
}

static void test_writing(void **state)
{
	char up[] = "ready", why[] = "one\ntwo\r", broker[] = "h:5672",
	     extra[] = "participant.P1: consuming\n";
	struct sn_status s = {
		.state = up, .pid = 4711, .since_us = 1795344883865116, .workers = 2, .restarts = 1};
	struct stat st;

	(void)state;
	assert_int_equal(sn_status_write(dirfd_, &s), 0);
	expect_file("state: ready\npid: 4711\nsince: 2026-11-22T10:54:43.865116Z\nworkers: 2\nrestarts: 1\n");
	s.reason = why;
	s.broker = broker;
	s.extra = extra;
	s.code = 78;
	assert_int_equal(sn_status_write(dirfd_, &s), 0);
	expect_file("state: ready\npid: 4711\nsince: 2026-11-22T10:54:43.865116Z\nworkers: 2\nrestarts: 1\n"
		    "reason: one two \ncode: 78\nbroker: h:5672\nparticipant.P1: consuming\n");
	assert_int_equal(fstatat(dirfd_, "status", &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void test_round_trip(void **state)
{
	char up[] = "backoff", why[] = "a: b: c", broker[] = "h:5672",
	     extra[] = "participant.P1: error no queue: x\n";
	struct sn_status s = {.state = up,
			      .pid = 1,
			      .since_us = 1,
			      .workers = 3,
			      .restarts = 4,
			      .code = 5,
			      .reloads = 7,
			      .reload = why,
			      .reason = why,
			      .broker = broker,
			      .extra = extra};
	struct sn_status r;

	(void)state;
	assert_int_equal(sn_status_write(dirfd_, &s), 0);
	assert_int_equal(sn_status_read(dirfd_, &r), 0);
	assert_string_equal(r.state, up);
	assert_int_equal(r.pid, 1);
	assert_int_equal(r.since_us, 1);
	assert_int_equal(r.workers, 3);
	assert_int_equal(r.restarts, 4);
	assert_int_equal(r.code, 5);
	assert_string_equal(r.reason, why);
	assert_string_equal(r.broker, broker);
	assert_string_equal(r.extra, extra);
	assert_int_equal(r.reloads, 7);
	assert_string_equal(r.reload, why);
	sn_status_release(&r);
	sn_status_release(&r);
}

static void refuse(const char *text, size_t len)
{
	struct sn_status r;

	put("status", text, len);
	assert_int_equal(sn_status_read(dirfd_, &r), -EINVAL);
	sn_status_release(&r);
}

static void test_read(void **state)
{
	struct sn_status r;

	(void)state;
	assert_int_equal(sn_status_read(dirfd_, &r), -ENOENT);
	sn_status_release(&r);
#define REFUSE(text) refuse(text, sizeof(text) - 1)
	REFUSE("");
	REFUSE("\n");
	REFUSE("pid: 1\n"); /* no state */
	REFUSE("state: ready\njunk\n");
	REFUSE("state: ready\npid: -1\n");
	REFUSE("state: ready\npid: 99999999999\n");
	REFUSE("state: ready\nsince: yesterday\n");
	REFUSE("state: ready\nworkers: many\n");
	REFUSE("state: ready\ncode: 256\n");
	REFUSE("state: re\0ady\n");
	put("status", "state: a\nstate: b\n", 18);
	assert_int_equal(sn_status_read(dirfd_, &r), 0);
	assert_string_equal(r.state, "b");
	assert_null(r.reason);
	assert_null(r.extra);
	sn_status_release(&r);
}

static void test_hostile(void **state)
{
	struct sn_status r;

	(void)state;
	put("other", "state: ready\n", 13);
	assert_int_equal(symlinkat("other", dirfd_, "status"), 0);
	assert_int_equal(sn_status_read(dirfd_, &r), -ELOOP);
	sn_status_release(&r);
	assert_int_equal(sn_dir_unlink(dirfd_, "status"), 0);
	assert_int_equal(mkfifoat(dirfd_, "status", 0600), 0); /* must not block */
	assert_int_equal(sn_status_read(dirfd_, &r), -EINVAL);
	sn_status_release(&r);
	assert_int_equal(sn_dir_unlink(dirfd_, "status"), 0);
#define ESCAPES \
	"state: \033[31mready\nreason: a\tb\r\302\233c\177\342\200\256\n\033: \a\n" /* what a terminal would obey */
	put("status", ESCAPES, sizeof ESCAPES - 1);
	assert_int_equal(sn_status_read(dirfd_, &r), 0);
	assert_string_equal(r.state, "\\x1b[31mready");
	assert_string_equal(r.reason, "a\\x09b\\x0d\\xc2\\x9bc\\x7f\\xe2\\x80\\xae");
	assert_string_equal(r.extra, "\\x1b: \\x07\n");
	sn_status_release(&r);
}

/* Bytes as a runsv of runit 2.1.2 wrote them. */
static void test_runit(void **state)
{
	/* 2026-11-22T10:54:43.5Z, pid 0x01020304, not paused, wants up, TERM not sent, runs */
	char bytes[20] = {0x40, 0, 0, 0, 0x6b, 0x02, (char)0xcd, (char)0x7d, 0x1d, (char)0xcd,
			  0x65, 0, 4, 3, 2,    1,    0,		 'u',	     0,	   1};
	struct sn_runit r;
	int fd;

	(void)state;
	assert_int_equal(sn_runit_read(dir, &r), -ENOENT);
	assert_int_equal(mkdirat(dirfd_, "supervise", 0700), 0);
	assert_int_equal(sn_runit_read(dir, &r), -ENOENT);
	put("s", bytes, sizeof bytes);
	assert_int_equal(renameat(dirfd_, "s", dirfd_, "supervise/status"), 0);
	assert_int_equal(sn_runit_read(dir, &r), 0);
	assert_int_equal(r.pid, 0x01020304);
	assert_int_equal(r.since_us % 1000000, 500000);
	assert_true(r.want_up);
	assert_false(r.paused || r.term_sent || r.finishing || r.supervised);
	assert_int_equal(mkfifoat(dirfd_, "supervise/ok", 0600), 0);
	assert_int_equal(sn_runit_read(dir, &r), 0);
	assert_false(r.supervised);
	fd = openat(dirfd_, "supervise/ok", O_RDONLY | O_NONBLOCK);
	assert_true(fd >= 0);
	assert_int_equal(sn_runit_read(dir, &r), 0);
	assert_true(r.supervised);
	assert_int_equal(close(fd), 0);
	bytes[16] = 1, bytes[17] = 'd', bytes[18] = 1, bytes[19] = 2;
	put("s", bytes, sizeof bytes);
	assert_int_equal(renameat(dirfd_, "s", dirfd_, "supervise/status"), 0);
	assert_int_equal(sn_runit_read(dir, &r), 0);
	assert_true(r.paused && r.term_sent && r.finishing && !r.want_up && !r.supervised);
	put("s", bytes, 19);
	assert_int_equal(renameat(dirfd_, "s", dirfd_, "supervise/status"), 0);
	assert_int_equal(sn_runit_read(dir, &r), -EINVAL);
}

static int setup(void **state)
{
	(void)state;
	memcpy(dir, "/tmp/test_status.XXXXXX", sizeof "/tmp/test_status.XXXXXX");
	if (mkdtemp(dir) == NULL)
		return -1;
	dirfd_ = sn_dir_open(AT_FDCWD, dir);
	return dirfd_ < 0;
}

static int teardown(void **state)
{
	static const char *const LEFT[] = {"status", "other", "supervise/status", "supervise/ok"};

	(void)state;
	for (size_t i = 0; i < SN_COUNT(LEFT); i++) {
		if (unlinkat(dirfd_, LEFT[i], 0) < 0 && errno != ENOENT)
			return -1;
	}
	if (unlinkat(dirfd_, "supervise", AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -1;
	return close(dirfd_) < 0 || rmdir(dir) < 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_writing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_runit, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
