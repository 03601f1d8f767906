#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "publisher_private.h"

static const char *const STATE_NAMES[PUB_STATES] = {[PUB_CONNECTING] = "connecting",
						    [PUB_RESOLVING] = "resolving",
						    [PUB_READY] = "connected",
						    [PUB_BLOCKED] = "blocked"};

void job_free(struct job *j)
{
	if (j->own_body) {
		void *p;

		memcpy(&p, &j->body, sizeof p);
		free(p);
	}
	free(j);
}

void publisher_set_state(struct publisher *p, enum pub_state state)
{
	pthread_mutex_lock(&p->lock);
	p->state = state;
	p->changed = true;
	if (state == PUB_READY)
		p->trouble[0] = '\0';
	p->socket = p->conn != NULL ? amqp_get_sockfd(p->conn) : -1;
	pthread_mutex_unlock(&p->lock);
	ev_async_send(p->b->loop, &p->b->wake);
}

bool publisher_must_end(struct publisher *p)
{
	bool end;

	pthread_mutex_lock(&p->lock);
	end = p->stop || p->reconnect;
	pthread_mutex_unlock(&p->lock);
	return end;
}

void publisher_wait(struct publisher *p, int64_t timeout_ns)
{
	const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000),
					 .tv_nsec = (long)(timeout_ns % 1000000000)};
	struct pollfd fds[2] = {{.fd = p->wake_fd, .events = POLLIN},
				{.fd = p->conn != NULL ? amqp_get_sockfd(p->conn) : -1, .events = POLLIN}};
	uint64_t n;

	pthread_mutex_unlock(&p->serving);
	if (ppoll(fds, 2, &timeout, NULL) > 0 && (fds[0].revents & POLLIN) != 0 &&
	    read(p->wake_fd, &n, sizeof n) < 0) {
		/* nobody else reads it; nothing is lost */
	}
	pthread_mutex_lock(&p->serving);
}

size_t publisher_wake_at(struct publisher *p, size_t count)
{
	size_t waiting;

	pthread_mutex_lock(&p->lock);
	p->wake_at = count;
	waiting = p->waiting;
	pthread_mutex_unlock(&p->lock);
	return waiting;
}

void publisher_hand_back(struct publisher *p, struct job_list *jobs)
{
	struct job *j;

	pthread_mutex_lock(&p->lock);
	STAILQ_FOREACH(j, jobs, link)
	{
		if (j->outcome == JOB_KNOWN) {
			p->known = true;
			continue;
		}
		p->pending--;
		p->pending_bytes -= j->len;
	}
	STAILQ_CONCAT(&p->done, jobs);
	p->collected++;
	pthread_mutex_unlock(&p->lock);
	ev_async_send(p->b->loop, &p->b->wake);
}

/* ---- the thread -------------------------------------------------------- */

static void tell_trouble(struct publisher *p, const char *what, const char *why)
{
	sn_warn("%s: %s", what, why);
	pthread_mutex_lock(&p->lock);
	(void)snprintf(p->trouble, sizeof p->trouble, "%s: %s", what, why);
	p->changed = true;
	pthread_mutex_unlock(&p->lock);
	ev_async_send(p->b->loop, &p->b->wake);
}

static int64_t open_link(struct publisher *p)
{
	struct link_settings s;
	struct link_try t = {.attempt = p->host, .purpose = "SkyNET amqp-spool: replies"};
	char what[LINK_WHERE_SIZE + 32];

	pthread_mutex_lock(&p->lock);
	s = p->settings; /* the main thread replaces them only through publisher_reconnect */
	pthread_mutex_unlock(&p->lock);
	p->conn = link_open(&s, &t);
	if (p->conn == NULL) {
		(void)snprintf(what, sizeof what, "cannot connect to %s for replies", t.where);
		tell_trouble(p, what, t.why);
		p->host++;
		return -1;
	}
	return s.heartbeat_s > 0 ? s.heartbeat_s * INT64_C(500000000) : INT64_C(60000000000);
}

