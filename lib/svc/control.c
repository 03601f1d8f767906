#include "svc/control.h"

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "base/mem.h"
#include "svc/pretty.h"
#include "sys/dir.h"

enum { RETRY_MS = 10, READ_SIZE = 65536 };

bool sn_control_key_valid(const char *key)
{
	size_t len = strlen(key);

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)key[i];

		if (c <= ' ' || c == '=' || c == 0x7f)
			return false;
	}
	return len > 0 && len <= SN_CONTROL_REQUEST_MAX / 2 && strcmp(key, "-") != 0;
}

/* The socket by O_PATH, so that no link leads us elsewhere: run/NAME is the participant's, and we may be root. */
static int open_socket(const struct sn_home *h, const char *participant, uid_t *ret_owner)
{
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", h->run, participant);
	SN_AUTOFD int dir = sn_dir_open(AT_FDCWD, path);
	SN_AUTOFD int fd = -1;
	struct stat st;

	if (dir < 0)
		return dir;
	if (fstat(dir, &st) < 0)
		return -errno;
	*ret_owner = st.st_uid;
	fd = openat(dir, "control", O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISSOCK(st.st_mode) || st.st_uid != *ret_owner)
		return -EPERM;
	return sn_fd_steal(&fd);
}

/* 0; -EAGAIN: its queue is full, try again later; -EPERM: who listens is not whose socket it is; -errno. */
static int establish(struct sn_control *c)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};
	struct ucred peer;
	socklen_t len = sizeof peer;

	(void)snprintf(a.sun_path, sizeof a.sun_path, "/proc/self/fd/%d", c->path); /* it fits */
	if (connect(c->fd, (const struct sockaddr *)&a, sizeof a) < 0)
		return -errno;
	c->connected = true;
	if (getsockopt(c->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return -errno;
	return peer.uid == c->owner ? 0 : -EPERM;
}

int sn_control_open(const struct sn_home *h, const char *participant, const char *request,
		    struct sn_control *ret)
{
	struct sn_control c = {.fd = -1, .path = -1, .in = SN_BUF(SN_CONTROL_LINE_MAX + 2 * READ_SIZE)};
	int r;

	if (!sn_participant_valid(participant) || strlen(request) >= SN_CONTROL_REQUEST_MAX)
		return -EINVAL;
	(void)snprintf(c.participant, sizeof c.participant, "%s", participant); /* it fits */
	c.path = open_socket(h, participant, &c.owner);
	if (c.path < 0)
		return c.path;
	c.fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	r = c.fd < 0 ? -errno : establish(&c);
	if (r < 0 && r != -EAGAIN) {
		if (c.fd >= 0)
			(void)close(c.fd); /* nothing was sent */
		(void)close(c.path);
		return r;
	}
	c.request = sn_asprintf("%s\n", request);
	*ret = c;
	return 0;
}

static void finish(struct sn_control *c, enum sn_control_end end, const char *why)
{
	c->end = end;
	if (why != NULL)
		(void)snprintf(c->why, sizeof c->why, "%s", why);
	if (c->fd >= 0)
		(void)close(c->fd); /* what was asked is asked */
	c->fd = -1;
}

static void take_line(struct sn_control *c, const char *text, size_t len, sn_control_line *each, void *arg)
{
	static const char *const KEYS[] = {"type", "code", "error"};
	struct sn_span v[3];
	char type[32];

	if (sn_json_object(text, len, KEYS, v, 3) < 0 || sn_json_text(v[0], type, sizeof type) == 0) {
		finish(c, SN_CONTROL_BROKEN, "it sent what is none of the protocol");
		return;
	}
	c->end = SN_CONTROL_CUT;
	if (strcmp(type, "end") != 0 && strcmp(type, "error") != 0) {
		if (each != NULL)
			each(arg, c, type, (struct sn_span){.data = text, .len = len});
		return;
	}
	(void)sn_json_text(v[2], c->why, sizeof c->why); /* cut where it is longer */
	c->code = (int)sn_json_number(v[1], SN_EXIT_FAILED);
	if (c->code < 0 || c->code > 255 || (type[1] == 'r' && c->code == 0))
		c->code = SN_EXIT_FAILED;
	finish(c, SN_CONTROL_ENDED, NULL);
}

static void take_lines(struct sn_control *c, sn_control_line *each, void *arg)
{
	size_t from = 0;

	while (c->fd >= 0) {
		char *nl = memchr(c->in.data + c->at, '\n', c->in.len - c->at);

		if (nl == NULL)
			break;
		*nl = '\0';
		take_line(c, c->in.data + from, (size_t)(nl - c->in.data) - from, each, arg);
		from = c->at = (size_t)(nl - c->in.data) + 1;
	}
	c->in.len -= from;
	memmove(c->in.data, c->in.data + from, c->in.len);
	c->at = c->in.len; /* where to look for the next newline */
	if (c->fd >= 0 && c->in.len > SN_CONTROL_LINE_MAX)
		finish(c, SN_CONTROL_BROKEN, "it sent an endless line");
}

/* One read for each turn: nobody keeps the others waiting. */
static void receive(struct sn_control *c, sn_control_line *each, void *arg)
{
	char *to = sn_buf_reserve(&c->in, READ_SIZE);
	ssize_t n = to == NULL ? -1 : read(c->fd, to, READ_SIZE);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		finish(c, SN_CONTROL_BROKEN, n == 0 ? "it closed the connection" : strerror(errno));
		return;
	}
	c->in.len += (size_t)n;
	c->sum += (size_t)n;
	take_lines(c, each, arg);
	if (c->fd >= 0 && c->sum > SN_CONTROL_SUM_MAX)
		finish(c, SN_CONTROL_BROKEN, "it sent too much");
}

