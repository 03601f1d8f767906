#include "svc/status.h"

#include <fcntl.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/pretty.h"
#include "sys/dir.h"
#include "sys/fd.h"

enum { STATUS_MAX = 1 << 20, RUNIT_SIZE = 20 };

/* One line of text, whatever is in it. */
static int add_line(struct sn_buf *b, const char *key, const char *text)
{
	size_t at;
	int r;

	if (text == NULL || text[0] == '\0')
		return 0;
	r = sn_buf_addf(b, "%s: ", key);
	at = b->len;
	if (r == 0)
		r = sn_buf_addf(b, "%s\n", text);
	for (; r == 0 && at + 1 < b->len; at++) {
		if (b->data[at] == '\n' || b->data[at] == '\r')
			b->data[at] = ' ';
	}
	return r;
}

int sn_status_write(int dirfd, const struct sn_status *s)
{
	struct sn_buf b = SN_BUF(STATUS_MAX);
	char since[SN_TIME_TEXT_SIZE];
	int r;

	sn_time_format(s->since_us, since);
	r = add_line(&b, "state", s->state);
	if (r == 0)
		r = sn_buf_addf(&b, "pid: %d\nsince: %s\nworkers: %u\nrestarts: %u\n", (int)s->pid, since,
				s->workers, s->restarts);
	if (r == 0)
		r = add_line(&b, "reason", s->reason);
	if (r == 0 && s->code != 0)
		r = sn_buf_addf(&b, "code: %d\n", s->code);
	if (r == 0 && s->reloads != 0)
		r = sn_buf_addf(&b, "reloads: %u\n", s->reloads);
	if (r == 0)
		r = add_line(&b, "reload", s->reload);
	if (r == 0)
		r = add_line(&b, "broker", s->broker);
	if (r == 0 && s->extra != NULL)
		r = sn_buf_adds(&b, s->extra);
	if (r == 0)
		r = sn_dir_replace(dirfd, "status", b.data, b.len);
	sn_buf_release(&b);
	return r;
}

static int read_number(const char *text, long max, long *ret)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || n < 0 || n > max)
		return -EINVAL;
	*ret = n;
	return 0;
}

static void replace(char **field, const char *text)
{
	free(*field);
	*field = sn_strdup(text);
}

static int read_line(struct sn_status *s, const char *key, const char *value, struct sn_buf *extra)
{
	long n = 0;
	int r = 0;

	if (strcmp(key, "state") == 0) {
		replace(&s->state, value);
	} else if (strcmp(key, "reason") == 0) {
		replace(&s->reason, value);
	} else if (strcmp(key, "reload") == 0) {
		replace(&s->reload, value);
	} else if (strcmp(key, "reloads") == 0) {
		r = read_number(value, INT32_MAX, &n);
		s->reloads = (unsigned)n;
	} else if (strcmp(key, "broker") == 0) {
		replace(&s->broker, value);
	} else if (strcmp(key, "since") == 0) {
		r = sn_time_parse(value, &s->since_us);
	} else if (strcmp(key, "pid") == 0) {
		r = read_number(value, INT32_MAX, &n);
		s->pid = (pid_t)n;
	} else if (strcmp(key, "workers") == 0) {
		r = read_number(value, INT32_MAX, &n);
		s->workers = (unsigned)n;
	} else if (strcmp(key, "restarts") == 0) {
		r = read_number(value, INT32_MAX, &n);
		s->restarts = (unsigned)n;
	} else if (strcmp(key, "code") == 0) {
		r = read_number(value, 255, &n);
		s->code = (int)n;
	} else {
		r = sn_buf_addf(extra, "%s: %s\n", key, value);
	}
	return r;
}

static int read_lines(struct sn_status *s, char *text, struct sn_buf *extra)
{
	char *rest = text, *line, *value;
	int r = 0;

	while (r == 0 && (line = strsep(&rest, "\n")) != NULL) {
		if (line[0] == '\0')
			continue;
		value = strstr(line, ": ");
		if (value == NULL)
			return -EINVAL;
		*value = '\0';
		r = read_line(s, line, value + 2, extra);
	}
	return r == 0 && s->state == NULL ? -EINVAL : r;
}

