#include "spool_fixture.h"

#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "base/mem.h"

/* -- making and opening */

static void make_and_open(void **state)
{
	static const struct {
		const char *path;
		mode_t mode;
	} WANT[] = {{"P1", 0751},      {"P1/open", 02750},     {"P1/done", 02750},	 {"P1/failed", 02750},
		    {"P1/work", 0750}, {"P1/work/cur", 02770}, {"P1/work/result", 02777}};
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
	assert_int_equal(s.done, -1);
	assert_int_equal(s.failed, -1);
	assert_true(s.open >= 0 && s.cur >= 0 && s.result >= 0);
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

/* Beside code of the participant's: out of its way, and known again; where there is no such number, where they are. */
static void open_beside_strangers(void **state)
{
	static const rlim_t MOST[] = {1024, 66, 64};
	struct fixture *f = *state;
	struct rlimit all, few;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &all), 0);
	few = all;
	for (size_t i = 0; i < SN_COUNT(MOST); i++) {
		struct sn_spool s;

		few.rlim_cur = MOST[i];
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		assert_int_equal(sn_spool_open(&s, f->dir->fd, "P1", SN_SPOOL_WORK), 0);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &all), 0);
		assert_int_equal(s.open >= 64 && s.result >= 64, MOST[i] > 64);
		assert_int_equal(s.root >= 64 && s.work >= 64 && s.cur >= 64, MOST[i] > 66);
		assert_int_equal(sn_spool_verify(&s), 0);
		assert_int_equal(dup3(s.cur, s.result, O_CLOEXEC), s.result);
		assert_int_equal(sn_spool_verify(&s), -EBADF);
		sn_spool_release(&s);
	}
}

/* A directory of the participant's gets no journal. */
static void result_beside_strangers(void **state)
{
	struct fixture *f = *state;
	int result = fcntl(f->s.result, F_DUPFD_CLOEXEC, 0);

	assert_int_equal(dup3(f->s.cur, f->s.result, O_CLOEXEC), f->s.result);
	assert_int_equal(say(f, 0, "{}"), -EBADF);
	assert_int_equal(close(f->s.result), 0);
	assert_int_equal(say(f, 0, "{}"), -EBADF);
	assert_int_equal(sn_dir_count(f->s.cur), 0);
	f->s.result = result;
	work(f, "{}");
}

/* -- the way of a workitem */

static void is_kept(struct fixture *f, const char *reply)
{
	struct sn_result_file rf;
	struct sn_buf b = SN_BUF(1000);
	int dir = sn_spool_done_dir(&f->s, f->name);

	assert_int_equal(sn_dir_read(dir, strchr(strchr(f->json, '/') + 1, '/') + 1, &b), 0);
	assert_string_equal(b.data, BODY);
	assert_int_equal(find(f, dir, &rf), 0);
	assert_string_equal(rf.text.data + rf.body_at, reply);
	sn_buf_release(&b);
	sn_result_release(&rf);
}

static void whole_way(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf;
	struct sn_retirement ret = {.name = f->name};
	int fd;

	assert_int_equal(sn_recover_find(&f->s, f->name), SN_NOWHERE);
	deliver(f);
	assert_int_equal(mode_of(f->s.open, f->name), 0644);
	assert_int_equal(sn_recover_find(&f->s, f->name), SN_WAITING);
	fd = claim(f);
	assert_int_equal(sn_recover_find(&f->s, f->name), SN_IN_HAND);
	assert_int_equal(sn_journal_has(f->s.result, f->name, NULL), 0);
	assert_int_equal(find(f, f->s.result, &rf), -ENOENT);
	work(f, "{\"reply\":1}");
	assert_int_equal(close(fd), 0);
	assert_int_equal(sn_recover_find(&f->s, f->name), SN_WAITING); /* for the bridge */
	assert_int_equal(sn_journal_has(f->s.result, f->name, NULL), 1);
	assert_int_equal(find(f, f->s.result, &rf), 0);
	assert_string_equal(rf.text.data + rf.body_at, "{\"reply\":1}");
	assert_int_equal(rf.head.outcome, SN_OK);
	ret.result = rf.text.data;
	ret.result_len = rf.text.len;
	assert_int_equal(sn_retired(&f->s, f->name), 0);
	assert_int_equal(sn_retire_keep(&f->s, &ret), 0);
	assert_int_equal(sn_retired(&f->s, f->name), 0);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_int_equal(sn_retired(&f->s, f->name), 1);
	assert_int_equal(sn_dir_count(f->s.open) + sn_dir_count(f->s.cur), 0);
	is_kept(f, "{\"reply\":1}");
	sn_result_release(&rf);
}

/* Buckets belong to the group of done/ (adm reads them), whatever the umask, and can be removed by a clean-up. */
static void buckets(void **state)
{
	struct fixture *f = *state;
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE], path[32];
	struct sn_retirement ret = {.name = f->name};
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
}

