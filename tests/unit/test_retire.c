#include "spool_fixture.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>

/* -- hostile results */

static int read_result(struct fixture *f, uid_t uid, size_t max)
{
	struct sn_result_file rf = {.text = SN_BUF(max)};
	int r = sn_result_read(&f->s, f->name, uid, &rf);

	sn_result_release(&rf);
	return r;
}

static void plant(struct fixture *f, const char *text, size_t len)
{
	(void)unlinkat(f->s.result, f->name, 0); /* from the case before */
	test_write(f->s.result, f->name, text, len);
}

#define HEAD \
	"outcome: ok\nattempt: 1\nstarted: 2026-11-22T10:54:43.865116Z\nfinished: 2026-11-22T10:54:43.901200Z\nsend: reply\n"

static void hostile_kinds(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr = {.sun_family = AF_UNIX, .sun_path = "s"};
	char here[256];
	int sock;

	assert_int_equal(read_result(f, geteuid(), 1000), -ENOENT);
	assert_int_equal(symlinkat("/etc/passwd", f->s.result, f->name), 0);
	assert_int_equal(read_result(f, (uid_t)-1, 100000), -EINVAL);
	assert_int_equal(sn_claim_has_result(&f->s, f->name), 1); /* there it is, whatever it is */
	assert_int_equal(unlinkat(f->s.result, f->name, 0), 0);
	assert_int_equal(mkfifoat(f->s.result, f->name, 0666), 0);
	assert_int_equal(read_result(f, geteuid(), 1000), -EINVAL);
	assert_int_equal(unlinkat(f->s.result, f->name, 0), 0);
	assert_int_equal(mkdirat(f->s.result, f->name, 0777), 0);
	assert_int_equal(read_result(f, geteuid(), 1000), -EINVAL);
	assert_int_equal(unlinkat(f->s.result, f->name, AT_REMOVEDIR), 0);
	sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_non_null(getcwd(here, sizeof here));
	assert_int_equal(fchdir(f->s.result), 0);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(chdir(here), 0);
	assert_int_equal(renameat(f->s.result, "s", f->s.result, f->name), 0);
	assert_int_equal(read_result(f, geteuid(), 1000), -EINVAL);
	assert_int_equal(close(sock), 0);
}

static void hostile_files(void **state)
{
	static const char GOOD[] = HEAD "length: 2\n\n{}";
	struct fixture *f = *state;
	SN_AUTOFD int fd = -1;

	plant(f, GOOD, sizeof GOOD - 1);
	assert_int_equal(read_result(f, geteuid(), 1000), 0);
	assert_int_equal(read_result(f, geteuid() + 1, 1000), -EPERM);
	assert_int_equal(read_result(f, geteuid(), sizeof GOOD - 1), 0);
	assert_int_equal(read_result(f, geteuid(), sizeof GOOD - 2), -EFBIG);
	assert_int_equal(linkat(f->s.result, f->name, f->s.tmp, "second", 0), 0);
	assert_int_equal(read_result(f, geteuid(), 1000), -EMLINK);
	assert_int_equal(unlinkat(f->s.tmp, "second", 0), 0);
	assert_int_equal(read_result(f, geteuid(), 1000), 0);
	/* Sparse: four terabytes that take no room. */
	fd = openat(f->s.result, f->name, O_RDWR | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, (off_t)1 << 42), 0);
	assert_int_equal(read_result(f, geteuid(), 64 << 20), -EFBIG);
	assert_int_equal(ftruncate(fd, 60 << 20), 0);
	assert_int_equal(read_result(f, geteuid(), 64 << 20), -EBADMSG);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(read_result(f, geteuid(), 1000), -EBADMSG); /* after a power cut */
}

static void hostile_texts(void **state)
{
	static const char WRONG[] = HEAD
		"length: 2\n"
		"sha256: 0000000000000000000000000000000000000000000000000000000000000000\n\n{}";
	static const char RIGHT[] = HEAD
		"length: 2\n"
		"sha256: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a\n\n{}";
	struct fixture *f = *state;

	plant(f, RIGHT, sizeof RIGHT - 1);
	assert_int_equal(read_result(f, geteuid(), 1000), 0);
	plant(f, WRONG, sizeof WRONG - 1);
	assert_int_equal(read_result(f, geteuid(), 1000), -EBADMSG);
	plant(f, RIGHT, sizeof RIGHT - 2);
	assert_int_equal(read_result(f, geteuid(), 1000), -EBADMSG);
	plant(f, "junk", 4);
	assert_int_equal(read_result(f, geteuid(), 1000), -EINVAL);
	plant(f, "\0\0\0\0", 4);
	assert_int_equal(read_result(f, geteuid(), 1000), -EINVAL);
}

