/* Journals as they are written. */
#include "spool_fixture.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/syscall.h>

static bool cannot_truncate;

/* In the place of libc's: no file system lets a test have both a write and the truncation behind it fail. */
int ftruncate(int fd, off_t len)
{
	if (!cannot_truncate)
		return (int)syscall(SYS_ftruncate, fd, len);
	errno = EIO;
	return -1;
}

static void limit(int what, rlim_t most)
{
	struct rlimit l;

	assert_int_equal(getrlimit(what, &l), 0);
	l.rlim_cur = most;
	assert_int_equal(setrlimit(what, &l), 0);
}

static void no_limit(int what)
{
	struct rlimit l;

	assert_int_equal(getrlimit(what, &l), 0);
	l.rlim_cur = l.rlim_max;
	assert_int_equal(setrlimit(what, &l), 0);
}

static int count_one(void *arg, int fd, const struct sn_record *rec)
{
	struct sn_result_file rf = {.text = SN_BUF(64 << 20)};

	assert_int_equal(sn_result_read(fd, rec, &rf), 0);
	sn_result_release(&rf);
	++*(int *)arg;
	return 0;
}

/* Records in work/result, all of them whole. */
static int records(struct fixture *f)
{
	int count = 0;

	assert_int_equal(sn_journal_each(f->s.result, count_one, &count), 0);
	return count;
}

/* -- names */

static void names(void **state)
{
	static const char *const BAD[] = {
		"",
		".",
		".results",
		"20261122T105443.865116-1.result",
		"20261122T105443.865116-1.results.",
		"20261122T105443.865116-1.results/x",
		"20261122T105443.865116-.results",
		"20261122T105443.865116-12345678901.results",
		"20261122T105443.865116--1.results",
		"20261122T105443.865116-x.results",
		"2026112T105443.865116-1.results",
		"20261122105443.865116-1.results",
		"../61122T105443.865116-1.results",
		"20261122T105443.865116-0000-9f86d081884c7d65-w.results",
	};
	char leaf[SN_JOURNAL_SIZE];

	(void)state;
	sn_journal_name(leaf);
	assert_true(sn_journal_valid(leaf));
	assert_non_null(strstr(leaf, ".results"));
	assert_true(sn_journal_valid("20261122T105443.865116-1.results"));
	assert_true(sn_journal_valid("20261122T105443.865116-4294967295.results"));
	assert_int_equal(strlen("20261122T105443.865116-4294967295.results"), SN_JOURNAL_SIZE - 1);
	for (size_t i = 0; i < SN_COUNT(BAD); i++) {
		if (sn_journal_valid(BAD[i]))
			fail_msg("accepted: %s", BAD[i]);
	}
}

static void opening(void **state)
{
	struct fixture *f = *state;
	struct sn_journal j = {.fd = -1};
	char leaf[SN_JOURNAL_SIZE];

	assert_int_equal(sn_journal_append(&j, &(struct sn_journal_text){.head = "x", .head_len = 1}, 1),
			 -ESTALE);
	assert_int_equal(sn_journal_open(&j, f->s.result, "a/b"), -EINVAL);
	sn_journal_name(leaf);
	assert_int_equal(symlinkat("/etc/passwd", f->s.result, leaf), 0);
	assert_int_equal(sn_journal_open(&j, f->s.result, leaf), -ELOOP);
	assert_int_equal(unlinkat(f->s.result, leaf, 0), 0);
	assert_int_equal(mkfifoat(f->s.result, leaf, 0666), 0);
	assert_int_equal(sn_journal_open(&j, f->s.result, leaf), -ENXIO); /* and does not wait for a reader */
	assert_int_equal(unlinkat(f->s.result, leaf, 0), 0);
	assert_int_equal(mkdirat(f->s.result, leaf, 0777), 0);
	assert_int_equal(sn_journal_open(&j, f->s.result, leaf), -EISDIR);
	assert_int_equal(j.fd, -1);
}

/* -- whole, or not at all */