/* spool-put's file is locked until it is whole: a bridge that starts leaves it alone. */
static void deliver_locks(void **state)
{
	static const char BIG[16 << 20] = "big";
	struct fixture *f = *state;
	bool seen = false;

	for (int i = 0; i < 50 && !seen;
	     i++) { /* it takes some milliseconds: seen at once, where there is time to look */
		pid_t child = fork();

		if (child == 0)
			_exit(sn_deliver_beside(&f->s, f->name, BIG, sizeof BIG) == 0 ? 0 : 1);
		while (waitpid(child, NULL, WNOHANG) == 0)
			seen = seen || sn_claimed(&f->s, f->name) == 1;
		assert_int_equal(sn_claimed(&f->s, f->name), 0);
		assert_int_equal(unlinkat(f->s.open, f->name, 0), 0);
	}
	assert_true(seen);
}

/* exo hears that NAME.again goes, also one that a crash has left. */
static void deliver_again(void **state)
{
	struct fixture *f = *state;
	char leaf[SN_NAME_SIZE + 8], events[4096];
	int heard = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	SN_AUTOFREE char *open_path = sn_asprintf("%s/P1/open", f->dir->path);

	deliver(f);
	(void)snprintf(leaf, sizeof leaf, "%s.again", f->name);
	assert_true(inotify_add_watch(heard, open_path, IN_DELETE) >= 0);
	assert_int_equal(setenv("SKYNET_FAIL", "deliver.3:eio", 1), 0);
	assert_int_equal(sn_deliver_again(&f->s, f->name), -EIO);
	assert_int_equal(unsetenv("SKYNET_FAIL"), 0);
	assert_int_equal(read(heard, events, sizeof events), -1);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(sn_deliver_again(&f->s, f->name), 0);
		assert_true(read(heard, events, sizeof events) > 0);
		assert_string_equal(((const struct inotify_event *)(const void *)events)->name, leaf);
		assert_int_equal(sn_dir_count(f->s.open), 1);
		test_write(f->s.open, leaf, "", 0);
	}
	assert_int_equal(close(heard), 0);
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

/* The first answer is the one that counts: two attempts of which one came too late. */
static void first_answer(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf;

	work(f, "{\"first\":1}");
	work(f, "{\"late\":1}");
	assert_int_equal(find(f, f->s.result, &rf), 0);
	assert_string_equal(rf.text.data + rf.body_at, "{\"first\":1}");
	sn_result_release(&rf);
}

static void messages(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf;

	for (unsigned i = 1; i <= 3; i++)
		assert_int_equal(say(f, i, "{}"), 0);
	assert_int_equal(sn_journal_has(f->s.result, f->name, NULL), 0); /* none of them is the answer */
	assert_int_equal(find(f, f->s.result, &rf), -ENOENT);
	work(f, "{\"answer\":1}");
	assert_int_equal(find(f, f->s.result, &rf), 0);
	assert_string_equal(rf.text.data + rf.body_at, "{\"answer\":1}");
	assert_int_equal(sn_dir_count(f->s.result), 1);
	sn_result_release(&rf);
}

/* User code may set a umask with which the bridge could not read what its worker writes. */
static void result_is_readable(void **state)
{
	struct fixture *f = *state;
	char leaf[SN_JOURNAL_SIZE];
	mode_t old = umask(0777);

	work(f, "{}");
	(void)umask(old);
	journal_in(f->s.result, leaf);
	assert_int_equal(mode_of(f->s.result, leaf), 0644);
}

static void result_write_fails_clean(void **state)
{
	struct fixture *f = *state;
	struct sn_result_file rf;
	struct sn_result res = OK;

	assert_int_equal(sn_result_write(&f->s, &res, "{}", 2, false), -EINVAL); /* whose? */
	memcpy(res.name, "../x", 5);
	assert_int_equal(sn_result_write(&f->s, &res, "{}", 2, false), -EINVAL);
	assert_int_equal(setenv("SKYNET_FAIL", "result.1:eio", 1), 0);
	assert_int_equal(say(f, 0, "{}"), -EIO);
	assert_int_equal(sn_dir_count(f->s.result), 0);
	assert_int_equal(setenv("SKYNET_FAIL", "result.2:enospc", 1), 0);
	assert_int_equal(say(f, 0, "{\"no\":1}"), -ENOSPC);
	assert_int_equal(find(f, f->s.result, &rf), -ENOENT);
	assert_int_equal(unsetenv("SKYNET_FAIL"), 0);
	work(f, "{}");
	assert_int_equal(find(f, f->s.result, &rf), 0);
	assert_string_equal(rf.text.data + rf.body_at, "{}");
	assert_int_equal(sn_dir_count(f->s.result), 1); /* in the same journal */
	sn_result_release(&rf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL(make_and_open),
		SPOOL(open_refuses),
		SPOOL(open_beside_strangers),
		SPOOL(result_beside_strangers),
		SPOOL(whole_way),
		SPOOL(buckets),
		SPOOL(deliver_counts_up),
		SPOOL(deliver_bad_names),
		SPOOL(deliver_fails_clean),
		SPOOL(deliver_locks),
		SPOOL(deliver_again),
		SPOOL(aside),
		SPOOL(first_answer),
		SPOOL(messages),
		SPOOL(result_is_readable),
		SPOOL(result_write_fails_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
