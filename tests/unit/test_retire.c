#include "spool_fixture.h"

#include <sys/wait.h>

#define HEAD \
	"outcome: ok\nattempt: 1\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\nsend: reply\n"

/* -- retiring */

/* A workitem that was answered, and what the bridge read of the answer. */
static void answered(struct fixture *f, const char *reply, struct sn_result_file *ret)
{
	deliver(f);
	work(f, reply);
	assert_int_equal(find(f, f->s.result, ret), 0);
}

static struct sn_retirement retirement(const struct fixture *f, const struct sn_result_file *rf)
{
	return (struct sn_retirement){.name = f->name, .result = rf->text.data, .result_len = rf->text.len};
}

static int keep_and_retire(struct fixture *f, const struct sn_retirement *ret)
{
	int r = sn_retire_keep(&f->s, ret);

	return r < 0 ? r : sn_retire(&f->s, ret);
}

/* The bridge's next life has a journal of its own. */
static void next_life(struct fixture *f)
{
	sn_spool_release(&f->s);
	assert_int_equal(sn_spool_open(&f->s, f->dir->fd, "P1", SN_SPOOL_BRIDGE), 0);
}

struct count {
	const char *name;
	int whole;
};

static int count_one(void *arg, int fd, const struct sn_record *rec)
{
	struct sn_result_file rf = {.text = SN_BUF(1 << 20)};
	struct count *c = arg;

	if (strcmp(rec->head.name, c->name) == 0 && sn_result_read(fd, rec, &rf) == 0 &&
	    strcmp(rf.text.data + rf.body_at, "{\"reply\":1}") == 0)
		c->whole++;
	sn_result_release(&rf);
	return 0;
}

/* How many whole records of the workitem lie in done/; or is there the one in failed/. */
static int kept(struct fixture *f, bool failed)
{
	struct count c = {.name = f->name};

	if (failed)
		return test_exists(f->s.failed, f->result);
	assert_int_equal(sn_journal_each(sn_spool_done_dir(&f->s, f->name), count_one, &c), 0);
	return c.whole;
}

static void retire_failing_at(struct fixture *f, const char *step, bool failed)
{
	struct sn_result_file rf;
	struct sn_retirement ret;
	int status, in;
	pid_t pid;

	answered(f, "{\"reply\":1}", &rf);
	ret = retirement(f, &rf);
	ret.failed = failed;
	ret.log = failed ? "why\n" : NULL;
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)setenv("SKYNET_FAIL", step, 1);
		_exit(keep_and_retire(f, &ret) == -EIO ? 0 : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(strstr(step, "kill") != NULL ? WIFSIGNALED(status) : status == 0);
	/* What is finished has its reply beside it, and what a starting exo may find in open/ an answer in a journal. */
	next_life(f);
	in = failed ? f->s.failed : f->s.done;
	assert_true(!test_exists(in, f->json) || kept(f, failed) > 0);
	assert_true(test_exists(f->s.open, f->name) || test_exists(in, f->json));
	assert_int_equal(sn_journal_has(f->s.result, f->name, NULL), 1);
	assert_int_equal(keep_and_retire(f, &ret), 0);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_true(test_exists(in, f->json));
	assert_in_range(kept(f, failed), 1, 2);
	assert_int_equal(sn_dir_count(f->s.open), 0);
	assert_int_equal(sn_recover_find(&f->s, f->name), SN_NOWHERE);
	sn_result_release(&rf);
}

/* Killed before each step, or failing, and retired again by the next life: the same end every time. */
static void retire_after_every_crash(void **state)
{
	static const char *const STEPS[] = {"retire.1:kill", "retire.2:kill", "retire.1:eio", "retire.2:eio"};
	struct fixture *f = *state;

	for (size_t i = 0; i < SN_COUNT(STEPS); i++) {
		for (int failed = 0; failed < 2; failed++) {
			retire_failing_at(f, STEPS[i], failed != 0);
			new_name(f);
		}
	}
}

