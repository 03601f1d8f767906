#include "control.h"

#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/mem.h"
#include "cancel.h"
#include "exo.h"
#include "sys/dir.h"

static const double REQUEST_S = 5, READ_S = 10, BREATH_S = 1, LINGER_S = 1;
static const char LEAF[] = "control";

static void cut_off(struct client *c)
{
	char rest[1024];

	if (c->dead)
		return;
	c->dead = c->x->control.sweep = true;
	ev_io_stop(c->x->loop, &c->io);
	ev_timer_stop(c->x->loop, &c->timer);
	while (recv(c->fd, rest, sizeof rest, MSG_DONTWAIT) > 0)
		; /* what is unread would make the kernel take back what we said */
	(void)close(c->fd);
}

static void listen_for(struct client *c, int events)
{
	ev_io_stop(c->x->loop, &c->io);
	ev_io_set(&c->io, c->fd, events);
	if (events != 0)
		ev_io_start(c->x->loop, &c->io);
}

/* It was refused before it said anything: what it is about to send must not meet a closed socket. */
static void linger(struct client *c)
{
	if (c->lingers)
		return;
	c->lingers = true;
	(void)shutdown(c->fd, SHUT_WR); /* it has the whole answer */
	listen_for(c, EV_READ);
	client_wait(c, LINGER_S, cut_off);
}

static void send_out(struct client *c)
{
	while (!c->dead && c->out.len > 0) {
		ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			cut_off(c);
		if (n < 0)
			break;
		c->out.len -= (size_t)n;
		memmove(c->out.data, c->out.data + n, c->out.len);
	}
	if (c->dead)
		return;
	if (c->ending && c->out.len == 0 && c->refused)
		linger(c);
	else if (c->ending && c->out.len == 0)
		cut_off(c);
	else
		listen_for(c, (c->half_closed ? 0 : EV_READ) | (c->out.len > 0 ? EV_WRITE : 0));
}

void line_begin(struct sn_jsonw *w, struct sn_buf *buf, const char *type)
{
	*w = (struct sn_jsonw){.buf = buf};
	sn_jsonw_open(w, NULL, '{');
	sn_jsonw_string(w, "type", type);
}

void line_send(struct client *c, struct sn_jsonw *w)
{
	sn_jsonw_close(w, '}');
	if (w->error != 0)
		sn_warn("control: a line over %d bytes is not sent", CONTROL_LINE_MAX);
	else if (!c->dead && !c->ending) {
		if (sn_buf_add(&c->out, w->buf->data, w->buf->len) < 0 || sn_buf_adds(&c->out, "\n") < 0)
			cut_off(c);
		send_out(c);
	}
	sn_buf_release(w->buf);
}

void client_end(struct client *c, int code)
{
	struct sn_buf buf = SN_BUF(CONTROL_LINE_MAX);
	struct sn_jsonw w;

	if (c->dead || c->ending)
		return;
	line_begin(&w, &buf, "end");
	sn_jsonw_number(&w, "code", code);
	line_send(c, &w);
	c->ending = true;
	if (!c->dead)
		client_wait(c, READ_S, cut_off);
	send_out(c);
}

void client_error(struct client *c, int code, const char *text)
{
	struct sn_buf buf = SN_BUF(CONTROL_LINE_MAX);
	struct sn_jsonw w;

	line_begin(&w, &buf, "error");
	sn_jsonw_number(&w, "code", code);
	sn_jsonw_string(&w, "error", text);
	line_send(c, &w);
	client_end(c, code);
}

void client_wait(struct client *c, double seconds, void (*over)(struct client *))
{
	if (c->dead)
		return;
	c->on_timeout = over;
	ev_timer_stop(c->x->loop, &c->timer);
	ev_timer_set(&c->timer, seconds, 0);
	ev_timer_start(c->x->loop, &c->timer);
}

static void too_slow(struct client *c)
{
	client_error(c, SN_EXIT_TIMEOUT, "no request within 5 s");
}

static void on_timer(struct ev_loop *loop, ev_timer *t, int events)
{
	struct client *c = t->data;

	(void)loop, (void)events;
	c->on_timeout(c);
}

static void take_request(struct client *c, size_t len)
{
	c->in[len] = '\0';
	if (len > 0 && c->in[len - 1] == '\r')
		c->in[len - 1] = '\0';
	c->asked = true;
	ev_timer_stop(c->x->loop, &c->timer);
	if (strlen(c->in) < len && c->in[len - 1] != '\0')
		client_error(c, SN_EXIT_USAGE, "a NUL byte in the request");
	else
		request_obey(c, c->in);
	free(c->in);
	c->in = NULL;
}

static void read_request(struct client *c)
{
	ssize_t n = recv(c->fd, c->in + c->in_len, CONTROL_REQUEST_MAX - c->in_len, MSG_DONTWAIT);
	char *end;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			cut_off(c);
		return;
	}
	if (n == 0) {
		cut_off(c); /* gone without a word */
		return;
	}
	end = memchr(c->in + c->in_len, '\n', (size_t)n);
	c->in_len += (size_t)n;
	if (end != NULL)
		take_request(c, (size_t)(end - c->in));
	else if (c->in_len == CONTROL_REQUEST_MAX)
		client_error(c, SN_EXIT_USAGE, "the request is too long");
}