static bool session(struct publisher *p)
{
	int64_t half_ns = open_link(p);
	bool ready;

	if (half_ns < 0)
		return false;
	p->blocked = p->lost = false;
	memset(p->routable, 0, sizeof p->routable);
	publisher_set_state(p, PUB_RESOLVING);
	ready = probe_declare(p) && batch_resolve(p) && batch_select(p);
	if (ready) {
		p->attempts = 0;
		publisher_set_state(p, PUB_READY);
		batch_serve(p, half_ns);
	}
	if (!publisher_must_end(p))
		tell_trouble(p, "lost the connection for replies", p->why);
	link_close(p->conn, publisher_must_end(p));
	p->conn = NULL;
	publisher_set_state(p, PUB_CONNECTING);
	return ready;
}

/* HUP: whoever sent it does not want to wait. */
static bool take_hurry(struct publisher *p)
{
	bool hurry;

	pthread_mutex_lock(&p->lock);
	hurry = p->hurry;
	p->hurry = false;
	pthread_mutex_unlock(&p->lock);
	if (hurry)
		p->attempts = 0;
	return hurry;
}

static void back_off(struct publisher *p)
{
	const int64_t until = sn_clock_mono_ns() + (int64_t)(link_backoff_s(++p->attempts) * 1e9);
	int64_t left;

	while (!publisher_must_end(p) && !take_hurry(p) && (left = until - sn_clock_mono_ns()) > 0)
		publisher_wait(p, left);
}

static void *publisher_main(void *arg)
{
	struct publisher *p = arg;
	bool stop;

	pthread_mutex_lock(&p->serving);
	do {
		(void)session(p); /* what ended it is logged */
		pthread_mutex_lock(&p->lock);
		p->reconnect = false;
		pthread_mutex_unlock(&p->lock);
		back_off(p);
		pthread_mutex_lock(&p->lock);
		stop = p->stop;
		pthread_mutex_unlock(&p->lock);
	} while (!stop);
	pthread_mutex_unlock(&p->serving);
	return NULL;
}

/* ---- the main thread's side -------------------------------------------- */

static void wake(struct publisher *p)
{
	const uint64_t one = 1;

	if (write(p->wake_fd, &one, sizeof one) < 0) {
		/* the counter is full: it wakes as well */
	}
}

bool publisher_submit(struct publisher *p, struct job *j)
{
	bool room;

	pthread_mutex_lock(&p->lock);
	room = p->state == PUB_READY && !p->known && p->pending < JOBS_MAX &&
	       (p->pending == 0 || p->pending_bytes + j->len <= PENDING_BYTES);
	if (room) {
		STAILQ_INSERT_TAIL(&p->submitted, j, link);
		p->waiting++;
		p->pending++;
		p->pending_bytes += j->len;
	}
	pthread_mutex_unlock(&p->lock);
	return room;
}

void publisher_kick(struct publisher *p)
{
	bool wanted;

	pthread_mutex_lock(&p->lock);
	wanted = p->waiting > p->kicked && p->waiting >= p->wake_at;
	p->kicked = p->waiting;
	pthread_mutex_unlock(&p->lock);
	if (wanted && !batch_offer(p))
		wake(p);
}

void publisher_collect(struct publisher *p, struct job_list *out)
{
	STAILQ_INIT(out);
	pthread_mutex_lock(&p->lock);
	STAILQ_CONCAT(out, &p->done);
	p->known = false;
	pthread_mutex_unlock(&p->lock);
}

void publisher_retired(struct publisher *p)
{
	bool more;

	pthread_mutex_lock(&p->lock);
	more = p->retired != p->collected && STAILQ_EMPTY(&p->done);
	if (more)
		p->retired = p->collected;
	more = more && p->waiting > 0 && p->waiting >= p->wake_at;
	pthread_mutex_unlock(&p->lock);
	if (more)
		wake(p);
}

bool publisher_ready(struct publisher *p)
{
	bool ready;

	pthread_mutex_lock(&p->lock);
	ready = p->state == PUB_READY && !p->known && p->pending < JOBS_MAX &&
		p->pending_bytes < PENDING_BYTES;
	pthread_mutex_unlock(&p->lock);
	return ready;
}

