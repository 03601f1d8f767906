/* lib/spool/cancel: what each step leaves, and what it does to what is there already. */
#include "spool_fixture.h"

#include <sys/wait.h>

#include "spool/cancel.h"

static bool there(int dir, const char *name, enum sn_cancel_leaf kind)
{
	char leaf[SN_CANCEL_LEAF_SIZE];

	sn_cancel_format(name, kind, leaf);
	return faccessat(dir, leaf, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* In the bucket of `name` in done/ or failed/. */
static bool filed(int tree, const char *name, enum sn_cancel_leaf kind)
{
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE], path[SN_CANCEL_LEAF_SIZE + 32],
		leaf[SN_CANCEL_LEAF_SIZE];

	sn_name_bucket(name, date, bucket);
	sn_cancel_format(name, kind, leaf);
	(void)snprintf(path, sizeof path, "%s/%s/%s", date, bucket, leaf);
	return faccessat(tree, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void names(void **state)
{
	static const enum sn_cancel_leaf KINDS[] = {SN_CANCEL_ITEM, SN_CANCEL_TELL, SN_CANCEL_MARK};
	struct fixture *f = *state;
	char leaf[SN_CANCEL_LEAF_SIZE + 8], name[SN_NAME_SIZE];

	for (size_t i = 0; i < SN_COUNT(KINDS); i++) {
		sn_cancel_format(f->name, KINDS[i], leaf);
		name[0] = '\0';
		assert_int_equal(sn_cancel_parse(leaf, name), KINDS[i]);
		assert_string_equal(name, f->name);
	}
	(void)snprintf(name, sizeof name, "kept");
	assert_int_equal(sn_cancel_parse(f->name, name), SN_CANCEL_OTHER);
	assert_int_equal(sn_cancel_parse("", name), SN_CANCEL_OTHER);
	assert_int_equal(sn_cancel_parse(".cancel", name), SN_CANCEL_OTHER);
	assert_int_equal(sn_cancel_parse("../../x.cancel", name), SN_CANCEL_OTHER);
	assert_int_equal(sn_cancel_parse("nonsense.cancelled", name), SN_CANCEL_OTHER);
	(void)snprintf(leaf, sizeof leaf, "%s.hold", f->name);
	assert_int_equal(sn_cancel_parse(leaf, name), SN_CANCEL_OTHER);
	(void)snprintf(leaf, sizeof leaf, "%s.cancel.cancel", f->name);
	assert_int_equal(sn_cancel_parse(leaf, name), SN_CANCEL_OTHER);
	(void)snprintf(leaf, sizeof leaf, "%s,a1.cancel", f->name);
	assert_int_equal(sn_cancel_parse(leaf, name), SN_CANCEL_OTHER);
	assert_string_equal(name, "kept");
}

static void store(void **state)
{
	struct fixture *f = *state;
	char first[SN_NAME_SIZE], second[SN_NAME_SIZE], bad[SN_NAME_SIZE] = "../x", leaf[SN_CANCEL_LEAF_SIZE];
	struct sn_buf b = SN_BUF(100);

	memcpy(first, f->name, sizeof first);
	memcpy(second, f->name, sizeof second);
	assert_int_equal(sn_cancel_store(&f->s, bad, "x", 1), -EINVAL);
	assert_int_equal(sn_cancel_store(&f->s, first, "one", 3), 0);
	assert_string_equal(first, f->name);
	assert_int_equal(sn_cancel_store(&f->s, second, "two", 3), 0); /* at the same microsecond */
	assert_string_not_equal(second, first);
	assert_true(there(f->s.open, first, SN_CANCEL_ITEM) && there(f->s.open, second, SN_CANCEL_ITEM));
	sn_cancel_format(first, SN_CANCEL_ITEM, leaf);
	assert_int_equal(sn_dir_read(f->s.open, leaf, &b), 0);
	assert_string_equal(b.data, "one");
	sn_buf_release(&b);
	sn_cancel_ring(&f->s, first);
	sn_cancel_ring(&f->s, first); /* it is there already */
	assert_true(there(f->s.result, first, SN_CANCEL_ITEM));
}

/* Locked until it is whole, and written again where it was taken away before. */
static void store_locks(void **state)
{
	static const char BIG[16 << 20] = "big";
	struct fixture *f = *state;
	char leaf[SN_CANCEL_LEAF_SIZE];
	bool seen = false, again = false;

	sn_cancel_format(f->name, SN_CANCEL_ITEM, leaf);
	for (int i = 0; i < 200 && !(seen && again); i++) {
		pid_t child = fork();
		bool away = false;
		int status;

		if (child == 0)
			_exit(sn_cancel_store(&f->s, f->name, BIG, sizeof BIG) == 0 ? 0 : 1);
		while (waitpid(child, &status, WNOHANG) == 0) {
			if (!seen)
				seen = sn_claimed(&f->s, leaf) == 1;
			else if (!away)
				away = unlinkat(f->s.open, leaf, 0) == 0;
		}
		assert_int_equal(status, 0);
		/* Without the lock it may have been whole, and looked at, before it was taken away. */
		again = again || (away && sn_claimed(&f->s, leaf) == 0);
		assert_true(away || sn_claimed(&f->s, leaf) == 0);
		(void)unlinkat(f->s.open, leaf, 0); /* as above */
	}
	assert_true(seen && again);
}

static void mark(void **state)
{
	struct fixture *f = *state;
	char leaf[SN_CANCEL_LEAF_SIZE];
	struct sn_buf b = SN_BUF(100);

	deliver(f);
	assert_int_equal(sn_cancel_marked(&f->s, f->name), 0);
	assert_int_equal(sn_cancel_mark(&f->s, "../x", "C"), -EINVAL);
	assert_int_equal(sn_cancel_mark(&f->s, f->name, "C"), 0);
	assert_int_equal(sn_cancel_mark(&f->s, f->name, "D"), 1);
	assert_int_equal(sn_cancel_marked(&f->s, f->name), 1);
	sn_cancel_format(f->name, SN_CANCEL_MARK, leaf);
	assert_int_equal(sn_dir_read(f->s.open, leaf, &b), 0);
	assert_string_equal(b.data, "C"); /* who came first */
	sn_buf_release(&b);
}

static void decide(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sn_cancel_decided(&f->s, f->name, false), -ENOENT);
	assert_int_equal(sn_cancel_decided(&f->s, f->name, true), -ENOENT);
	assert_int_equal(sn_cancel_store(&f->s, f->name, "x", 1), 0);
	assert_int_equal(sn_cancel_decided(&f->s, f->name, false), 0);
	assert_false(there(f->s.open, f->name, SN_CANCEL_ITEM));
	assert_true(filed(f->s.done, f->name, SN_CANCEL_ITEM));
	new_name(f);
	assert_int_equal(sn_cancel_store(&f->s, f->name, "x", 1), 0);
	assert_int_equal(sn_cancel_told(&f->s, f->name), -ENOENT); /* not decided yet */
	assert_int_equal(sn_cancel_decided(&f->s, f->name, true), 0);
	assert_false(there(f->s.open, f->name, SN_CANCEL_ITEM));
	assert_true(there(f->s.open, f->name, SN_CANCEL_TELL));
	assert_int_equal(sn_cancel_told(&f->s, f->name), 0);
	assert_false(there(f->s.open, f->name, SN_CANCEL_TELL));
	assert_true(filed(f->s.done, f->name, SN_CANCEL_ITEM));
	assert_int_equal(sn_cancel_told(&f->s, f->name), -ENOENT);
}

static void withdraw(void **state)
{
	struct fixture *f = *state;
	int fd;

	assert_int_equal(sn_cancel_withdraw(&f->s, f->name), -ENOENT);
	deliver(f);
	assert_int_equal(setenv("SKYNET_FAIL", "cancel.4:eio", 1), 0);
	assert_int_equal(sn_cancel_withdraw(&f->s, f->name), -EIO);
	assert_int_equal(unsetenv("SKYNET_FAIL"), 0);
	fd = sn_cancel_withdraw(&f->s, f->name);
	assert_true(fd >= 0);
	assert_int_equal(sn_claim(&f->s, f->name, &(struct stat){0}), -EAGAIN); /* as long as it is open */
	assert_int_equal(sn_cancel_withdraw(&f->s, f->name), -EAGAIN);
	assert_true(test_exists(f->s.open, f->name)); /* the ledger keeps it */
	assert_int_equal(close(fd), 0);
	fd = claim(f); /* a worker was faster */
	assert_int_equal(sn_cancel_withdraw(&f->s, f->name), -EAGAIN);
	assert_int_equal(close(fd), 0);
	hold(f);
	fd = sn_cancel_withdraw(&f->s, f->name); /* also what is held */
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
}

/* open/NAME → TREE/…/NAME.json, as retire.2. */
static void finish(struct fixture *f, int dir)
{
	char json[SN_NAME_SIZE + 8];

	assert_true(dir >= 0);
	(void)snprintf(json, sizeof json, "%s.json", f->name);
	assert_int_equal(renameat(f->s.open, f->name, dir, json), 0);
}

static void settle(void **state)
{
	struct fixture *f = *state;

	for (int failed = 0; failed < 2; failed++, new_name(f)) {
		deliver(f);
		assert_int_equal(sn_cancel_mark(&f->s, f->name, "C"), 0);
		assert_int_equal(sn_cancel_settle(&f->s, f->name), -EBUSY);
		assert_int_equal(sn_cancel_marked(&f->s, f->name), 1);
		finish(f, failed ? sn_spool_failed_dir(&f->s, f->name) : sn_spool_done_dir(&f->s, f->name));
		assert_int_equal(sn_cancel_settle(&f->s, f->name), 0);
		assert_int_equal(sn_cancel_marked(&f->s, f->name), 0);
		assert_int_equal(filed(f->s.done, f->name, SN_CANCEL_MARK), !failed);
		assert_int_equal(filed(f->s.failed, f->name, SN_CANCEL_MARK), failed);
		assert_int_equal(sn_cancel_settle(&f->s, f->name), 0); /* again, after a crash */
		assert_int_equal(filed(f->s.failed, f->name, SN_CANCEL_MARK), failed);
	}
	assert_int_equal(sn_cancel_mark(&f->s, f->name, "C"), 0); /* of what was never there */
	assert_int_equal(sn_cancel_settle(&f->s, f->name), 0);
	assert_int_equal(sn_cancel_marked(&f->s, f->name), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL(names),  SPOOL(store),	SPOOL(store_locks), SPOOL(mark),
		SPOOL(decide), SPOOL(withdraw), SPOOL(settle),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