/* It has asked. What else it says is not for us; that it hangs up is. */
static void read_rest(struct client *c)
{
	struct pollfd p = {.fd = c->fd};
	char rest[1024];
	ssize_t n = recv(c->fd, rest, sizeof rest, MSG_DONTWAIT);

	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	if (n < 0 || c->refused || (poll(&p, 1, 0) > 0 && (p.revents & (POLLHUP | POLLERR)) != 0)) {
		cut_off(c);
		return;
	}
	c->half_closed = true; /* it still listens */
	listen_for(c, c->out.len > 0 ? EV_WRITE : 0);
}

static void on_client(struct ev_loop *loop, ev_io *io, int events)
{
	struct client *c = io->data;

	(void)loop;
	if ((events & EV_READ) != 0) {
		if (c->asked || c->ending)
			read_rest(c);
		else
			read_request(c);
	}
	if (!c->dead && (events & EV_WRITE) != 0)
		send_out(c);
}

static void welcome(struct exo *x, int fd)
{
	struct control *k = &x->control;
	const bool stranger = peer_check(x, fd) < 0, refused = stranger || k->client_count == CONTROL_CLIENTS;
	struct client *c;

	if (refused && k->refused_count == CONTROL_CLIENTS) { /* no time to say no */
		(void)close(fd);
		return;
	}
	c = sn_calloc(1, sizeof *c);
	c->x = x;
	c->fd = fd;
	c->refused = refused;
	c->out = SN_BUF(CONTROL_OUT_MAX);
	c->in = sn_malloc(CONTROL_REQUEST_MAX + 1);
	ev_io_init(&c->io, on_client, fd, EV_READ);
	ev_init(&c->timer, on_timer);
	c->io.data = c->timer.data = c;
	c->next = k->clients;
	k->clients = c;
	*(refused ? &k->refused_count : &k->client_count) += 1;
	ev_io_start(x->loop, &c->io);
	if (!refused)
		client_wait(c, REQUEST_S, too_slow);
	else if (stranger)
		client_error(c, SN_EXIT_PERMISSION, "not permitted");
	else
		client_error(c, SN_EXIT_TRY_AGAIN, "too many ask at the same time");
}

static void on_connect(struct ev_loop *loop, ev_io *io, int events)
{
	struct exo *x = io->data;
	struct control *k = &x->control;
	struct sockaddr_un from; /* says nothing: peer_check() does */
	socklen_t len = sizeof from;
	int fd = accept4(k->fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0) {
		welcome(x, fd);
	} else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
		ev_io_stop(loop, &k->io);
		ev_timer_again(loop, &k->breath);
	}
}

static void on_breath(struct ev_loop *loop, ev_timer *t, int events)
{
	struct exo *x = t->data;

	(void)events;
	ev_timer_stop(loop, t);
	ev_io_start(loop, &x->control.io);
}

/* By way of /proc: the path of a home may be longer than an address. */
static int bind_in(int dirfd, int sock)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	mode_t mask = umask(0);
	int r;

	(void)snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d/%s", dirfd, LEAF); /* fits */
	r = bind(sock, (const struct sockaddr *)&a, sizeof a) < 0 ? -errno : 0;
	(void)umask(mask);
	return r;
}

int control_start(struct exo *x)
{
	struct control *k = &x->control;
	int r = sn_dir_unlink(x->run_fd, LEAF); /* of an exo that was killed: we hold the lock */

	if (r < 0)
		return r;
	k->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (k->fd < 0)
		return -errno;
	r = bind_in(x->run_fd, k->fd);
	if (r == 0 && (fchmodat(x->run_fd, LEAF, 0666, 0) < 0 || listen(k->fd, CONTROL_CLIENTS) < 0))
		r = -errno;
	if (r < 0)
		return r;
	ev_io_init(&k->io, on_connect, k->fd, EV_READ);
	ev_timer_init(&k->breath, on_breath, BREATH_S, BREATH_S);
	k->io.data = k->breath.data = x;
	ev_io_start(x->loop, &k->io);
	return 0;
}

void control_sweep(struct exo *x)
{
	struct control *k = &x->control;

	if (!k->sweep)
		return;
	k->sweep = false;
	for (struct client **at = &k->clients; *at != NULL;) {
		struct client *c = *at;

		if (!c->dead) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		*(c->refused ? &k->refused_count : &k->client_count) -= 1;
		asks_drop_client(c, NULL);
		withdraw_drop_client(c);
		item_list_release(&c->follows);
		sn_buf_release(&c->out);
		free(c->in);
		free(c);
	}
}

void control_stop(struct exo *x)
{
	struct control *k = &x->control;

	if (k->fd < 0)
		return;
	withdraw_stop(x);
	for (struct client *c = k->clients; c != NULL; c = c->next) {
		client_end(c, SN_EXIT_TRY_AGAIN);
		cut_off(c);
	}
	control_sweep(x);
	ev_io_stop(x->loop, &k->io);
	ev_timer_stop(x->loop, &k->breath);
	unlink_quietly(x->run_fd, LEAF);
	(void)close(k->fd);
	k->fd = -1;
}
