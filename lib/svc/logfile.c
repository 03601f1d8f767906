#include "svc/logfile.h"

#include <fcntl.h>
#include <stdlib.h>

#include "sys/dir.h"

/* The files in order of their names: '@' sorts before "current", rotated ones by time. */
struct search {
	const struct sn_logfile *log;
	char first[256], next[256]; /* the oldest; the one behind the name `after` */
	char after[256];
};

static bool is_log(const char *name)
{
	size_t len = strlen(name);

	if (len > 255)
		return false;
	return strcmp(name, "current") == 0 ||
	       (name[0] == '@' && len > 2 &&
		(strcmp(name + len - 2, ".s") == 0 || strcmp(name + len - 2, ".u") == 0));
}

static void keep_least(char best[256], const char *name)
{
	if (best[0] == '\0' || strcmp(name, best) < 0)
		memcpy(best, name, strlen(name) + 1);
}

static int find_ours(void *arg, const char *name)
{
	struct search *s = arg;
	struct stat st;

	if (is_log(name) && fstatat(s->log->dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_ino == s->log->inode)
		memcpy(s->after, name, strlen(name) + 1);
	return 0;
}

static int find_next(void *arg, const char *name)
{
	struct search *s = arg;
	struct stat st;

	if (!is_log(name) || fstatat(s->log->dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return 0;
	if (st.st_mtime >= s->log->since_s)
		keep_least(s->first, name);
	if (s->after[0] != '\0' && strcmp(name, s->after) > 0)
		keep_least(s->next, name);
	return 0;
}

/* Opens the file behind the present one; the oldest if there is none, or if it is gone. NULL: there is nothing. */
static FILE *open_next(const struct sn_logfile *l)
{
	struct search s = {.log = l};
	const char *name;
	FILE *f;
	int fd;

	if (l->file != NULL && sn_dir_each(l->dir, find_ours, &s) < 0)
		return NULL;
	if (sn_dir_each(l->dir, find_next, &s) < 0)
		return NULL;
	name = s.after[0] != '\0' ? s.next : s.first;
	fd = name[0] == '\0' ? -1 : openat(l->dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
	f = fd < 0 ? NULL : fdopen(fd, "r");
	if (f == NULL && fd >= 0)
		(void)close(fd); /* read only */
	return f;
}

static void use_file(struct sn_logfile *l, FILE *f)
{
	struct stat st;

	if (l->file != NULL)
		(void)fclose(l->file); /* read only */
	l->file = f;
	l->inode = fstat(fileno(f), &st) == 0 ? st.st_ino : 0;
}

/* A line from the present file. An unfinished one is left for later, unless `last`: nobody will finish it. */
static bool read_line(struct sn_logfile *l, bool last)
{
	ssize_t n;

	clearerr(l->file);
	n = getline(&l->line, &l->size, l->file);
	if (n <= 0)
		return false;
	if (l->line[n - 1] == '\n') {
		l->line[n - 1] = '\0';
		return true;
	}
	return last || fseeko(l->file, -(off_t)n, SEEK_CUR) < 0;
}

static bool is_time(const char *s)
{
	static const char LIKE[] = "0000-00-00_00:00:00.00000 ";

	for (size_t i = 0; LIKE[i] != '\0'; i++) {
		if (LIKE[i] == '0' ? s[i] < '0' || s[i] > '9' : s[i] != LIKE[i])
			return false;
	}
	return true;
}

static int got_line(struct sn_logfile *l)
{
	l->text = l->line;
	if (is_time(l->line)) {
		memcpy(l->time, l->line, SN_LOGFILE_TIME);
		l->text = l->line + SN_LOGFILE_TIME + 1;
	}
	return 1;
}

int sn_logfile_open(struct sn_logfile *l, const char *dir, int64_t since_s)
{
	*l = (struct sn_logfile){.since_s = since_s};
	l->dir = sn_dir_open(AT_FDCWD, dir);
	return l->dir < 0 ? l->dir : 0;
}

int sn_logfile_next(struct sn_logfile *l)
{
	FILE *next;

	for (;;) {
		if (l->file != NULL && read_line(l, false))
			return got_line(l);
		next = open_next(l);
		if (next == NULL)
			return 0;
		if (l->file != NULL &&
		    read_line(l, true)) {   /* written between our end of file and the rotation */
			(void)fclose(next); /* read only */
			return got_line(l);
		}
		use_file(l, next);
	}
}

void sn_logfile_close(struct sn_logfile *l)
{
	if (l->file != NULL)
		(void)fclose(l->file); /* read only */
	if (l->dir >= 0)
		(void)close(l->dir); /* read only */
	free(l->line);
	*l = (struct sn_logfile){.dir = -1};
}
