/* `skynet replay`: one workitem in the foreground. No exo, no spool; the reply goes to standard output. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "svc/pretty.h"
#include "svc/worker.h"
#include "sys/fd.h"

enum { PRETTY_TIMES = 8 };

static int read_body(struct sn_worker *w, int fd)
{
	int r;

	w->job.body.max_bytes = w->reply.max_bytes = SIZE_MAX / 4;
	r = sn_fd_read_all(fd, &w->job.body);
	w->job.fd = fd;
	w->job.attempt = 1;
	(void)snprintf(w->job.name, sizeof w->job.name, "replay"); /* they fit */
	(void)snprintf(w->job.leaf, sizeof w->job.leaf, "replay,a1");
	return r;
}

static int print(int out, const struct sn_answer *a, bool raw)
{
	struct sn_buf pretty = SN_BUF(PRETTY_TIMES * (a->len + 1));
	int r = raw ? -E2BIG : sn_pretty(a->body, a->len, &pretty);

	if (r == 0)
		r = sn_fd_write_all(out, pretty.data, pretty.len);
	else
		r = sn_fd_write_all(out, a->body, a->len);
	if (r == 0 && (pretty.len == 0 || pretty.data[pretty.len - 1] != '\n'))
		r = sn_fd_write_all(out, "\n", 1);
	sn_buf_release(&pretty);
	return r;
}

int sn_worker_replay(struct sn_worker *w, int fd, bool raw)
{
	char why[SN_WORKER_WHY] = "";
	struct sn_answer a = {0};
	int out = sn_fd_dup_high(STDOUT_FILENO), r = read_body(w, fd);

	if (r == 0 && (out < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0))
		r = -errno;
	if (r == 0 && w->class->load(w, why, sizeof why) < 0) {
		(void)fprintf(stderr, "replay: %s\n", why); /* nothing to do about it */
		return SN_EXIT_FAILED;
	}
	if (r == 0) {
		w->class->run(w, &a);
		(void)fprintf(stderr, "replay: outcome %s, would send %s\n", sn_outcome_name(a.outcome),
			      sn_send_name(a.send)); /* as above */
		r = print(out, &a, raw);
	}
	if (r < 0)
		(void)fprintf(stderr, "replay: %s\n", strerror(-r)); /* as above */
	return r < 0 || a.outcome != SN_OK ? SN_EXIT_FAILED : 0;
}
