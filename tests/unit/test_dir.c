#include "test.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "sys/dir.h"
#include "sys/lock.h"

static const char *const BAD_LEAVES[] = {"", ".", "..", "a/b", "/", "/etc", "../x", "x/"};

static void leaves(void **state)
{
	struct test_dir *d = *state;
	char longest[257];

	memset(longest, 'a', sizeof longest);
	longest[256] = '\0';
	assert_false(sn_leaf_valid(longest));
	longest[255] = '\0';
	assert_true(sn_leaf_valid(longest));
	assert_true(sn_leaf_valid("..."));
	assert_true(sn_leaf_valid(".x"));
	for (size_t i = 0; i < SN_COUNT(BAD_LEAVES); i++) {
		const char *leaf = BAD_LEAVES[i];
		struct sn_buf b = SN_BUF(100);

		assert_false(sn_leaf_valid(leaf));
		assert_int_equal(sn_dir_make(d->fd, leaf, 0755), -EINVAL);
		assert_int_equal(sn_dir_create(d->fd, leaf, "x", 1), -EINVAL);
		assert_int_equal(sn_dir_replace(d->fd, leaf, "x", 1), -EINVAL);
		assert_int_equal(sn_dir_read(d->fd, leaf, &b), -EINVAL);
		assert_int_equal(sn_dir_open_hostile(d->fd, leaf), -EINVAL);
		assert_int_equal(sn_dir_unlink(d->fd, leaf), -EINVAL);
		assert_int_equal(sn_lock_take(d->fd, leaf, false), -EINVAL);
		assert_int_equal(sn_lock_held(d->fd, leaf), -EINVAL);
	}
}

