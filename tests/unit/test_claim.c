/* Who has a workitem in hand, what exo notes, and holding. */
#include "spool_fixture.h"

#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "svc/hold.h"

/* -- claiming */

static void claims(void **state)
{
	struct fixture *f = *state;
	char text[BODY_LEN + 1];
	int fd;

	assert_int_equal(sn_claim(&f->s, f->name, &(struct stat){0}), -ENOENT);
	assert_int_equal(sn_claimed(&f->s, f->name), -ENOENT);
	deliver(f);
	assert_int_equal(sn_claimed(&f->s, f->name), 0);
	fd = claim(f);
	assert_int_equal(pread(fd, text, sizeof text, 0), BODY_LEN);
	assert_memory_equal(text, BODY, BODY_LEN);
	assert_int_equal(sn_claimed(&f->s, f->name), 1);
	assert_int_equal(sn_claim(&f->s, f->name, &(struct stat){0}), -EAGAIN);
	assert_int_equal(sn_claim_lock(&f->s, f->name, true), -EAGAIN);
	assert_int_equal(close(fd), 0);
	assert_int_equal(sn_claimed(&f->s, f->name), 0);
	fd = claim(f); /* nobody keeps a lock behind */
	assert_int_equal(close(fd), 0);
}

static void claim_refuses(void **state)
{
	struct fixture *f = *state;
	int fd;

	deliver(f);
	assert_int_equal(setenv("SKYNET_FAIL", "claim.1:eio", 1), 0);
	assert_int_equal(sn_claim(&f->s, f->name, &(struct stat){0}), -EIO);
	assert_int_equal(unsetenv("SKYNET_FAIL"), 0);
	hold(f);
	assert_int_equal(sn_claim(&f->s, f->name, &(struct stat){0}), -ENOENT);
	assert_int_equal(sn_claimed(&f->s, f->name), 0); /* and keeps no lock */
	fd = sn_claim_lock(&f->s, f->name, false);	 /* for who takes it away */
	assert_true(fd >= 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlinkat(f->s.open, f->name, 0), 0);
	assert_int_equal(symlinkat("/etc/passwd", f->s.open, f->name), 0);
	assert_int_equal(sn_claim(&f->s, f->name, &(struct stat){0}), -ELOOP);
	assert_int_equal(unlinkat(f->s.open, f->name, 0), 0);
	assert_int_equal(mkfifoat(f->s.open, f->name, 0644), 0);
	(void)alarm(10);
	fd = sn_claim(&f->s, f->name, &(struct stat){0}); /* and does not wait for a writer */
	(void)alarm(0);
	if (fd >= 0)
		assert_int_equal(close(fd), 0);
}

/* A child that has locked the workitem when this returns, and does not end before it is killed, or for `us`. */
static pid_t locked_by_child(struct fixture *f, bool (*lock)(struct fixture *), useconds_t us)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* where the test fails */
		if (lock(f) && write(ready[1], "x", 1) == 1)
			(void)(us > 0 ? usleep(us) : pause());
		_exit(0);
	}
	assert_int_equal(close(ready[1]), 0);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(close(ready[0]), 0);
	return pid;
}

static bool lock_as_worker(struct fixture *f)
{
	return sn_claim(&f->s, f->name, &(struct stat){0}) >= 0;
}

static bool lock_to_look(struct fixture *f)
{
	return flock(openat(f->s.open, f->name, O_RDONLY | O_CLOEXEC), LOCK_SH | LOCK_NB) == 0;
}

/* A worker's death, however sudden, gives it back. */
static void lock_dies_with_its_worker(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	deliver(f);
	pid = locked_by_child(f, lock_as_worker, 0);
	assert_int_equal(sn_claimed(&f->s, f->name), 1);
	assert_int_equal(sn_recover_find(&f->s, f->name), SN_IN_HAND);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(sn_claimed(&f->s, f->name), 0);
	assert_int_equal(close(claim(f)), 0);
}

/* -- notes */

static void notes(void **state)
{
	struct fixture *f = *state;
	char target[SN_NAME_SIZE + 16];
	ssize_t len;

	deliver(f);
	assert_int_equal(sn_claim_noted(&f->s, f->name, 3), 0);
	assert_int_equal(sn_claim_note(&f->s, f->name, 1), 0);
	assert_int_equal(sn_claim_note(&f->s, f->name, 1), 0); /* again */
	assert_int_equal(sn_claim_noted(&f->s, f->name, 3), 1);
	len = readlinkat(f->s.cur, f->a1, target, sizeof target - 1);
	assert_true(len > 0);
	target[len] = '\0';
	assert_string_equal(target + strlen("../../open/"), f->name);
	assert_int_equal(faccessat(f->s.cur, f->a1, R_OK, 0), 0); /* it leads to the workitem */
	assert_int_equal(sn_claim_again(&f->s, f->name, 1), 0);
	assert_false(test_exists(f->s.cur, f->a1));
	assert_int_equal(sn_claim_noted(&f->s, f->name, 3), 2);
	assert_int_equal(sn_claim_again(&f->s, f->name, SN_ATTEMPT_MAX), -ERANGE);
	assert_int_equal(sn_claim_forget(&f->s, f->name, 2), 0);
	assert_int_equal(sn_claim_forget(&f->s, f->name, 2), 0); /* again */
	assert_int_equal(sn_dir_count(f->s.cur), 0);
	assert_int_equal(sn_claim_again(&f->s, f->name, 1), 0); /* the first was not noted */
	assert_int_equal(sn_claim_noted(&f->s, f->name, 3), 2);
}