/* The disk fills up at any byte of the second record. */
static void no_room(void **state)
{
	struct fixture *f = *state;
	SN_AUTOFD int fd = -1;
	off_t one;

	work(f, "{\"n\":1}");
	fd = open_journal(f);
	one = size_of(fd);
	for (off_t room = 0; room < one; room += 5) {
		struct sn_result res = OK;
		struct sn_buf head = SN_BUF(SN_RESULT_HEADER_MAX);

		memcpy(res.name, f->name, sizeof res.name);
		res.length = 7;
		assert_int_equal(sn_result_format(&res, &head), 0);
		limit(RLIMIT_FSIZE, (rlim_t)(one + room));
		assert_int_equal(sn_journal_append(&f->s.journal,
						   &(struct sn_journal_text){.head = head.data,
									     .head_len = head.len,
									     .body = "{\"n\":2}",
									     .body_len = 7},
						   1),
				 room < (off_t)head.len + 8 ? -EFBIG : 0);
		no_limit(RLIMIT_FSIZE);
		sn_buf_release(&head);
		if (room >= (off_t)head.len + 8)
			break;
		assert_int_equal(size_of(fd), one);
	}
	assert_int_equal(records(f), 1);
	work(f, "{\"n\":3}");
	assert_int_equal(size_of(fd), 2 * one); /* it goes on where it was */
	assert_int_equal(records(f), 2);
}

/* Half a record that nobody can take away ends its journal; what follows stands in another. */
static void no_room_and_no_way_back(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf;
	struct sn_retirement ret = {.name = f->name};
	int dir = sn_spool_done_dir(&f->s, f->name);

	work(f, "{\"n\":1}");
	assert_int_equal(find(f, f->s.result, &rf), 0);
	ret.result = rf.text.data;
	ret.result_len = rf.text.len;
	cannot_truncate = true;
	limit(RLIMIT_FSIZE, 100);
	assert_int_equal(sn_retire_keep(&f->s, &ret), -EFBIG);
	no_limit(RLIMIT_FSIZE);
	cannot_truncate = false;
	assert_int_equal(sn_dir_count(dir), 1);
	assert_int_equal(sn_journal_has(dir, f->name, NULL), 0);
	assert_int_equal(sn_retire_keep(&f->s, &ret), 0);
	assert_int_equal(sn_journal_has(dir, f->name, NULL), 1);

	limit(RLIMIT_FSIZE, (rlim_t)rf.text.len + 50);
	cannot_truncate = true;
	say_much(f, 2, 0);	   /* half of it at the end of the first, then in another */
	say_much(f, 1000, -EFBIG); /* half of it in each of the next two */
	no_limit(RLIMIT_FSIZE);
	cannot_truncate = false;
	work(f, "{}");
	assert_int_equal(sn_dir_count(f->s.result), 4);
	assert_int_equal(records(f), 3);
	sn_result_release(&rf);
}

/* ulimit -f is the limit of one journal, not of all that a worker says in its life. */
static void file_size_limit(void **state)
{
	struct fixture *f = *state;

	limit(RLIMIT_FSIZE, 64 << 10);
	for (int i = 1; i <= 5; i++) {
		say_much(f, 40 << 10, 0);
		assert_int_equal(sn_dir_count(f->s.result), i);
	}
	say_much(f, 70 << 10, -EFBIG);
	assert_in_range(sn_dir_count(f->s.result), 5, 6);
	work(f, "{}");
	no_limit(RLIMIT_FSIZE);
	assert_int_equal(records(f), 6);
}

static void rotation(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < SN_JOURNAL_BYTES >> 20; i++)
		say_much(f, 1 << 20, 0);
	assert_int_equal(sn_dir_count(f->s.result), 1);
	assert_int_equal(f->s.journal.fd, -1); /* full: it is the bridge's */
	work(f, "{}");
	assert_int_equal(sn_dir_count(f->s.result), 2);
	say_much(f, SN_JOURNAL_BYTES, 0);
	work(f, "{}");
	assert_int_equal(sn_dir_count(f->s.result), 3);
	assert_int_equal(records(f), 19);
}

