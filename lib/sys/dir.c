#include "sys/dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>

#include "sys/fd.h"

bool sn_leaf_valid(const char *leaf)
{
	return leaf[0] != '\0' && strcmp(leaf, ".") != 0 && strcmp(leaf, "..") != 0 &&
	       strchr(leaf, '/') == NULL && strlen(leaf) <= 255;
}

int sn_dir_open(int at, const char *path)
{
	int fd = openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int sn_dir_make(int at, const char *leaf, mode_t mode)
{
	struct stat st;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	if (mkdirat(at, leaf, mode & 0777) < 0)
		return errno == EEXIST ? 0 : -errno;
	if (fstatat(at, leaf, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return -errno;
	/* chmod would take an inherited setgid bit away, and one who is not in the group cannot set it again. */
	mode |= st.st_mode & S_ISGID;
	if ((st.st_mode & 07777) == mode)
		return 0;
	return fchmodat(at, leaf, mode, 0) < 0 ? -errno : 0; /* ours, made just now */
}

int sn_dir_make_open(int at, const char *leaf, mode_t mode)
{
	int r = sn_dir_make(at, leaf, mode);

	return r < 0 ? r : sn_dir_open(at, leaf);
}

int sn_dir_read(int dirfd, const char *leaf, struct sn_buf *b)
{
	SN_AUTOFD int fd = -1;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = openat(dirfd, leaf, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	return fd < 0 ? -errno : sn_fd_read_all(fd, b);
}

int sn_dir_create(int dirfd, const char *leaf, const void *data, size_t len)
{
	SN_AUTOFD int fd = -1;
	int r;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = openat(dirfd, leaf, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	r = sn_fd_write_all(fd, data, len);
	if (r < 0)
		(void)unlinkat(dirfd, leaf, 0); /* the write error is what matters */
	return r;
}

int sn_dir_replace(int dirfd, const char *leaf, const void *data, size_t len)
{
	char tmp[256];
	int n, r;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	n = snprintf(tmp, sizeof tmp, ".%s.%d", leaf, (int)getpid());
	if (n < 0 || (size_t)n >= sizeof tmp)
		return -ENAMETOOLONG;
	(void)unlinkat(dirfd, tmp, 0); /* left by a process that had our number */
	r = sn_dir_create(dirfd, tmp, data, len);
	if (r == 0 && renameat(dirfd, tmp, dirfd, leaf) < 0) {
		r = -errno;
		(void)unlinkat(dirfd, tmp, 0); /* the rename error is what matters */
	}
	return r;
}

int sn_dir_open_hostile(int dirfd, const char *leaf)
{
	return sn_dir_open_hostile_with(dirfd, leaf, 0);
}

int sn_dir_open_hostile_with(int dirfd, const char *leaf, int flags)
{
	struct open_how how = {
		.flags = (unsigned)(O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | flags),
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS,
	};
	long fd;

	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	fd = syscall(SYS_openat2, dirfd, leaf, &how, sizeof how);
	if (fd < 0 &&
	    (errno == ENOSYS || errno == EPERM)) /* an old kernel, or a sandbox that does not know it */
		fd = openat(dirfd, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : (int)fd;
}

int sn_dir_each(int dirfd, int (*each)(void *arg, const char *name), void *arg)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* a position of its own */
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (dir == NULL) {
		r = -errno;
		if (fd >= 0)
			(void)close(fd); /* nothing was written */
		return r;
	}
	while (r == 0) {
		errno = 0;
		entry = readdir(dir);
		if (entry == NULL) {
			r = -errno;
			break;
		}
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			r = each(arg, entry->d_name);
	}
	(void)closedir(dir); /* nothing was written */
	return r;
}

static int count_one(void *arg, const char *name)
{
	(void)name;
	++*(int *)arg;
	return 0;
}

int sn_dir_count(int dirfd)
{
	int count = 0;
	int r = sn_dir_each(dirfd, count_one, &count);

	return r < 0 ? r : count;
}

int sn_dir_unlink(int dirfd, const char *leaf)
{
	if (!sn_leaf_valid(leaf))
		return -EINVAL;
	return unlinkat(dirfd, leaf, 0) < 0 && errno != ENOENT ? -errno : 0;
}

int sn_dir_sync(int dirfd)
{
	return fsync(dirfd) < 0 ? -errno : 0;
}
