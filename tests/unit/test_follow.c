/* Journals that are read while they are written. */
#include "spool_fixture.h"

#include <sys/wait.h>

/* Cut at every byte: what is whole is found, the rest waited for; never an error. */
static void cut_anywhere(void **state)
{
	struct fixture *f = *state;
	char *buf = malloc(SN_RECORDS_BUFFER), *text;
	SN_AUTOFD int fd = -1;
	off_t size, half;

	work(f, "{\"n\":1}");
	fd = open_journal(f);
	half = size_of(fd);
	work(f, "{\"n\":2}");
	size = size_of(fd);
	text = malloc((size_t)size);
	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	for (off_t cut = 0; cut < size; cut++) {
		struct sn_records r = {.fd = fd, .buf = buf};
		struct sn_record rec;

		assert_int_equal(ftruncate(fd, cut), 0);
		assert_int_equal(sn_records_next(&r, &rec), cut >= half);
		if (cut >= half)
			assert_int_equal(sn_records_next(&r, &rec), 0);
		assert_int_equal(r.at, cut >= half ? half : 0);
		assert_int_equal(pwrite(fd, text + cut, (size_t)(size - cut), cut), size - cut);
		while (r.at < size)
			assert_int_equal(sn_records_next(&r, &rec), 1);
		assert_int_equal(rec.at, half);
		assert_int_equal(rec.size, half);
		assert_int_equal(sn_records_next(&r, &rec), 0);
	}
	free(text);
	free(buf);
}

/* What a writer takes back is not believed later: neither what was read of it alone, nor behind a whole record. */
static void take_back(struct fixture *f, int with)
{
	char *buf = malloc(SN_RECORDS_BUFFER), *text = malloc(1000);
	SN_AUTOFD int fd = -1;

	for (int whole_before = 0; whole_before < 2; whole_before++) {
		struct sn_records r = {.buf = buf};
		struct sn_record rec;
		off_t one;

		sn_journal_close(&f->s.journal);
		work(f, "{\"a rather long one\":\"that is taken back\"}");
		fd = open_journal(f);
		one = size_of(fd);
		assert_int_equal(pread(fd, text, 1000, 0), one);
		if (whole_before == 0)
			assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(pwrite(fd, text, (size_t)one - 3, size_of(fd)), one - 3);
		r.fd = fd;
		assert_int_equal(sn_records_next(&r, &rec), whole_before);
		assert_int_equal(ftruncate(fd, whole_before * one), 0);
		f->s.journal.size = whole_before * one;
		memset(text, with, 2 * (size_t)one);
		text[2 * one] = '\0';
		assert_int_equal(say(f, 0, text), 0);
		assert_int_equal(sn_records_next(&r, &rec), 1);
		assert_int_equal(rec.head.length, 2 * one);
		assert_int_equal(sn_records_next(&r, &rec), 0);
		assert_int_equal(close(fd), 0);
		journal_in(f->s.result, text);
		assert_int_equal(unlinkat(f->s.result, text, 0), 0);
		fd = -1;
	}
	free(text);
	free(buf);
}

static void taken_back(void **state)
{
	take_back(*state, 'x');
	take_back(*state, '\n'); /* also where the first one would have ended */
}

enum { MANY = 3000 };

/* Sizes around everything: none, those of a page, more than the reader's buffer. */
static size_t nth_size(unsigned n)
{
	return n % 500 == 0 ? SN_RECORDS_BUFFER + n : n % 7 == 0 ? 0 : n * 37 % 9000;
}

static void write_many(struct fixture *f)
{
	char *body = text_of(2 * SN_RECORDS_BUFFER);
	struct sn_result res = OK;

	memcpy(res.name, f->name, sizeof res.name);
	for (unsigned n = 1; n <= MANY; n++) {
		res.message = n;
		sn_digest_hex(body, nth_size(n), res.sha256);
		if (sn_result_write(&f->s, &res, body, nth_size(n), false) != 0)
			_exit(1);
	}
	_exit(0);
}

/* Reading while another process appends: whole records only, in order. */
static void written_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf = {.text = SN_BUF(1 << 20)};
	struct sn_records r = {.buf = malloc(SN_RECORDS_BUFFER)};
	struct sn_record rec;
	char leaf[SN_JOURNAL_SIZE];
	unsigned n = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0)
		write_many(f);
	(void)alarm(100);
	while (sn_dir_each(f->s.result, first_journal, leaf) == 0)
		;
	r.fd = openat(f->s.result, leaf, O_RDONLY | O_CLOEXEC);
	while (n < MANY) {
		int e = sn_records_next(&r, &rec);

		assert_in_range(e, 0, 1);
		if (e == 0)
			continue;
		assert_int_equal(rec.head.message, ++n);
		assert_int_equal(rec.head.length, nth_size(n));
		assert_int_equal(sn_result_read(r.fd, &rec, &rf), 0);
	}
	(void)alarm(0);
	assert_int_equal(sn_records_next(&r, &rec), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	sn_result_release(&rf);
	(void)close(r.fd);
	free(r.buf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL(cut_anywhere),
		SPOOL(taken_back),
		SPOOL(written_meanwhile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