/* -- retiring */

static void to_result(struct fixture *f)
{
	deliver(f);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	work(f, "{}");
}

/* Killed before each step, retired again by the next life: the same end every time. */
static void retire_after_every_crash(void **state)
{
	static const char *const STEPS[] = {"retire.1:kill", "retire.2:kill", "retire.3:kill",
					    "retire.4:kill", "retire.1:eio",  "retire.2:eio",
					    "retire.3:eio",  "retire.4:eio"};
	struct fixture *f = *state;

	for (size_t i = 0; i < 2 * SN_COUNT(STEPS); i++) {
		struct sn_retirement ret = {.name = f->name,
					    .failed = i >= SN_COUNT(STEPS),
					    .attempt = 1,
					    .max_attempts = 3,
					    .result = HEAD "length: 2\n\n{}",
					    .log = "why\n"};
		int status, in = ret.failed ? f->s.failed : f->s.done;
		unsigned attempt;
		pid_t pid;

		ret.result_len = strlen(ret.result);
		to_result(f);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			(void)setenv("SKYNET_FAIL", STEPS[i % SN_COUNT(STEPS)], 1);
			_exit(sn_retire(&f->s, &ret) == -EIO ? 0 : 1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(strstr(STEPS[i % SN_COUNT(STEPS)], "kill") != NULL ? WIFSIGNALED(status)
									       : status == 0);
		/* A starting exo never finds the work of a finished workitem: cur/ only while the ledger has it. */
		if (!test_exists(f->s.open, f->name) && test_exists(f->s.cur, f->a1))
			assert_true(test_exists(f->s.result, f->name));
		assert_true(test_exists(f->s.result, f->name) || test_exists(in, f->result));
		for (int again = 0; again < 2; again++)
			assert_int_equal(sn_retire(&f->s, &ret), 0);
		assert_true(test_exists(in, f->json));
		assert_true(test_exists(in, f->result));
		assert_int_equal(sn_dir_count(f->s.open) + sn_dir_count(f->s.cur) + sn_dir_count(f->s.result),
				 0);
		assert_int_equal(sn_recover_find(&f->s, f->name, 3, &attempt), SN_NOWHERE);
		assert_int_equal(sn_recover_link(&f->s, f->name, 3), 0); /* never comes back */
		assert_int_equal(sn_dir_count(f->s.new), 0);
		new_name(f);
	}
}

static void retire_repairs_short_copy(void **state)
{
	struct fixture *f = *state;
	struct sn_retirement ret = {
		.name = f->name, .attempt = 1, .max_attempts = 3, .result = "whole result", .result_len = 12};
	struct stat st;

	to_result(f);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	test_write(f->s.done, f->result, "whole", 5);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_int_equal(fstatat(f->s.done, f->result, &st, 0), 0);
	assert_int_equal(st.st_size, 12);
}

/* The result may lie about its attempt, and what is in cur/ may be planted. */
/* What the participant writes into result/new afterwards does not change what was sent. */
static void retire_keeps_what_was_sent(void **state)
{
	static const char LATE[] = HEAD "length: 8\n\n{\"l\":1}\n";
	struct fixture *f = *state;
	struct sn_retirement ret = {
		.name = f->name, .attempt = 1, .max_attempts = 3, .result = HEAD "length: 2\n\n{}"};
	struct stat first, second;

	ret.result_len = strlen(ret.result);
	to_result(f);
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_int_equal(fstatat(f->s.done, f->result, &first, 0), 0);
	plant(f, LATE, sizeof LATE - 1);
	ret.result = LATE;
	ret.result_len = sizeof LATE - 1;
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_int_equal(fstatat(f->s.done, f->result, &second, 0), 0);
	assert_int_equal(second.st_size, first.st_size);
	assert_false(test_exists(f->s.result, f->name));
}

static void retire_finds_other_attempts(void **state)
{
	struct fixture *f = *state;
	struct sn_retirement ret = {.name = f->name, .attempt = 1, .max_attempts = 3};

	deliver(f);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	assert_int_equal(sn_claim_again(&f->s, f->name, 1), 0);
	assert_int_equal(mkdirat(f->s.cur, f->a1, 0777), 0);
	assert_int_equal(mkdirat(f->s.new, f->name, 0777), 0);
	assert_int_equal(mkdirat(f->s.result, f->name, 0777), 0);
	ret.result = "x";
	ret.result_len = 1;
	assert_int_equal(sn_retire(&f->s, &ret), 0);
	assert_false(test_exists(f->s.cur, f->a2));
	assert_true(test_exists(f->s.done, f->json));
}

static void retire_nothing(void **state)
{
	struct fixture *f = *state;
	struct sn_retirement ret = {.name = f->name, .attempt = 1, .max_attempts = 3};

	assert_int_equal(sn_retire(&f->s, &ret), -ENOENT);
	deliver(f);
	assert_int_equal(sn_retire(&f->s, &ret), 0); /* cancelled in new/, no result */
	assert_false(test_exists(f->s.done, f->result));
	assert_int_equal(sn_dir_count(f->s.new), 0);
}

/* -- recovering */

static void check_digest(void **state)
{
	struct fixture *f = *state;
	unsigned links = 0;
	SN_AUTOFD int fd = -1;

	assert_int_equal(sn_recover_check(&f->s, f->name, &links), -ENOENT);
	deliver(f);
	assert_int_equal(sn_recover_check(&f->s, f->name, &links), 0);
	assert_int_equal(links, 2);
	fd = openat(f->s.open, f->name, O_WRONLY | O_CLOEXEC);
	assert_int_equal(ftruncate(fd, 5), 0);
	assert_int_equal(sn_recover_check(&f->s, f->name, &links), -EMLINK);
	assert_int_equal(unlinkat(f->s.new, f->name, 0), 0);
	assert_int_equal(sn_recover_check(&f->s, f->name, &links), -EBADMSG);
	assert_int_equal(links, 1);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(sn_recover_check(&f->s, f->name, &links), -EBADMSG);
}

static void held(void **state)
{
	struct fixture *f = *state;
	char hold[SN_NAME_SIZE + 8];
	unsigned attempt;

	deliver(f);
	(void)snprintf(hold, sizeof hold, "%s.hold", f->name);
	test_write(f->s.open, hold, "", 0);
	assert_int_equal(unlinkat(f->s.new, f->name, 0), 0);
	assert_int_equal(sn_recover_find(&f->s, f->name, 3, &attempt), SN_HELD);
	assert_int_equal(sn_recover_link(&f->s, f->name, 3), 0);
	assert_int_equal(sn_dir_count(f->s.new), 0);
	assert_int_equal(unlinkat(f->s.open, hold, 0), 0);
	assert_int_equal(sn_recover_link(&f->s, f->name, 3), 1);
	assert_int_equal(sn_recover_link(&f->s, f->name, 3), 0);
}

static void link_leaves_what_is_somewhere(void **state)
{
	struct fixture *f = *state;
	unsigned attempt;

	deliver(f);
	assert_int_equal(sn_recover_link(&f->s, f->name, 3), 0);
	assert_int_equal(sn_claim(&f->s, f->name), 0);
	for (unsigned a = 1; a <= 3; a++) { /* the fourth is the one past max_attempts */
		assert_int_equal(sn_recover_link(&f->s, f->name, 3), 0);
		assert_int_equal(sn_claim_again(&f->s, f->name, a), 0);
	}
	assert_int_equal(sn_recover_find(&f->s, f->name, 3, &attempt), SN_IN_CUR);
	assert_int_equal(attempt, 4);
	assert_int_equal(sn_recover_link(&f->s, f->name, 3), 0);
	work(f, "{}");
	sn_attempt_format(f->name, 4, f->a1);
	assert_int_equal(unlinkat(f->s.cur, f->a1, 0), 0);
	assert_int_equal(sn_recover_find(&f->s, f->name, 3, &attempt), SN_IN_RESULT);
	assert_int_equal(sn_recover_link(&f->s, f->name, 3), 0);
	assert_int_equal(sn_dir_count(f->s.new), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL(hostile_kinds),
		SPOOL(hostile_files),
		SPOOL(hostile_texts),
		SPOOL(retire_after_every_crash),
		SPOOL(retire_repairs_short_copy),
		SPOOL(retire_keeps_what_was_sent),
		SPOOL(retire_finds_other_attempts),
		SPOOL(retire_nothing),
		SPOOL(check_digest),
		SPOOL(held),
		SPOOL(link_leaves_what_is_somewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