/* Cut short by a crash at any byte: the next life keeps it again, in another journal, and it is found. */
static void kept_in_part(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf, again;
	struct sn_retirement ret;
	char leaf[SN_JOURNAL_SIZE];
	int dir = sn_spool_done_dir(&f->s, f->name);
	struct stat st;

	answered(f, "{\"reply\":1}", &rf);
	ret = retirement(f, &rf);
	assert_int_equal(sn_retire_keep(&f->s, &ret), 0);
	journal_in(dir, leaf);
	assert_int_equal(fstatat(dir, leaf, &st, 0), 0);
	assert_int_equal(st.st_size, rf.text.len + 1);
	for (off_t cut = 0; cut < st.st_size; cut += 7) {
		SN_AUTOFD int fd = -1;

		dir = sn_spool_done_dir(&f->s, f->name);
		fd = openat(dir, leaf, O_WRONLY | O_CLOEXEC);
		assert_int_equal(ftruncate(fd, cut), 0);
		assert_int_equal(sn_journal_has(dir, f->name, NULL), 0);
		next_life(f);
		assert_int_equal(sn_retire_keep(&f->s, &ret), 0);
		dir = sn_spool_done_dir(&f->s, f->name);
		assert_int_equal(kept(f, false), 1);
		assert_int_equal(find(f, dir, &again), 0);
		assert_int_equal(again.text.len, rf.text.len);
		sn_result_release(&again);
		assert_int_equal(unlinkat(dir, leaf, 0), 0);
		journal_in(dir, leaf);
	}
	sn_result_release(&rf);
}

/* Of one bridge: one journal in each bucket, also when it goes to and fro between them. */
static void one_journal_for_each_bucket(void **state)
{
	struct fixture *f = *state;
	char names[3][SN_NAME_SIZE];
	struct sn_result_file rf;

	for (int i = 0; i < 3; i++) {
		memcpy(names[i], f->name, sizeof f->name);
		names[i][12] = (char)('0' + i); /* the minute */
	}
	for (int i = 0; i < 12; i++) {
		struct sn_retirement ret;

		memcpy(f->name, names[i % 3], sizeof f->name);
		work(f, "{\"reply\":1}");
		assert_int_equal(find(f, f->s.result, &rf), 0);
		ret = retirement(f, &rf);
		assert_int_equal(sn_retire_keep(&f->s, &ret), 0);
		sn_result_release(&rf);
	}
	for (int i = 0; i < 3; i++) {
		memcpy(f->name, names[i], sizeof f->name);
		assert_int_equal(sn_dir_count(sn_spool_done_dir(&f->s, f->name)), 1);
		assert_int_equal(kept(f, false), 4);
	}
}

/* A batch: in one write what shares a bucket, so many at once as one write takes; each record stays its own workitem's. */
static void several_at_once(void **state)
{
	enum { COUNT = SN_JOURNAL_AT_ONCE + 10, OTHER = SN_JOURNAL_AT_ONCE + 3 };
	struct fixture *f = *state;
	char names[COUNT][SN_NAME_SIZE];
	struct sn_result_file rf[COUNT];
	struct sn_retirement ret[COUNT];

	for (size_t i = 0; i < COUNT; i++) {
		new_name(f);
		f->name[12] = i < OTHER ? '0' : '1'; /* the minute */
		memcpy(names[i], f->name, sizeof f->name);
		work(f, "{\"reply\":1}");
		assert_int_equal(find(f, f->s.result, &rf[i]), 0);
		ret[i] = retirement(f, &rf[i]);
		ret[i].name = names[i];
	}
	assert_int_equal(sn_retire_keep_first(&f->s, ret, COUNT), SN_JOURNAL_AT_ONCE);
	assert_int_equal(sn_retire_keep_first(&f->s, ret + SN_JOURNAL_AT_ONCE, 10), 3);
	assert_int_equal(sn_retire_keep_first(&f->s, ret + OTHER, 7), 7);
	for (size_t i = 0; i < COUNT; i++) {
		memcpy(f->name, names[i], sizeof f->name);
		assert_int_equal(kept(f, false), 1);
		assert_int_equal(sn_dir_count(sn_spool_done_dir(&f->s, f->name)), 1);
		sn_result_release(&rf[i]);
	}
}