static mode_t mode_of(int dirfd, const char *leaf)
{
	struct stat st;

	assert_int_equal(fstatat(dirfd, leaf, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

static void make(void **state)
{
	struct test_dir *d = *state;
	mode_t old = umask(0077);
	SN_AUTOFD int fd = -1;

	assert_int_equal(sn_dir_make(d->fd, "a", 0751), 0);
	assert_int_equal(mode_of(d->fd, "a"), 0751);
	assert_int_equal(sn_dir_make(d->fd, "a", 0700), 0); /* there: untouched */
	assert_int_equal(mode_of(d->fd, "a"), 0751);
	assert_int_equal(sn_dir_make(d->fd, "g", 02770), 0);
	assert_int_equal(mode_of(d->fd, "g"), 02770);
	(void)umask(0022);
	fd = sn_dir_make_open(d->fd, "g", 0);
	assert_true(fd >= 0);
	assert_int_equal(sn_dir_make(fd, "sub", 0750), 0); /* the parent's setgid bit goes down */
	assert_int_equal(mode_of(fd, "sub"), 02750);
	test_write(d->fd, "file", "", 0);
	assert_int_equal(sn_dir_make_open(d->fd, "file", 0755), -ENOTDIR);
	(void)umask(old);
}

static void no_links(void **state)
{
	struct test_dir *d = *state;
	struct sn_buf b = SN_BUF(100);

	assert_int_equal(symlinkat("/etc/passwd", d->fd, "link"), 0);
	assert_int_equal(symlinkat("/tmp", d->fd, "dirlink"), 0);
	assert_int_equal(symlinkat("nowhere", d->fd, "dangling"), 0);
	assert_int_equal(sn_dir_open(d->fd, "dirlink"), -ENOTDIR);
	assert_int_equal(sn_dir_read(d->fd, "link", &b), -ELOOP);
	assert_int_equal(sn_dir_open_hostile(d->fd, "link"), -ELOOP);
	assert_int_equal(sn_dir_create(d->fd, "dangling", "x", 1), -EEXIST);
	assert_false(test_exists(d->fd, "nowhere"));
	assert_int_equal(sn_lock_take(d->fd, "dangling", false), -ELOOP);
	assert_int_equal(sn_dir_replace(d->fd, "link", "x", 1), 0); /* the link goes, not what it points to */
	assert_int_equal(sn_dir_read(d->fd, "link", &b), 0);
	assert_string_equal(b.data, "x");
	sn_buf_release(&b);
}

static void create_and_read(void **state)
{
	struct test_dir *d = *state;
	struct sn_buf b = SN_BUF(5), small = SN_BUF(4), none = SN_BUF(0);

	assert_int_equal(sn_dir_create(d->fd, "f", "he\0lo", 5), 0);
	assert_int_equal(sn_dir_create(d->fd, "f", "other", 5), -EEXIST);
	assert_int_equal(sn_dir_read(d->fd, "f", &b), 0);
	assert_int_equal(b.len, 5);
	assert_memory_equal(b.data, "he\0lo", 6);
	assert_int_equal(sn_dir_read(d->fd, "f", &small), -E2BIG);
	assert_int_equal(sn_dir_read(d->fd, "f", &none), -E2BIG);
	assert_int_equal(sn_dir_create(d->fd, "empty", "", 0), 0);
	assert_int_equal(sn_dir_read(d->fd, "empty", &none), 0);
	sn_buf_reset(&b);
	assert_int_equal(sn_dir_read(d->fd, "empty", &b), 0);
	assert_string_equal(b.data, "");
	assert_int_equal(sn_dir_read(d->fd, "missing", &b), -ENOENT);
	assert_int_equal(sn_dir_make(d->fd, "dir", 0755), 0);
	assert_int_equal(sn_dir_read(d->fd, "dir", &b), -EISDIR);
	sn_buf_release(&b);
	sn_buf_release(&small);
	sn_buf_release(&none);
}

static void replace(void **state)
{
	struct test_dir *d = *state;
	struct sn_buf b = SN_BUF(100);

	assert_int_equal(sn_dir_replace(d->fd, "s", "one", 3), 0);
	assert_int_equal(sn_dir_replace(d->fd, "s", "two", 3), 0);
	assert_int_equal(sn_dir_read(d->fd, "s", &b), 0);
	assert_string_equal(b.data, "two");
	assert_int_equal(sn_dir_count(d->fd), 1);
	assert_int_equal(sn_dir_make(d->fd, "dir", 0755), 0);
	assert_int_equal(sn_dir_replace(d->fd, "dir", "x", 1), -EISDIR);
	assert_int_equal(sn_dir_count(d->fd), 2); /* no temporary file stays */
	sn_buf_release(&b);
}

static void hostile(void **state)
{
	struct test_dir *d = *state;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	struct stat st;
	int fd, sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(mkfifoat(d->fd, "fifo", 0644), 0);
	fd = sn_dir_open_hostile(d->fd, "fifo"); /* does not block */
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(S_ISFIFO(st.st_mode));
	assert_int_equal(close(fd), 0);
	(void)snprintf(addr.sun_path, sizeof addr.sun_path, "%s/sock", d->path);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof addr), 0);
	assert_int_equal(sn_dir_open_hostile(d->fd, "sock"), -ENXIO);
	assert_int_equal(close(sock), 0);
	assert_int_equal(sn_dir_open_hostile(d->fd, "missing"), -ENOENT);
	test_write(d->fd, "plain", "x", 1);
	fd = sn_dir_open_hostile(d->fd, "plain");
	assert_true(fd >= 0);
	assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
	assert_int_equal(close(fd), 0);
}

static int stop_at_three(void *arg, const char *name)
{
	assert_string_not_equal(name, ".");
	assert_string_not_equal(name, "..");
	return ++*(int *)arg == 3 ? 42 : 0;
}

static int remove_it(void *arg, const char *name)
{
	return sn_dir_unlink(*(int *)arg, name);
}

static void each(void **state)
{
	struct test_dir *d = *state;
	int count = 0;

	assert_int_equal(sn_dir_count(d->fd), 0);
	for (int i = 0; i < 1000; i++) {
		char leaf[16];

		(void)snprintf(leaf, sizeof leaf, "f%d", i);
		test_write(d->fd, leaf, "", 0);
	}
	assert_int_equal(sn_dir_each(d->fd, stop_at_three, &count), 42);
	assert_int_equal(count, 3);
	assert_int_equal(sn_dir_count(d->fd), 1000);
	assert_int_equal(sn_dir_each(d->fd, remove_it, &d->fd), 0);
	assert_int_equal(sn_dir_count(d->fd), 0);
	assert_int_equal(sn_dir_unlink(d->fd, "f1"), 0); /* missing is success */
	assert_int_equal(sn_dir_count(-1), -EBADF);
	assert_int_equal(sn_dir_sync(d->fd), 0);
}

static void locks(void **state)
{
	struct test_dir *d = *state;
	int fd, status;
	pid_t pid;

	assert_int_equal(sn_lock_held(d->fd, "lock"), 0);
	fd = sn_lock_take(d->fd, "lock", false);
	assert_true(fd >= 0);
	assert_int_equal(sn_lock_held(d->fd, "lock"), 1);
	assert_int_equal(sn_lock_take(d->fd, "lock", false), -EWOULDBLOCK);
	assert_int_equal(close(fd), 0);
	assert_int_equal(sn_lock_held(d->fd, "lock"), 0);
	/* Others that only look do not keep anybody from taking it. */
	pid = fork();
	assert_true(pid >= 0);
	while (pid == 0) /* NOLINT(bugprone-infinite-loop): it is killed */
		(void)!sn_lock_held(d->fd, "lock");
	for (int i = 0; i < 100000; i++) {
		fd = sn_lock_take(d->fd, "lock", false);
		if (fd < 0)
			break;
		(void)close(fd); /* a lock: nothing to flush */
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(fd >= 0);
}

static int look_as_nobody(int dirfd)
{
	return seteuid(65534) < 0 ? -errno : sn_lock_held(dirfd, "lock");
}

/* A lock that anybody may open is one that anybody may hold. */
static void locks_are_private(void **state)
{
	struct test_dir *d = *state;
	struct stat st;
	int fd = openat(d->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0644), held[2];

	(void)close(fd); /* of an earlier version */
	assert_int_equal(fchmodat(d->fd, "lock", 0666, 0), 0);
	fd = sn_lock_take(d->fd, "lock", false);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & S_IRWXO, 0);
	if (geteuid() != 0)
		return; /* whoever is no root sees all of its own */
	assert_int_equal(fchmod(d->fd, 0755), 0);
	held[0] = look_as_nobody(d->fd);
	assert_int_equal(seteuid(0), 0);
	(void)close(fd); /* a lock: nothing to flush */
	held[1] = look_as_nobody(d->fd);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(held[0], 1);
	assert_int_equal(held[1], 0);
}

#define WITH_DIR(f) cmocka_unit_test_setup_teardown(f, test_dir_make, test_dir_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_DIR(leaves),
		WITH_DIR(make),
		WITH_DIR(no_links),
		WITH_DIR(create_and_read),
		WITH_DIR(replace),
		WITH_DIR(hostile),
		WITH_DIR(each),
		WITH_DIR(locks),
		WITH_DIR(locks_are_private),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