static void attempts_that_do_not_count(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sn_claim_uncount(&f->s, f->name, 1), -ENOENT);
	assert_int_equal(sn_claim_uncount(&f->s, f->name, 2), -ENOENT);
	assert_int_equal(sn_claim_note(&f->s, f->name, 2), 0);
	assert_int_equal(sn_claim_uncount(&f->s, f->name, 2), 0);
	assert_true(test_exists(f->s.cur, f->a1));
	assert_int_equal(sn_claim_uncount(&f->s, f->name, 1), 0);
	assert_int_equal(sn_dir_count(f->s.cur), 0);
}

/* The highest that can be: one past max_attempts. What is above it was not exo's. */
static void highest_note(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sn_claim_note(&f->s, f->name, 1), 0);
	assert_int_equal(sn_claim_note(&f->s, f->name, 4), 0);
	assert_int_equal(sn_claim_note(&f->s, f->name, 9), 0);
	assert_int_equal(sn_claim_noted(&f->s, f->name, 3), 4);
	assert_int_equal(sn_claim_noted(&f->s, f->name, 2), 1);
	assert_int_equal(sn_claim_note(&f->s, f->name, SN_ATTEMPT_MAX), 0);
	assert_int_equal(sn_claim_noted(&f->s, f->name, SN_ATTEMPT_MAX), SN_ATTEMPT_MAX);
}

static void notes_fail(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(setenv("SKYNET_FAIL", "claim.3:eio,claim.again:enospc,claim.4:eio,claim.5:eio", 1),
			 0);
	assert_int_equal(sn_claim_note(&f->s, f->name, 1), -EIO);
	assert_int_equal(sn_claim_again(&f->s, f->name, 1), -ENOSPC);
	assert_int_equal(sn_claim_uncount(&f->s, f->name, 1), -EIO);
	assert_int_equal(sn_claim_forget(&f->s, f->name, 1), -EIO);
	assert_int_equal(sn_dir_count(f->s.cur), 0);
}

/* -- holding */

static void holds(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(sn_hold(&f->s, f->name), -ENOENT);
	assert_int_equal(sn_hold_release(&f->s, f->name), -ENOENT);
	deliver(f);
	assert_int_equal(sn_hold_release(&f->s, f->name), 1);
	assert_int_equal(sn_hold(&f->s, f->name), 0);
	assert_int_equal(sn_hold(&f->s, f->name), 1);
	assert_int_equal(sn_recover_find(&f->s, f->name), SN_HELD);
	assert_int_equal(sn_claim(&f->s, f->name, &(struct stat){0}), -ENOENT);
	assert_int_equal(sn_claimed(&f->s, f->name), 0); /* the lock is gone */
	assert_int_equal(sn_hold_release(&f->s, f->name), 0);
	assert_int_equal(sn_hold_release(&f->s, f->name), 1);
	assert_int_equal(close(claim(f)), 0);
}

static void hold_refuses(void **state)
{
	struct fixture *f = *state;
	int fd;

	deliver(f);
	fd = claim(f);
	assert_int_equal(sn_hold(&f->s, f->name), -EBUSY);
	work(f, "{}");
	assert_int_equal(close(fd), 0);
	assert_int_equal(sn_hold(&f->s, f->name), -EBUSY); /* answered */
	assert_int_equal(sn_dir_count(f->s.open), 1);
	assert_int_equal(sn_recover_find(&f->s, f->name), SN_WAITING);
}

/* Who looks on has the lock for an instant: that is not being worked on. */
static void hold_waits_for_a_glance(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid;

	deliver(f);
	pid = locked_by_child(f, lock_to_look, 15000);
	assert_int_equal(sn_hold(&f->s, f->name), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SPOOL(claims),
		SPOOL(claim_refuses),
		SPOOL(lock_dies_with_its_worker),
		SPOOL(notes),
		SPOOL(attempts_that_do_not_count),
		SPOOL(highest_note),
		SPOOL(notes_fail),
		SPOOL(holds),
		SPOOL(hold_refuses),
		SPOOL(hold_waits_for_a_glance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
