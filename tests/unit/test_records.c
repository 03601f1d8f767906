/* The journals of one who means harm. */
#include "spool_fixture.h"

#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LEAF "20261122T105443.865116-1.results"
#define HEAD \
	"outcome: ok\nattempt: 1\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\nsend: reply\n"

/* -- hostile kinds of files */

static int open_result(struct fixture *f, uid_t uid)
{
	int fd = sn_result_open(&f->s, LEAF, uid);

	if (fd >= 0)
		assert_int_equal(close(fd), 0);
	return fd >= 0 ? 0 : fd;
}

/* Whoever walks over the journals sees none in what is planted, and goes on to the others. */
static void is_refused(struct fixture *f, int want)
{
	assert_int_equal(open_result(f, geteuid()), want);
	assert_int_equal(open_result(f, (uid_t)-1), want);
	assert_int_equal(sn_journal_has(f->s.result, f->name, NULL), 1);
	assert_int_equal(unlinkat(f->s.result, LEAF, 0), 0);
}

static void make_socket(struct fixture *f)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "s"};
	int here = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC),
	    sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(fchdir(f->s.result), 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(fchdir(here), 0);
	assert_int_equal(renameat(f->s.result, "s", f->s.result, LEAF), 0);
	assert_int_equal(close(sock) | close(here), 0);
}

static void hostile_kinds(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(open_result(f, geteuid()), -ENOENT);
	assert_int_equal(sn_result_open(&f->s, "../cur/x", geteuid()), -EINVAL);
	work(f, "{}");
	(void)alarm(20);
	assert_int_equal(symlinkat("/etc/passwd", f->s.result, LEAF), 0);
	is_refused(f, -EINVAL);
	assert_int_equal(symlinkat("nowhere", f->s.result, LEAF), 0);
	is_refused(f, -EINVAL);
	assert_int_equal(symlinkat("/proc/self/fd/0", f->s.result, LEAF), 0);
	is_refused(f, -EINVAL);
	assert_int_equal(mkfifoat(f->s.result, LEAF, 0666), 0);
	is_refused(f, -EINVAL);
	make_socket(f);
	is_refused(f, -EINVAL);
	if (geteuid() == 0 && mknodat(f->s.result, LEAF, S_IFCHR | 0666, 1 << 8 | 5) == 0) /* /dev/zero */
		is_refused(f, -EINVAL);
	assert_int_equal(mkdirat(f->s.result, LEAF, 0777), 0);
	assert_int_equal(open_result(f, geteuid()), -EINVAL);
	assert_int_equal(sn_journal_has(f->s.result, f->name, NULL), 1);
	(void)alarm(0);
}

static void hostile_owners(void **state)
{
	struct fixture *f = *state;

	test_write(f->s.result, LEAF, "", 0);
	assert_int_equal(open_result(f, geteuid()), 0);
	assert_int_equal(open_result(f, geteuid() + 1), -EPERM);
	assert_int_equal(linkat(f->s.result, LEAF, f->s.cur, "second", 0), 0);
	assert_int_equal(open_result(f, geteuid()), -EMLINK);
	assert_int_equal(unlinkat(f->s.cur, "second", 0), 0);
	assert_int_equal(open_result(f, geteuid()), 0);
}

/* -- hostile contents */

static char buffer[SN_RECORDS_BUFFER];

/* A journal of these bytes, open for reading and writing; the reader starts at its beginning. */
static struct sn_records plant(struct fixture *f, const char *text, size_t len)
{
	int fd;