static void transmit(struct sn_control *c)
{
	size_t len = strlen(c->request);
	ssize_t n = send(c->fd, c->request + c->sent, len - c->sent, MSG_NOSIGNAL);

	if (n > 0)
		c->sent += (size_t)n;
	else if (n < 0 && errno == EPIPE)
		c->sent = len; /* it may have said why before it closed */
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		finish(c, SN_CONTROL_BROKEN, strerror(errno));
}

/* The queue of connections was full: exo is busy, or hangs. */
static void try_connect(struct sn_control *c)
{
	int r = establish(c);

	if (r < 0 && r != -EAGAIN)
		finish(c, SN_CONTROL_BROKEN, strerror(-r));
}

/* What to wait for with one; false: it has ended. */
static bool prepare(struct sn_control *c, struct pollfd *p, int *timeout_ms)
{
	*p = (struct pollfd){.fd = -1};
	if (c->fd >= 0 && !c->connected)
		try_connect(c);
	if (c->fd < 0)
		return false;
	if (!c->connected && *timeout_ms > RETRY_MS)
		*timeout_ms = RETRY_MS;
	if (c->connected)
		*p = (struct pollfd){.fd = c->fd,
				     .events = (short)(POLLIN | (c->request[c->sent] != '\0' ? POLLOUT : 0))};
	return true;
}

void sn_control_run(struct sn_control *list, size_t count, int64_t until_ns, sn_control_line *each, void *arg)
{
	struct pollfd *polls = sn_calloc(count + 1, sizeof *polls);
	bool last = false;

	while (!last) {
		int64_t left = (until_ns - sn_clock_mono_ns() + 999999) / 1000000;
		int timeout = left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
		bool alive = false;

		last = left <= 0; /* then once more, what has come meanwhile counts */
		for (size_t i = 0; i < count; i++)
			alive = prepare(&list[i], &polls[i], &timeout) || alive;
		if (!alive)
			break;
		if (poll(polls, count, timeout) <= 0)
			continue;
		for (size_t i = 0; i < count; i++) {
			if ((polls[i].revents & POLLOUT) != 0 && list[i].fd >= 0)
				transmit(&list[i]);
			if ((polls[i].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && list[i].fd >= 0)
				receive(&list[i], each, arg);
		}
	}
	free(polls);
}

void sn_control_close(struct sn_control *c)
{
	if (c->fd >= 0)
		(void)close(c->fd); /* ends the enquiry, not what it set in motion */
	if (c->path >= 0)
		(void)close(c->path);
	free(c->request);
	sn_buf_release(&c->in);
	*c = (struct sn_control){.fd = -1, .path = -1};
}

static void print_string(struct sn_span string)
{
	struct sn_buf line = SN_BUF(5 * SN_CONTROL_SUM_MAX);
	SN_AUTOFREE char *text = sn_malloc(string.len + 1);
	size_t len = sn_json_text(string, text, string.len + 1);

	if (len == 0)
		putchar('-');
	else if (sn_pretty_line(text, len, &line) == 0)
		(void)fwrite(line.data, 1, line.len, stdout); /* an error shows at the end */
	sn_buf_release(&line);
}

/* JSON for people: as sn_control_print_json(), and what is hidden in it. */
static void print_value(struct sn_span json)
{
	for (size_t i = 0; i < json.len; i++) {
		unsigned c;
		size_t n = sn_pretty_hidden(json.data + i, json.len - i, &c);

		if (n > 0)
			printf("\\u%04x", c);
		else
			putchar((unsigned char)json.data[i] < ' ' ? ' ' : json.data[i]);
		i += n > 0 ? n - 1 : 0;
	}
}

void sn_control_print(const char *before, struct sn_span value)
{
	fputs(before, stdout);
	if (value.data == NULL || value.len == 0)
		putchar('-');
	else if (value.data[0] == '"')
		print_string(value);
	else
		print_value(value);
}

void sn_control_print_json(struct sn_span json)
{
	for (size_t i = 0; i < json.len; i++) {
		unsigned char c = (unsigned char)json.data[i], next = (unsigned char)json.data[i + 1];

		if (c < ' ')
			putchar(' '); /* between tokens: in strings there is none */
		else if (c == 0x7f)
			fputs("\\u007f", stdout);
		else if (c == 0xc2 &&
			 next < 0xa0) /* U+0080 to U+009F; UTF-8 was checked, so there is a next */
			printf("\\u%04x", (unsigned char)json.data[++i]);
		else
			putchar(c);
	}
}