/* -- whose descriptor is it? */

static void unlinked(void **state)
{
	struct fixture *f = *state;
	char leaf[SN_JOURNAL_SIZE];

	work(f, "{}");
	journal_in(f->s.result, leaf);
	assert_int_equal(unlinkat(f->s.result, leaf, 0), 0);
	assert_int_equal(
		sn_journal_append(&f->s.journal, &(struct sn_journal_text){.head = "x", .head_len = 1}, 1),
		-ESTALE);
	work(f, "{}");
	assert_int_equal(records(f), 1);
}

/* Code of the participant's closed what it found, and opened files of its own, which stay as they are, and open. */
static void another_file(void **state)
{
	struct fixture *f = *state;
	int fd = -1, number;

	work(f, "{\"n\":1}");
	number = f->s.journal.fd;
	assert_true(number >= 64);
	test_write(f->dir->fd, "precious", "bytes", 5);
	fd = openat(f->dir->fd, "precious", O_RDWR | O_APPEND | O_CLOEXEC);
	assert_int_equal(dup3(fd, number, O_CLOEXEC), number);
	work(f, "{\"n\":2}");
	assert_int_equal(records(f), 2);
	assert_int_equal(size_of(fd), 5);
	assert_int_equal(size_of(number), 5); /* still open */
	assert_int_not_equal(f->s.journal.fd, number);
	assert_int_equal(close(f->s.journal.fd), 0);
	work(f, "{\"n\":3}");
	assert_int_equal(records(f), 3);
	assert_int_equal(dup3(fd, f->s.journal.fd, O_CLOEXEC), f->s.journal.fd);
	number = f->s.journal.fd;
	sn_journal_close(&f->s.journal);
	assert_int_equal(size_of(number), 5);
	assert_int_equal(close(number) | close(fd), 0);
}

/* Somebody else wrote to our journal, or cut it: what we add must be found. */
static void another_writer(void **state)
{
	struct fixture *f = *state;
	SN_AUTOFD int fd = -1;

	work(f, "{\"n\":1}");
	fd = open_journal(f);
	assert_int_equal(pwrite(fd, "junk", 4, size_of(fd)), 4);
	work(f, "{\"n\":2}");
	assert_int_equal(records(f), 2);
	assert_int_equal(sn_dir_count(f->s.result), 2);
}

static void few_descriptors(void **state)
{
	struct fixture *f = *state;

	limit(RLIMIT_NOFILE, 64);
	work(f, "{}");
	no_limit(RLIMIT_NOFILE);
	assert_int_equal(records(f), 1);
}

/* Nobody can stop a writer: neither the bridge, about to unlink the journal, nor one who means harm. */
static void locked(void **state)
{
	struct fixture *f = *state;
	SN_AUTOFD int fd = -1;

	work(f, "{\"n\":1}");
	fd = open_journal(f);
	assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0); /* and was not left locked */
	(void)alarm(10);
	work(f, "{\"n\":2}");
	(void)alarm(0);
	assert_int_equal(sn_dir_count(f->s.result), 2);
	assert_int_equal(records(f), 2);
}

static void sync_writes(void **state)
{
	struct fixture *f = *state;
	struct sn_result res = OK;

	memcpy(res.name, f->name, sizeof res.name);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sn_result_write(&f->s, &res, "{}", 2, true), 0);
		assert_true(f->s.journal.is_named);
	}
	assert_int_equal(records(f), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names), SPOOL(opening),
		SPOOL(no_room),		 SPOOL(no_room_and_no_way_back),
		SPOOL(file_size_limit),	 SPOOL(rotation),
		SPOOL(unlinked),	 SPOOL(another_file),
		SPOOL(another_writer),	 SPOOL(few_descriptors),
		SPOOL(locked),		 SPOOL(sync_writes),

	};

	(void)signal(SIGXFSZ, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
