#include "outbox.h"

#include <fcntl.h>
#include <stdlib.h>

#include "sys/dir.h"
#include "sys/fd.h"

enum { KEPT_BYTES = 96 << 10 }; /* for two batches of the longest names */

int outbox_add(struct sn_buf *text, const char *batch_id, const struct job_list *jobs)
{
	const struct job *j;
	int r = sn_buf_addf(text, "batch %s\n", batch_id);

	STAILQ_FOREACH(j, jobs, link)
	{
		if (r == 0)
			r = sn_buf_addf(text, "%s %s\n", j->participant, j->leaf);
	}
	return r;
}

int outbox_open(int dirfd)
{
	int fd = openat(dirfd, "outbox", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	/* Then it does not matter that run/ is full. If not, outbox_write() tells. */
	if (fd >= 0 && fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, KEPT_BYTES) < 0)
		sn_debug("no room is kept for run/amqp-spool/outbox: %s", strerror(errno));
	return fd < 0 ? -errno : fd;
}

int outbox_write(int fd, const struct sn_buf *taken, const struct sn_buf *pending)
{
	struct sn_buf all = SN_BUF(2 * OUTBOX_MAX + 64);
	ssize_t n = 0;
	int r = sn_buf_addf(&all, "bytes %zu\n", taken->len + pending->len);

	if (r == 0)
		r = sn_buf_add(&all, taken->data, taken->len);
	if (r == 0)
		r = sn_buf_add(&all, pending->data, pending->len);
	if (r == 0)
		n = pwrite(fd, all.data, all.len, 0);
	if (n < 0)
		r = -errno;
	else if (r == 0 && (size_t)n != all.len)
		r = -ENOSPC;
	sn_buf_release(&all);
	return r;
}

static void add_line(struct job_list *list, char *line)
{
	char *leaf = strchr(line, ' ');
	struct job *j;

	if (leaf == NULL || strlen(leaf + 1) >= sizeof j->leaf ||
	    (size_t)(leaf - line) >= sizeof j->participant)
		return;
	*leaf++ = '\0';
	j = sn_calloc(1, sizeof *j);
	memcpy(j->participant, line, strlen(line) + 1);
	memcpy(j->leaf, leaf, strlen(leaf) + 1);
	j->outcome = JOB_KNOWN;
	STAILQ_INSERT_TAIL(list, j, link);
}

int outbox_read(int fd, struct job_list *taken, struct job_list *pending, char ret_id[BATCH_ID_SIZE])
{
	struct sn_buf b = SN_BUF(2 * OUTBOX_MAX + 64);
	char *save = NULL, *line, *body;
	size_t bytes;
	int r = sn_fd_read_all(fd, &b);

	STAILQ_INIT(taken);
	STAILQ_INIT(pending);
	ret_id[0] = '\0';
	if (r < 0 || b.len == 0)
		goto out;
	r = -EINVAL;
	body = memchr(b.data, '\n', b.len);
	if (body == NULL || strncmp(b.data, "bytes ", 6) != 0)
		goto out;
	bytes = strtoul(b.data + 6, NULL, 10);
	body++;
	if (bytes > b.len - (size_t)(body - b.data))
		goto out;
	body[bytes] = '\0'; /* what follows is older */
	for (line = strtok_r(body, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "batch ", 6) != 0) {
			add_line(pending, line);
			continue;
		}
		STAILQ_CONCAT(taken, pending);
		(void)snprintf(ret_id, BATCH_ID_SIZE, "%s", line + 6);
	}
	r = 0;
out:
	sn_buf_release(&b);
	return r;
}
