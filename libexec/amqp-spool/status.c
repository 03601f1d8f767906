#include "svc/status.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "air.h"
#include "bridge.h"
#include "consumer.h"
#include "publisher.h"

void status_touch(struct bridge *b)
{
	b->status_dirty = true;
}

static const char *participant_state(const struct bridge *b, const struct participant *p)
{
	if (p->held)
		return "held";
	if (b->full)
		return "full";
	if (b->consumer == NULL)
		return "brokerless";
	return p->ch.state == CH_CONSUMING ? "consuming" : "declaring";
}

static const char *bridge_state(struct bridge *b, const char **ret_where)
{
	const char *replies;

	*ret_where = "";
	if (b->stopping)
		return "stopping";
	if (b->consumer == NULL)
		return "brokerless";
	if (!consumer_connected(b->consumer, ret_where) || b->publisher == NULL)
		return "connecting";
	replies = publisher_state(b->publisher);
	return strcmp(replies, "resolving") == 0 ? "connecting" : replies;
}

/* Why it is connecting still: of the two connections the one that takes work first. */
static char *broker_trouble(struct bridge *b)
{
	char replies[LINK_TROUBLE_SIZE] = "";

	if (b->consumer == NULL || b->stopping)
		return NULL;
	if (consumer_trouble(b->consumer)[0] != '\0')
		return sn_strdup(consumer_trouble(b->consumer));
	if (b->publisher != NULL)
		publisher_trouble(b->publisher, replies);
	return replies[0] != '\0' ? sn_strdup(replies) : NULL;
}

void status_alive(struct bridge *b)
{
	if (utimensat(b->rundir, "status", NULL, AT_SYMLINK_NOFOLLOW) < 0)
		sn_debug("cannot touch run/amqp-spool/status: %s", strerror(errno));
}

void status_write(struct bridge *b, const char *state)
{
	struct sn_buf extra = SN_BUF(1 << 20);
	const char *where = "", *now = bridge_state(b, &where);
	struct sn_status s = {.pid = getpid(), .since_us = b->started_us, .code = b->exit_code};
	struct participant *p;
	int r = 0;

	TAILQ_FOREACH(p, &b->participants, link)
	{
		if (r == 0 && p->ch.state == CH_FAILED && p->error != NULL)
			r = sn_buf_addf(&extra, "participant.%s: error %s\n", p->name, p->error);
		else if (r == 0)
			r = sn_buf_addf(&extra, "participant.%s: %s\n", p->name, participant_state(b, p));
	}
	if (r == 0)
		r = participants_unusable(b, &extra);
	if (r == 0)
		r = air_status(b->air, &extra);
	s.state = sn_strdup(state != NULL ? state : now);
	s.broker = sn_strdup(where);
	s.extra = extra.data;
	if (b->full)
		s.reason = sn_asprintf("%s: nothing is taken from the broker", bridge_full_reason(b));
	else if (b->retiring > 0)
		s.reason = sn_asprintf("what is answered cannot be retired: %s", strerror(-b->retire_error));
	else
		s.reason = broker_trouble(b);
	if (s.reason == NULL && b->no_queue[0] != '\0')
		s.reason = sn_asprintf("replies are kept: the broker has no queue %s", b->no_queue);
	if (s.reason == NULL && b->warning[0] != '\0')
		s.reason = sn_strdup(b->warning);
	r = sn_status_write(b->rundir, &s);
	if (r < 0)
		sn_warn("cannot write run/amqp-spool/status: %s", strerror(-r));
	b->run_failed = b->run_failed || r < 0;
	b->status_dirty = false;
	s.extra = NULL;
	sn_buf_release(&extra);
	sn_status_release(&s);
}
