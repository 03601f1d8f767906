#include "outbox.h"

#include <fcntl.h>
#include <stdlib.h>

#include "sys/dir.h"
#include "sys/fd.h"

int outbox_add(struct sn_buf *text, const char *batch_id, const struct job_list *jobs)
{
	const struct job *j;
	int r = sn_buf_addf(text, "batch %s\n", batch_id);

	STAILQ_FOREACH(j, jobs, link) {
		if (r == 0)
			r = sn_buf_addf(text, "%s %s\n", j->participant, j->leaf);
	}
	return r;
}

int outbox_write(int dirfd, const struct sn_buf *taken, const struct sn_buf *pending)
{
	SN_AUTOFD int fd = openat(dirfd, "outbox.new", O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	int r;

	if (fd < 0)
		return -errno;
	r = sn_fd_write_all(fd, taken->data, taken->len);
	if (r == 0)
		r = sn_fd_write_all(fd, pending->data, pending->len);
	if (r == 0 && renameat(dirfd, "outbox.new", dirfd, "outbox") < 0)
		r = -errno;
	return r;
}

static void add_line(struct job_list *list, char *line)
{
	char *leaf = strchr(line, ' ');
	struct job *j;

	if (leaf == NULL || strlen(leaf + 1) >= sizeof j->leaf || (size_t)(leaf - line) >= sizeof j->participant)
		return;
	*leaf++ = '\0';
	j = sn_calloc(1, sizeof *j);
	memcpy(j->participant, line, strlen(line) + 1);
	memcpy(j->leaf, leaf, strlen(leaf) + 1);
	j->outcome = JOB_KNOWN;
	STAILQ_INSERT_TAIL(list, j, link);
}

int outbox_read(int dirfd, struct job_list *taken, struct job_list *pending, char ret_id[BATCH_ID_SIZE])
{
	struct sn_buf b = SN_BUF(OUTBOX_MAX);
	char *save = NULL, *line;
	int r = sn_dir_read(dirfd, "outbox", &b);

	STAILQ_INIT(taken);
	STAILQ_INIT(pending);
	ret_id[0] = '\0';
	if (r < 0 || b.len == 0) {
		sn_buf_release(&b);
		return r == -ENOENT ? 0 : r;
	}
	for (line = strtok_r(b.data, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (strncmp(line, "batch ", 6) != 0) {
			add_line(pending, line);
			continue;
		}
		STAILQ_CONCAT(taken, pending);
		(void)snprintf(ret_id, BATCH_ID_SIZE, "%s", line + 6);
	}
	sn_buf_release(&b);
	return 0;
}