const char *publisher_state(struct publisher *p)
{
	enum pub_state s;

	pthread_mutex_lock(&p->lock);
	s = p->state;
	pthread_mutex_unlock(&p->lock);
	return STATE_NAMES[s];
}

bool publisher_changed(struct publisher *p)
{
	bool changed;

	pthread_mutex_lock(&p->lock);
	changed = p->changed;
	p->changed = false;
	pthread_mutex_unlock(&p->lock);
	return changed;
}

void publisher_trouble(struct publisher *p, char ret[LINK_TROUBLE_SIZE])
{
	pthread_mutex_lock(&p->lock);
	memcpy(ret, p->trouble, sizeof p->trouble);
	pthread_mutex_unlock(&p->lock);
}

size_t publisher_pending(struct publisher *p)
{
	size_t n;

	pthread_mutex_lock(&p->lock);
	n = p->pending;
	pthread_mutex_unlock(&p->lock);
	return n;
}

void publisher_reconnect(struct publisher *p)
{
	char why[LINK_WHY_SIZE];
	struct link_settings s;

	if (link_settings_init(&s, &p->b->config, p->b->home.etc, why) < 0) {
		sn_err("cannot connect for replies: %s", why);
		return;
	}
	pthread_mutex_lock(&p->lock);
	/* The former ones are not freed: the thread may be connecting with them. A reload is rare. */
	p->settings = s;
	p->reconnect = true;
	pthread_mutex_unlock(&p->lock);
	wake(p);
}

void publisher_hurry(struct publisher *p)
{
	pthread_mutex_lock(&p->lock);
	p->hurry = p->state == PUB_CONNECTING;
	pthread_mutex_unlock(&p->lock);
	wake(p);
}

struct publisher *publisher_new(struct bridge *b)
{
	struct publisher *p = sn_calloc(1, sizeof *p);
	struct job_list taken;
	char why[LINK_WHY_SIZE] = "";
	int r;

	p->b = b;
	p->socket = -1;
	p->wake_at = 1;
	STAILQ_INIT(&p->submitted);
	STAILQ_INIT(&p->done);
	p->taken = p->text = SN_BUF(OUTBOX_MAX);
	pthread_mutex_init(&p->lock, NULL);
	pthread_mutex_init(&p->serving, NULL);
	p->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = p->wake_fd < 0 ? -errno : probe_load_id(p);
	if (r == 0)
		r = link_settings_init(&p->settings, &b->config, b->home.etc, why);
	if (r == 0 && getrandom(&p->epoch, sizeof p->epoch, 0) < 0)
		r = -errno;
	if (r == 0)
		r = p->outbox = outbox_open(b->rundir);
	if (r >= 0)
		r = outbox_read(p->outbox, &taken, &p->current, p->batch_id);
	if (r == -EINVAL) {
		sn_warn("run/amqp-spool/outbox is damaged: replies that were under way may go out twice");
		r = 0;
	}
	if (r == 0) {
		p->known = !STAILQ_EMPTY(&taken);
		STAILQ_CONCAT(&p->done, &taken); /* known before anything is asked */
		r = -pthread_create(&p->thread, NULL, publisher_main, p);
	}
	if (r < 0) {
		(void)snprintf(b->why, sizeof b->why, "%s", why[0] != '\0' ? why : strerror(-r));
		sn_err("cannot start publishing: %s", b->why);
		free(p);
		return NULL;
	}
	return p;
}

void publisher_free(struct publisher *p, double seconds)
{
	struct timespec until;

	if (p == NULL)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_mutex_unlock(&p->lock);
	wake(p);
	(void)clock_gettime(CLOCK_REALTIME, &until); /* cannot fail for this clock */
	until.tv_sec += (time_t)seconds;
	if (pthread_timedjoin_np(p->thread, NULL, &until) != 0) {
		pthread_mutex_lock(&p->lock);
		if (p->socket >= 0)
			(void)shutdown(p->socket, SHUT_RDWR); /* it waits for a broker that does not read */
		pthread_mutex_unlock(&p->lock);
	}
}
