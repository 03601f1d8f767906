/* What every unit test includes: cmocka, a directory of its own, and a result that says what was expected. */
#ifndef SN_TEST_H
#define SN_TEST_H

/* cmocka.h wants these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/base.h"

/* A temporary directory, open. Removed by test_dir_remove(), also after a failure. */
struct test_dir {
	char path[64];
	int fd;
};

static inline int test_dir_make(void **state)
{
	struct test_dir *d = calloc(1, sizeof *d);

	if (d == NULL)
		return -1;
	(void)snprintf(d->path, sizeof d->path, "/tmp/sn-test.XXXXXX");
	if (mkdtemp(d->path) == NULL || chmod(d->path, 0755) < 0)
		return -1;
	d->fd = open(d->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	*state = d;
	return d->fd < 0 ? -1 : 0;
}

static inline int test_dir_remove(void **state)
{
	struct test_dir *d = *state;
	char command[128];
	int r;

	(void)snprintf(command, sizeof command, "rm -rf '%s'", d->path);
	r = system(command);
	(void)close(d->fd);
	free(d);
	return r;
}

/* A file below d with these bytes. */
static inline void test_write(int dirfd, const char *leaf, const void *data, size_t len)
{
	int fd = openat(dirfd, leaf, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, data, len), len);
	assert_int_equal(close(fd), 0);
}

static inline bool test_exists(int dirfd, const char *path)
{
	return faccessat(dirfd, path, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

#endif
