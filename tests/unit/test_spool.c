#include "spool_fixture.h"

/* -- making and opening */

static void make_and_open(void **state)
{
	static const struct {
		const char *path;
		mode_t mode;
	} WANT[] = {{"P1", 0751},
		    {"P1/open", 02750},
		    {"P1/done", 02750},
		    {"P1/failed", 02750},
		    {"P1/work", 0750},
		    {"P1/work/new", 02770},
		    {"P1/work/cur", 02770},
		    {"P1/work/result", 0755},
		    {"P1/work/result/tmp", 02777},
		    {"P1/work/result/new", 02777}};
	static const char *const BAD[] = {"", ".", "..", "a/b", "amqp-spool", "-x"};
	struct fixture *f = *state;
	struct sn_spool s;
	mode_t old = umask(0077);

	for (size_t i = 0; i < SN_COUNT(WANT); i++)
		assert_int_equal(mode_of(f->dir->fd, WANT[i].path), WANT[i].mode);
	assert_int_equal(fchmodat(f->s.root, "open", 0700, 0), 0);
	assert_int_equal(sn_spool_make(f->dir->fd, "P1", &NOBODY), 0); /* again: repairs */
	assert_int_equal(mode_of(f->dir->fd, "P1/open"), 02750);
	(void)umask(old);
	for (size_t i = 0; i < SN_COUNT(BAD); i++) {
		assert_int_equal(sn_spool_make(f->dir->fd, BAD[i], &NOBODY), -EINVAL);
		assert_int_equal(sn_spool_open(&s, f->dir->fd, BAD[i], SN_SPOOL_BRIDGE), -EINVAL);
	}
	assert_int_equal(sn_spool_open(&s, f->dir->fd, "P2", SN_SPOOL_BRIDGE), -ENOENT);
	assert_int_equal(sn_spool_open(&s, f->dir->fd, "P1", SN_SPOOL_WORK), 0);
	assert_int_equal(s.open, -1);
	assert_int_equal(s.done, -1);
	assert_true(s.new >= 0 && s.cur >= 0 && s.tmp >= 0 && s.result >= 0);
	sn_spool_release(&s);
	assert_int_equal(s.root, -1);
}