/* failed/: a short copy is of a crash, a whole one is what was sent and stays, whatever is said later. */
static void failed_copy(void **state)
{
	static const char FIRST[] = HEAD "length: 2\n\n{}", LATE[] = HEAD "length: 8\n\n{\"l\":1}\n";
	struct fixture *f = *state;
	struct sn_retirement ret = {.name = f->name, .failed = true, .result = FIRST, .log = "why\n"};
	struct sn_buf b = SN_BUF(1000);

	ret.result_len = strlen(FIRST);
	assert_int_equal(sn_retire_keep(&f->s, &ret), 0);
	for (size_t cut = 0; cut < strlen(FIRST); cut += 9) {
		test_write(f->s.failed, f->result, FIRST, cut);
		assert_int_equal(sn_retire_keep(&f->s, &ret), 0);
	}
	ret.result = LATE;
	ret.result_len = strlen(LATE);
	assert_int_equal(sn_retire_keep(&f->s, &ret), 0);
	assert_int_equal(sn_dir_read(sn_spool_failed_dir(&f->s, f->name), strrchr(f->result, '/') + 1, &b),
			 0);
	assert_string_equal(b.data, FIRST);
	sn_buf_release(&b);
}

/* What is in hand, held or noted in cur/ is retired like any other; that is for others to see. */
static void retire_asks_nobody(void **state)
{
	struct fixture *f = *state;
	struct sn_retirement ret = {.name = f->name, .result = "x", .result_len = 1};
	int fd;

	deliver(f);
	assert_int_equal(sn_claim_note(&f->s, f->name, 1), 0);
	fd = claim(f);
	assert_int_equal(keep_and_retire(f, &ret), 0);
	assert_true(test_exists(f->s.done, f->json));
	assert_true(test_exists(f->s.cur, f->a1)); /* exo's */
	assert_int_equal(close(fd), 0);
}

static void retire_nothing(void **state)
{
	struct fixture *f = *state;
	struct sn_retirement ret = {.name = f->name};

	assert_int_equal(sn_retire(&f->s, &ret), -ENOENT);
	deliver(f);
	assert_int_equal(keep_and_retire(f, &ret), 0); /* no result */
	assert_int_equal(sn_dir_count(sn_spool_done_dir(&f->s, f->name)), 1);
	ret.name = "../x";
	assert_int_equal(sn_retire_keep(&f->s, &ret), -EINVAL);
}

/* -- recovering */

static void check_whole(void **state)
{
	struct fixture *f = *state;
	SN_AUTOFD int fd = -1;

	assert_int_equal(sn_recover_check(&f->s, f->name), -ENOENT);
	deliver(f);
	assert_int_equal(sn_recover_check(&f->s, f->name), 0);
	fd = openat(f->s.open, f->name, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 5), 0);
	assert_int_equal(sn_recover_check(&f->s, f->name), -EBADMSG);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(sn_recover_check(&f->s, f->name), -ENODATA);
	assert_int_equal(pwrite(fd, BODY, BODY_LEN, 0), BODY_LEN);
	assert_int_equal(sn_recover_check(&f->s, f->name), 0);
	assert_int_equal(pwrite(fd, "[", 1, 0), 1); /* as long as before */
	assert_int_equal(sn_recover_check(&f->s, f->name), -EBADMSG);
	assert_int_equal(unlinkat(f->s.open, f->name, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->s.open, f->name), 0);
	assert_int_equal(sn_recover_check(&f->s, f->name), -EINVAL);
	assert_int_equal(unlinkat(f->s.open, f->name, 0), 0);
	assert_int_equal(mkdirat(f->s.open, f->name, 0755), 0);
	assert_int_equal(sn_recover_check(&f->s, f->name), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL(retire_after_every_crash), SPOOL(kept_in_part), SPOOL(one_journal_for_each_bucket),
		SPOOL(several_at_once),		 SPOOL(failed_copy),  SPOOL(retire_asks_nobody),
		SPOOL(retire_nothing),		 SPOOL(check_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
