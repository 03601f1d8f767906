#include "control.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/mem.h"
#include "data/json.h"
#include "sys/dir.h"
#include "sys/lock.h"

enum { LINE_MAX_BYTES = 4096, READS_PER_TURN = 16 };

struct control {
	struct ev_loop *loop;
	ev_io io;
	ev_timer limit;
	int fd;
	struct sn_buf text;
	size_t scanned; /* whole lines of text up to here were looked at */
	void (*done)(void *arg, int error, int code, const struct sn_buf *text);
	void *arg;
};

/* ---- connecting -------------------------------------------------------- */

static int participant_dir(int run, const char *participant)
{
	int fd = openat(run, participant, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

bool control_exo_lives(int run, const char *participant)
{
	SN_AUTOFD int dir = openat(run, participant, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	/* What cannot be known counts as alive: then it is asked again. */
	return dir < 0 ? errno != ENOENT : sn_lock_held(dir, "lock") != 0;
}

/* A descriptor of run/NAME/control itself: what is connected to is what was looked at. */
static int open_socket_file(int run, const char *participant)
{
	SN_AUTOFD int dir = participant_dir(run, participant);
	SN_AUTOFD int file = dir < 0 ? -1 : openat(dir, "control", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	if (dir < 0)
		return dir;
	if (file < 0 || fstat(file, &st) < 0)
		return -errno;
	return S_ISSOCK(st.st_mode) ? sn_fd_steal(&file) : -EPERM;
}

static int connect_to(int run, const char *participant, uid_t uid)
{
	SN_AUTOFD int file = open_socket_file(run, participant);
	SN_AUTOFD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t len = sizeof peer;

	if (file < 0)
		return file;
	if (fd < 0)
		return -errno;
	(void)snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d", file);
	if (connect(fd, (struct sockaddr *)&a, sizeof a) < 0 ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == uid ? sn_fd_steal(&fd) : -EPERM;
}

/* ---- the answer -------------------------------------------------------- */

static void release(struct control *c)
{
	ev_io_stop(c->loop, &c->io);
	ev_timer_stop(c->loop, &c->limit);
	(void)close(c->fd); /* a socket: nothing to flush */
	sn_buf_release(&c->text);
	free(c);
}

static void finish(struct control *c, int error, int code)
{
	c->text.len = c->scanned; /* whole lines only, and not `end` */
	if (c->text.data != NULL)
		c->text.data[c->text.len] = '\0';
	c->done(c->arg, error, code, &c->text);
	release(c);
}

/* Is it the last line? 1 and its code, 0, or -EPROTO. */
static int look_at(const char *line, size_t len, int *ret_code)
{
	static const char *const KEYS[] = {"type", "code"};
	struct sn_span v[2];
	char digits[8] = "";

	if (sn_json_object(line, len, KEYS, v, 2) < 0 || v[0].data == NULL)
		return -EPROTO;
	if (v[0].len != 5 || memcmp(v[0].data, "\"end\"", 5) != 0)
		return 0;
	if (v[1].data == NULL || v[1].len >= sizeof digits)
		return -EPROTO;
	memcpy(digits, v[1].data, v[1].len);
	*ret_code = atoi(digits);
	return 1;
}

/* True: it is over. */
static bool look_at_lines(struct control *c)
{
	const char *nl;

	while ((nl = memchr(c->text.data + c->scanned, '\n', c->text.len - c->scanned)) != NULL) {
		const char *line = c->text.data + c->scanned;
		int code = 0, r = look_at(line, (size_t)(nl - line), &code);

		if (r != 0) {
			finish(c, r < 0 ? r : 0, code);
			return true;
		}
		c->scanned = (size_t)(nl + 1 - c->text.data);
	}
	return false;
}

static void on_io(struct ev_loop *loop, ev_io *w, int events)
{
	struct control *c = w->data;
	char bytes[16384];

	(void)loop;
	(void)events;
	for (int i = 0; i < READS_PER_TURN; i++) {
		ssize_t n = read(c->fd, bytes, sizeof bytes);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			finish(c, n < 0 ? -errno : -ECONNRESET, 0);
			return;
		}
		if (sn_buf_add(&c->text, bytes, (size_t)n) < 0) {
			finish(c, -EFBIG, 0);
			return;
		}
		if (look_at_lines(c))
			return;
	}
}

static void on_limit(struct ev_loop *loop, ev_timer *w, int events)
{
	(void)loop;
	(void)events;
	finish(w->data, -ETIMEDOUT, 0);
}

/* ---- life -------------------------------------------------------------- */

int control_start(struct ev_loop *loop, const struct control_request *rq, struct control **ret)
{
	const size_t len = strlen(rq->line);
	struct control *c;
	int fd = len <= LINE_MAX_BYTES ? connect_to(rq->run, rq->participant, rq->uid) : -E2BIG;
	ssize_t n;

	if (fd < 0)
		return fd;
	n = send(fd, rq->line, len, MSG_NOSIGNAL); /* a new socket has room for that */
	if (n != (ssize_t)len) {
		const int error = n < 0 ? -errno : -EAGAIN;

		(void)close(fd); /* nothing was said */
		return error;
	}
	c = sn_calloc(1, sizeof *c);
	*c = (struct control){.loop = loop, .fd = fd, .done = rq->done, .arg = rq->arg};
	c->text = SN_BUF(rq->max_bytes);
	ev_io_init(&c->io, on_io, fd, EV_READ);
	ev_timer_init(&c->limit, on_limit, rq->limit_s, 0.);
	c->io.data = c->limit.data = c;
	ev_now_update(loop); /* the limit counts from here, however long this turn of the loop took */
	ev_io_start(loop, &c->io);
	ev_timer_start(loop, &c->limit);
	*ret = c;
	return 0;
}

void control_abort(struct control *c)
{
	if (c != NULL)
		release(c);
}