	test_write(f->s.result, LEAF, text, len);
	fd = openat(f->s.result, LEAF, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return (struct sn_records){.fd = fd, .buf = buffer};
}

static void no_records(void **state)
{
	static const struct {
		const char *text;
		int want;
	} CASES[] = {
		{"", 0},
		{"outcome: ok\nattempt: 1\n", 0}, /* it may be on its way */
		{HEAD "length: 2\nworkitem: %s\n\n{}", 0},
		{HEAD "length: 1000000\nworkitem: %s\n\n{}\n", 0},
		{HEAD "length: 2\nworkitem: %s\n\n{}x", -EINVAL},
		{HEAD "length: 1\nworkitem: %s\n\n{}\n", -EINVAL},
		{HEAD "length: 2\n\n{}\n", -EINVAL}, /* whose? */
		{HEAD "length: 2\nworkitem: ../%s\n\n{}\n", -EINVAL},
		{HEAD "length: 2\nworkitem: %s,a1\n\n{}\n", -EINVAL},
		{HEAD "length: 18446744073709551615\nworkitem: %s\n\n{}\n", -EINVAL},
		{HEAD "length: 999999999999999999\nworkitem: %s\n\n{}\n", -EINVAL},
		{HEAD "length: 1099511627777\nworkitem: %s\n\n{}\n", -EINVAL},
		{HEAD "length: -1\nworkitem: %s\n\n{}\n", -EINVAL},
		{"junk\n", -EINVAL},
		{"\n", -EINVAL},
		{"outcome: ok\noutcome: ok\n", -EINVAL},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < SN_COUNT(CASES); i++) {
		struct sn_buf b = SN_BUF(10000);
		struct sn_record rec;
		struct sn_records r;
		const char *at = strstr(CASES[i].text, "%s");
		const size_t len = at != NULL ? (size_t)(at - CASES[i].text) : strlen(CASES[i].text);

		assert_int_equal(sn_buf_add(&b, CASES[i].text, len), 0);
		if (at != NULL)
			assert_int_equal(sn_buf_adds(&b, f->name) | sn_buf_adds(&b, at + 2), 0);
		r = plant(f, b.len > 0 ? b.data : "", b.len);
		for (int again = 0; again < 3; again++) {
			if (sn_records_next(&r, &rec) != CASES[i].want)
				fail_msg("%s", CASES[i].text);
			assert_int_equal(r.at, 0);
		}
		assert_int_equal(close(r.fd), 0);
		sn_buf_release(&b);
	}
}

static void bytes_and_holes(void **state)
{
	struct fixture *f = *state;
	struct sn_records r = plant(f, "\0\0\0\0", 4);
	struct sn_record rec;
	char text[SN_RECORDS_BUFFER];

	assert_int_equal(sn_records_next(&r, &rec), 0);
	assert_int_equal(ftruncate(r.fd, (off_t)1 << 42), 0); /* four terabytes that take no room */
	assert_int_equal(sn_records_next(&r, &rec), -EINVAL);
	assert_int_equal(close(r.fd), 0);
	for (size_t i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7919 >> 3);
	r = plant(f, text, sizeof text);
	assert_int_equal(sn_records_next(&r, &rec), -EINVAL);
	assert_int_equal(close(r.fd), 0);
	memset(text, '\n', sizeof text);
	r = plant(f, text, sizeof text);
	assert_int_equal(sn_records_next(&r, &rec), -EINVAL);
	assert_int_equal(close(r.fd), 0);
}

/* Behind what is no record nothing is found; before it everything is. */
static void junk_between(void **state)
{
	struct fixture *f = *state;
	struct sn_records r = {.buf = buffer};
	struct sn_record rec;

	work(f, "{\"n\":1}");
	r.fd = open_journal(f);
	assert_int_equal(pwrite(r.fd, "junk\n", 5, size_of(r.fd)), 5);
	f->s.journal.size += 5;
	work(f, "{\"n\":2}");
	assert_int_equal(sn_records_next(&r, &rec), 1);
	assert_int_equal(sn_records_next(&r, &rec), -EINVAL);
	assert_int_equal(sn_records_next(&r, &rec), -EINVAL);
	assert_int_equal(close(r.fd), 0);
}

/* -- bodies */

/* The one record of the one journal, with text at `at` of it replaced between looking and reading. */
static int read_changed(struct fixture *f, size_t max, const char *old, const char *new)
{
	struct sn_records r = {.buf = buffer};
	struct sn_record rec;
	struct sn_result_file rf = {.text = SN_BUF(max)};
	char text[2000], *at;
	off_t size;
	int e;

	r.fd = open_journal(f);
	size = size_of(r.fd);
	assert_int_equal(sn_records_next(&r, &rec), 1);
	assert_int_equal(pread(r.fd, text, sizeof text - 1, 0), size);
	text[size] = '\0';
	at = strstr(text, old);
	assert_non_null(at);
	if (new == NULL)
		assert_int_equal(ftruncate(r.fd, at - text), 0);
	else
		assert_int_equal(pwrite(r.fd, new, strlen(new), at - text), strlen(new));
	e = sn_result_read(r.fd, &rec, &rf);
	if (e == 0)
		assert_int_equal(strlen(rf.text.data), rf.text.len); /* it ends in a NUL */
	assert_int_equal(ftruncate(r.fd, size) | (pwrite(r.fd, text, (size_t)size, 0) != size), 0);
	assert_int_equal(close(r.fd), 0);
	sn_result_release(&rf);
	return e;
}

static void changed_meanwhile(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(say(f, 3, "{\"n\":1}"), 0);
	assert_int_equal(read_changed(f, 1000, "outcome", ""), 0);
	assert_int_equal(read_changed(f, 1000, "{\"n\":1}", "{\"n\":2}"), -EBADMSG); /* the digest */
	assert_int_equal(read_changed(f, 1000, "\"n\"", NULL), -EBADMSG);	     /* cut */
	assert_int_equal(read_changed(f, 1000, "outcome", NULL), -EBADMSG);
	assert_int_equal(read_changed(f, 1000, "outcome", "outsome"), -EINVAL);
	assert_int_equal(read_changed(f, 1000, "length: 7", "length: 6"), -EBADMSG);
	assert_int_equal(read_changed(f, 1000, "length: 7", "length: 9"), -EBADMSG);
	assert_int_equal(read_changed(f, 1000, "-w\n", "-v\n"), -EBADMSG); /* another workitem's */
	assert_int_equal(read_changed(f, 1000, "message: 3", "message: 4"), -EBADMSG);
	assert_int_equal(read_changed(f, 1000, "attempt: 1", "attempt: 2"), 0);
	assert_int_equal(read_changed(f, 1000, "outcome", ""), 0); /* all is as it was */
}

/* The ceiling is that of the whole record but its newline, exactly; a sparse one takes no room either. */
static void too_large(void **state)
{
	struct fixture *f = *state;
	struct sn_records r;
	struct sn_record rec;
	struct sn_result_file rf = {.text = SN_BUF(64 << 20)};
	SN_AUTOFD int fd = -1;
	char head[1000];
	int n;

	work(f, "{\"n\":1}");
	fd = open_journal(f);
	assert_int_equal(read_changed(f, (size_t)size_of(fd) - 1, "outcome", ""), 0);
	assert_int_equal(read_changed(f, (size_t)size_of(fd) - 2, "outcome", ""), -EFBIG);
	n = snprintf(head, sizeof head, HEAD "length: %lld\nworkitem: %s\n\n", 1LL << 40, f->name);
	r = plant(f, head, (size_t)n);
	assert_int_equal(pwrite(r.fd, "\n", 1, n + (1LL << 40)), 1);
	assert_int_equal(sn_records_next(&r, &rec), 1);
	assert_int_equal(sn_result_read(r.fd, &rec, &rf), -EFBIG);
	assert_int_equal(sn_records_next(&r, &rec), 0);
	assert_int_equal(close(r.fd), 0);
	sn_result_release(&rf);
}

/* A body that looks like records is one body. */
static void framing_in_a_body(void **state)
{
	struct fixture *f = *state;
	struct sn_buf b = SN_BUF(10000);
	char victim[SN_NAME_SIZE];

	memcpy(victim, f->name, sizeof victim);
	assert_int_equal(sn_buf_addf(&b, "\n\n" HEAD "length: 2\nworkitem: %s\n\n{}\n", victim), 0);
	new_name(f);
	work(f, b.data);
	assert_int_equal(sn_journal_has(f->s.result, victim, NULL), 0);
	assert_int_equal(sn_journal_has(f->s.result, f->name, NULL), 1);
	sn_buf_release(&b);
}

/* -- walking */

/* A participant that writes as fast as it is read keeps nobody for ever. */
static int add_another(void *arg, int fd, const struct sn_record *rec)
{
	int *count = arg;
	char text[1000];

	assert_int_equal(pread(fd, text, rec->size, rec->at), rec->size);
	assert_int_equal(pwrite(count[1], text, rec->size, size_of(count[1])), rec->size);
	return ++count[0] == 1000;
}

static int stop(void *arg, int fd, const struct sn_record *rec)
{
	(void)arg;
	(void)fd;
	return rec->head.message == 2 ? 77 : 0;
}

static void walking(void **state)
{
	struct fixture *f = *state;
	struct rlimit few, many;
	SN_AUTOFD int fd = -1;
	int count[2];

	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(say(f, i, "{}"), 0);
	fd = open_journal(f);
	count[0] = 0;
	count[1] = fd;
	assert_int_equal(sn_journal_each(f->s.result, add_another, count), 0);
	assert_int_equal(count[0], 3);
	assert_int_equal(sn_journal_each(f->s.result, stop, NULL), 77);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &many), 0);
	few = many;
	few.rlim_cur = (rlim_t)dup(0) + 1; /* for the directory, and nothing else */
	assert_int_equal(close((int)few.rlim_cur - 1), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	count[0] = sn_journal_has(f->s.result, f->name, NULL);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &many), 0);
	assert_int_equal(count[0], -EMFILE); /* and not: it has no answer */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL(hostile_kinds),	SPOOL(hostile_owners),	  SPOOL(no_records),
		SPOOL(bytes_and_holes), SPOOL(junk_between),	  SPOOL(changed_meanwhile),
		SPOOL(too_large),	SPOOL(framing_in_a_body), SPOOL(walking),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