static void open_refuses(void **state)
{
	struct fixture *f = *state;
	struct sn_spool s;
	int before;
	SN_AUTOFD int fds = open("/proc/self/fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	before = sn_dir_count(fds);
	assert_int_equal(renameat(f->s.root, "work", f->s.root, "elsewhere"), 0);
	assert_int_equal(sn_spool_open(&s, f->dir->fd, "P1", SN_SPOOL_BRIDGE), -ENOENT);
	assert_int_equal(symlinkat("elsewhere", f->s.root, "work"), 0);
	assert_int_equal(sn_spool_open(&s, f->dir->fd, "P1", SN_SPOOL_BRIDGE), -ENOTDIR);
	assert_true(sn_spool_make(f->dir->fd, "P1", &NOBODY) < 0);
	assert_int_equal(symlinkat("P1", f->dir->fd, "P2"), 0);
	assert_int_equal(sn_spool_open(&s, f->dir->fd, "P2", SN_SPOOL_WORK), -ENOTDIR);
	assert_int_equal(sn_dir_count(fds), before); /* nothing stays open */
}

/* -- the way of a workitem */

static ino_t inode_of(int dir, const char *leaf)
{
	struct stat st;

	assert_int_equal(fstatat(dir, leaf, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_ino;
}

/* A result file that was copied is written anew, whole; one that was moved is the copy. */
static void results_keep_their_inodes(void **state)
{
	static const char TEXT[] = "text";
	struct fixture *f = *state;
	struct sn_retirement ret = {
		.name = f->name, .attempt = 1, .max_attempts = 3, .result = TEXT, .result_len = 4};
	struct sn_result_file rf = {.text = SN_BUF(1 << 20)};
	ino_t first;

	deliver(f);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	work(f, "{\"reply\":\"a long one, so that a rest of it would show\"}");
	first = inode_of(f->s.result, f->name);
	f->s.spare = 0;
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_int_not_equal(inode_of(f->s.done, f->result), first);

	assert_int_equal(unlinkat(f->s.done, f->json, 0) | unlinkat(f->s.done, f->result, 0), 0);
	f->s.spare = f->s.spare_rest = 0; /* as a worker starts */
	deliver(f);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	work(f, "{}");
	assert_int_equal(inode_of(f->s.result, f->name), first);
	assert_int_equal(sn_result_read(&f->s, f->name, geteuid(), &rf), 0);
	assert_string_equal(rf.text.data + rf.body_at, "{}");
	ret.move = true;
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_int_equal(inode_of(f->s.done, f->result), first);
	assert_int_equal(sn_dir_count(f->s.tmp) + sn_dir_count(f->s.result), 0);
	assert_int_equal(sn_retire(&f->s, &ret), 0); /* again, as after a crash */
	sn_result_release(&rf);
}

/* What a power cut may leave: the renames are on the disk, the new bytes of a file written in place are not. The old ones are
 * whole, and might say that nothing is to be sent. */
static void old_bytes_of_a_spare(void **state)
{
	static const char TEXT[] = "text";
	struct fixture *f = *state;
	struct sn_retirement ret = {
		.name = f->name, .attempt = 1, .max_attempts = 3, .result = TEXT, .result_len = 4};
	struct sn_result_file rf = {.text = SN_BUF(1 << 20)};
	char message[SN_NAME_SIZE + 16];

	deliver(f);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	work(f, "{}");
	assert_int_equal(sn_result_read(&f->s, f->name, geteuid(), &rf), 0);
	assert_string_equal(rf.head.name, f->name);
	f->s.spare = 0;
	assert_int_equal(sn_retire(&f->s, &ret), 0);

	new_name(f);
	assert_int_equal(renameat(f->s.tmp, "spare.000", f->s.result, f->name), 0);
	sn_buf_reset(&rf.text);
	assert_int_equal(sn_result_read(&f->s, f->name, geteuid(), &rf), -EBADMSG);
	(void)snprintf(message, sizeof message, "%s.m0001", f->name);
	assert_int_equal(renameat(f->s.result, f->name, f->s.result, message), 0);
	sn_buf_reset(&rf.text);
	assert_int_equal(sn_result_read(&f->s, message, geteuid(), &rf), -EBADMSG);
	sn_result_release(&rf);
}

/* A spare is never overwritten, and nothing large is kept as one. */
static void spares_are_bounded(void **state)
{
	static char text[SN_SPARE_BYTES + 1];
	struct fixture *f = *state;
	struct sn_retirement ret = {.name = f->name, .max_attempts = 3, .result = text, .result_len = 4};
	char leaf[SN_SPARE_SIZE];
	ino_t first;

	for (int i = 0; i < SN_SPARES; i++) {
		sn_spare_next(&f->s, leaf);
		assert_true(sn_spare_valid(leaf));
		test_write(f->s.tmp, leaf, "old", 3);
	}
	first = inode_of(f->s.tmp, "spare.000");
	assert_false(sn_spare_valid("spare.256") || sn_spare_valid("spare.00") ||
		     sn_spare_valid("spare.0001"));
	deliver(f);
	test_write(f->s.result, f->name, "text", 4);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_false(test_exists(f->s.result, f->name));
	assert_int_equal(sn_dir_count(f->s.tmp), SN_SPARES);
	assert_int_equal(inode_of(f->s.tmp, "spare.000"), first);
	assert_int_equal(unlinkat(f->s.tmp, "spare.000", 0) | unlinkat(f->s.done, f->json, 0) |
				 unlinkat(f->s.done, f->result, 0),
			 0);
	f->s.spare = 0;
	ret.result_len = sizeof text;
	deliver(f);
	test_write(f->s.result, f->name, text, sizeof text);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_int_equal(sn_dir_count(f->s.tmp), SN_SPARES - 1);
}

static void whole_way(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf = {.text = SN_BUF(1 << 20)};
	struct sn_retirement ret = {.name = f->name, .attempt = 1, .max_attempts = 3};
	struct sn_buf b = SN_BUF(1000);
	unsigned attempt = 0;

	assert_int_equal(sn_recover_find(&f->s, f->name, 3, &attempt), SN_NOWHERE);
	deliver(f);
	assert_int_equal(mode_of(f->s.open, f->name), 0644);
	assert_int_equal(sn_recover_find(&f->s, f->name, 3, &attempt), SN_IN_NEW);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	assert_int_equal(sn_claim(&f->s, f->name), -ENOENT);
	assert_int_equal(sn_recover_find(&f->s, f->name, 3, &attempt), SN_IN_CUR);
	assert_int_equal(attempt, 1);
	assert_int_equal(sn_claim_has_result(&f->s, f->name), 0);
	work(f, "{\"reply\":1}");
	assert_int_equal(sn_claim_has_result(&f->s, f->name), 1);
	assert_int_equal(sn_result_read(&f->s, f->name, geteuid(), &rf), 0);
	assert_string_equal(rf.text.data + rf.body_at, "{\"reply\":1}");
	assert_int_equal(rf.head.outcome, SN_OK);
	ret.result = rf.text.data;
	ret.result_len = rf.text.len;
	assert_int_equal(sn_retired(&f->s, f->name), 0);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_int_equal(sn_retired(&f->s, f->name), 1);
	assert_int_equal(sn_dir_count(f->s.open) + sn_dir_count(f->s.new) + sn_dir_count(f->s.cur) +
				 sn_dir_count(f->s.result),
			 0);
	assert_int_equal(sn_dir_count(f->s.tmp), 1); /* spare.000 */
	assert_true(test_exists(f->s.done, f->json));
	assert_true(test_exists(f->s.done, f->result));
	assert_int_equal(
		sn_dir_read(sn_spool_done_dir(&f->s, f->name), strchr(strchr(f->json, '/') + 1, '/') + 1, &b),
		0);
	assert_string_equal(b.data, BODY);
	sn_buf_release(&b);
	sn_result_release(&rf);
}

/* Buckets belong to the group of done/ (adm reads them), whatever the umask, and can be removed by a clean-up. */
static void buckets(void **state)
{
	struct fixture *f = *state;
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE], path[32];
	struct sn_retirement ret = {.name = f->name, .max_attempts = 3};
	int fd;

	sn_name_bucket(f->name, date, bucket);
	(void)snprintf(path, sizeof path, "%s/%s", date, bucket);
	fd = sn_spool_done_dir(&f->s, f->name);
	assert_true(fd >= 0);
	assert_int_equal(mode_of(f->s.done, date), 02750);
	assert_int_equal(mode_of(f->s.done, path), 02750);
	assert_int_equal(sn_spool_done_dir(&f->s, f->name), fd);
	assert_int_equal(unlinkat(f->s.done, path, AT_REMOVEDIR), 0);
	assert_int_equal(unlinkat(f->s.done, date, AT_REMOVEDIR), 0);
	deliver(f);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_true(test_exists(f->s.done, f->json));
}

static void deliver_counts_up(void **state)
{
	struct fixture *f = *state;
	char first[SN_NAME_SIZE];

	memcpy(first, f->name, sizeof first);
	deliver(f);
	assert_string_equal(f->name, first);
	deliver(f);
	assert_string_not_equal(f->name, first);
	assert_memory_equal(f->name + 23, "0001", 4);
	assert_int_equal(sn_dir_count(f->s.open), 2);
	assert_int_equal(sn_dir_count(f->s.new), 2);
}

static void deliver_bad_names(void **state)
{
	struct fixture *f = *state;
	char name[SN_NAME_SIZE] = "../../etc/passwd";

	assert_int_equal(sn_deliver(&f->s, name, BODY, BODY_LEN), -EINVAL);
	assert_int_equal(sn_deliver_aside(f->s.failed, name, ".json", BODY, BODY_LEN), -EINVAL);
	assert_int_equal(sn_retire(&f->s, &(struct sn_retirement){.name = name}), -EINVAL);
	assert_int_equal(sn_retired(&f->s, name), -EINVAL);
}

static void deliver_fails_clean(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(setenv("SKYNET_FAIL", "deliver.1:enospc", 1), 0);
	assert_int_equal(sn_deliver(&f->s, f->name, BODY, BODY_LEN), -ENOSPC);
	assert_int_equal(setenv("SKYNET_FAIL", "other.1:eio,deliver.2:enospc", 1), 0);
	assert_int_equal(sn_deliver(&f->s, f->name, BODY, BODY_LEN), -ENOSPC);
	assert_int_equal(sn_dir_count(f->s.open), 0);
	assert_int_equal(setenv("SKYNET_FAIL", "deliver.3:eio", 1), 0);
	deliver(f); /* stored: reconcile links it */
	assert_int_equal(sn_dir_count(f->s.open), 1);
	assert_int_equal(sn_dir_count(f->s.new), 0);
	assert_int_equal(unsetenv("SKYNET_FAIL"), 0);
	assert_int_equal(sn_recover_link(&f->s, f->name, 3), 1);
	assert_int_equal(sn_dir_count(f->s.new), 1);
	assert_int_equal(sn_deliver_link(&f->s, f->name), 0); /* again */
}

static void aside(void **state)
{
	struct fixture *f = *state;
	int fd = sn_spool_failed_dir(&f->s, f->name);

	assert_int_equal(sn_deliver_aside(fd, f->name, ".json", "junk", 4), 0);
	assert_int_equal(sn_deliver_aside(fd, f->name, ".json", "junk", 4), -EEXIST);
	assert_int_equal(sn_deliver_aside(fd, f->name, "/../x", "junk", 4), -EINVAL);
	assert_int_equal(
		sn_deliver_aside(
			fd, f->name,
			".a-suffix-that-is-far-too-long-for-a-leaf-of-the-spool-whatever-the-label-is-of-this-very-name-here",
			"junk", 4),
		-ENAMETOOLONG);
	assert_true(test_exists(f->s.failed, f->json));
	assert_int_equal(sn_retired(&f->s, f->name), 1);
}

static void claims(void **state)
{
	struct fixture *f = *state;
	unsigned attempt = 0;

	deliver(f);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	assert_int_equal(sn_claim_return(&f->s, f->name, 1), 0);
	assert_true(test_exists(f->s.new, f->name));
	assert_int_equal(sn_claim_return(&f->s, f->name, 1), -ENOENT);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	assert_int_equal(sn_deliver_link(&f->s, f->name), 0); /* reconcile was faster */
	assert_int_equal(sn_claim_return(&f->s, f->name, 1), 0);
	assert_int_equal(sn_dir_count(f->s.cur), 0);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	assert_int_equal(sn_claim_again(&f->s, f->name, 1), 0);
	assert_true(test_exists(f->s.cur, f->a2));
	assert_int_equal(sn_claim_again(&f->s, f->name, 1), -ENOENT);
	assert_int_equal(sn_claim_again(&f->s, f->name, SN_ATTEMPT_MAX), -ERANGE);
	assert_int_equal(sn_recover_find(&f->s, f->name, 3, &attempt), SN_IN_CUR);
	assert_int_equal(attempt, 2);
}

static void finish_only_once(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf = {.text = SN_BUF(1 << 20)};

	deliver(f);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	assert_int_equal(sn_claim_finish(&f->s, f->name, 1, false), -ENOENT);
	work(f, "{\"first\":1}");
	assert_int_equal(sn_result_write(&f->s, f->a1, &OK, "{\"late\":1}", 10, true), 0);
	assert_int_equal(sn_claim_finish(&f->s, f->name, 1, true), -EEXIST);
	assert_int_equal(sn_result_read(&f->s, f->name, (uid_t)-1, &rf), 0);
	assert_non_null(strstr(rf.text.data, "first"));
	/* a leftover of its own is replaced */
	assert_int_equal(sn_result_write(&f->s, f->a1, &OK, "{}", 2, false), 0);
	sn_result_release(&rf);
}

static void messages(void **state)
{
	struct fixture *f = *state;
	char leaf[SN_ATTEMPT_SIZE];

	for (unsigned i = 1; i <= 3; i++) {
		(void)snprintf(leaf, sizeof leaf, "%s,a2.m%04u", f->name, i);
		assert_int_equal(sn_result_write(&f->s, leaf, &OK, "{}", 2, false), 0);
		assert_int_equal(sn_claim_message(&f->s, f->name, 2, i), 0);
		(void)snprintf(leaf, sizeof leaf, "%s.m%04u", f->name, i);
		assert_true(test_exists(f->s.result, leaf));
	}
	assert_int_equal(sn_claim_message(&f->s, f->name, 2, 1), -ENOENT);
	assert_int_equal(sn_claim_message(&f->s, f->name, 2, 0), -EINVAL);
	assert_int_equal(sn_claim_message(&f->s, f->name, 2, 10000), -EINVAL);
}

/* User code may set a umask with which the bridge could not read what its worker writes. */
static void result_is_readable(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(0777);

	assert_int_equal(sn_result_write(&f->s, f->a1, &OK, "{}", 2, false), 0);
	(void)umask(old);
	assert_int_equal(mode_of(f->s.tmp, f->a1), 0644);
}

static void result_write_fails_clean(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sn_result_write(&f->s, "a/b", &OK, "{}", 2, false), -EINVAL);
	assert_int_equal(setenv("SKYNET_FAIL", "result.1:eio", 1), 0);
	assert_int_equal(sn_result_write(&f->s, f->a1, &OK, "{}", 2, false), -EIO);
	assert_int_equal(setenv("SKYNET_FAIL", "result.2:enospc", 1), 0);
	assert_int_equal(sn_result_write(&f->s, f->a1, &OK, "{}", 2, false), -ENOSPC);
	assert_int_equal(sn_dir_count(f->s.tmp), 0);
	assert_int_equal(mkdirat(f->s.tmp, f->a1, 0755), 0);
	assert_int_equal(unsetenv("SKYNET_FAIL"), 0);
	assert_int_equal(sn_result_write(&f->s, f->a1, &OK, "{}", 2, false), -EISDIR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL(make_and_open),
		SPOOL(open_refuses),
		SPOOL(results_keep_their_inodes),
		SPOOL(old_bytes_of_a_spare),
		SPOOL(spares_are_bounded),
		SPOOL(whole_way),
		SPOOL(buckets),
		SPOOL(deliver_counts_up),
		SPOOL(deliver_bad_names),
		SPOOL(deliver_fails_clean),
		SPOOL(aside),
		SPOOL(claims),
		SPOOL(finish_only_once),
		SPOOL(messages),
		SPOOL(result_is_readable),
		SPOOL(result_write_fails_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