/* Text as a terminal may see it, line by line. 0 or -E2BIG. */
static int make_harmless(const struct sn_buf *text, struct sn_buf *ret)
{
	const char *line = text->data, *const end = text->data + text->len;
	int r = 0;

	while (r == 0 && line < end) {
		size_t len = strcspn(line, "\n");

		r = sn_pretty_line(line, len, ret);
		if (r == 0)
			r = sn_buf_adds(ret, "\n");
		line += len + 1;
	}
	return r;
}

int sn_status_read(int dirfd, struct sn_status *ret)
{
	struct sn_buf text = SN_BUF(STATUS_MAX), extra = SN_BUF(STATUS_MAX), clean = SN_BUF(4 * STATUS_MAX);
	SN_AUTOFD int fd = -1;
	struct stat st;
	int r;

	*ret = (struct sn_status){0};
	fd = sn_dir_open_hostile(dirfd, "status"); /* run/NAME is the participant's */
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	r = S_ISREG(st.st_mode) ? sn_fd_read_all(fd, &text) : -EINVAL;
	if (r == 0)
		r = text.len == 0 || memchr(text.data, '\0', text.len) != NULL ? -EINVAL
									       : make_harmless(&text, &clean);
	if (r == 0)
		r = read_lines(ret, clean.data, &extra);
	if (extra.len > 0)
		replace(&ret->extra, extra.data);
	sn_buf_release(&text);
	sn_buf_release(&clean);
	sn_buf_release(&extra);
	return r == -E2BIG ? -EINVAL : r;
}

void sn_status_release(struct sn_status *s)
{
	free(s->state);
	free(s->reason);
	free(s->reload);
	free(s->broker);
	free(s->extra);
	*s = (struct sn_status){0};
}

static uint64_t big_endian(const unsigned char *p, size_t len)
{
	uint64_t n = 0;

	while (len-- > 0)
		n = n << 8 | *p++;
	return n;
}

/* TAI64N since, pid (little endian), paused, want, got TERM, state: as runsv.c writes it. */
static int parse_runit(const struct sn_buf *b, struct sn_runit *ret)
{
	static const uint64_t TAI_EPOCH = 4611686018427387914ULL;
	const unsigned char *p = (const unsigned char *)b->data;

	if (b->len != RUNIT_SIZE)
		return -EINVAL;
	ret->since_us =
		(int64_t)(big_endian(p, 8) - TAI_EPOCH) * 1000000 + (int64_t)big_endian(p + 8, 4) / 1000;
	ret->pid = (pid_t)((uint32_t)p[15] << 24 | (uint32_t)p[14] << 16 | (uint32_t)p[13] << 8 | p[12]);
	ret->paused = p[16] != 0;
	ret->want_up = p[17] == 'u';
	ret->term_sent = p[18] != 0;
	ret->finishing = p[19] == 2;
	return 0;
}

int sn_runit_read(const char *service_dir, struct sn_runit *ret)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/supervise", service_dir);
	SN_AUTOFD int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC); /* it may be a link into /run */
	SN_AUTOFD int ok = -1;
	struct sn_buf b = SN_BUF(256);
	struct sn_runit read = {0};
	int r;

	if (dir < 0)
		return -errno;
	r = sn_dir_read(dir, "status", &b);
	if (r == 0)
		r = parse_runit(&b, &read);
	sn_buf_release(&b);
	if (r < 0)
		return r == -E2BIG ? -EINVAL : r;
	ok = openat(dir, "ok",
		    O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC); /* ENXIO: nobody reads this fifo */
	if (ok < 0 && errno != ENXIO && errno != ENOENT)
		return -errno;
	read.supervised = ok >= 0;
	*ret = read;
	return 0;
}
