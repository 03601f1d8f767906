/* What a client may ask, and with which options. */
#include <stdlib.h>

#include "cancel.h"
#include "control.h"
#include "exo.h"

static const double KILL_MAX_S = 86400;

enum { TAKES_KEY = 1, TAKES_WAIT = 2, TAKES_CANCEL = 4 };

static const struct verb {
	const char *word;
	unsigned takes;
	double wait_s, wait_max_s;
	void (*run)(struct client *, const struct request *);
} VERBS[] = {
	{"status", TAKES_KEY | TAKES_WAIT, 0.1, 60, enquiry_status},
	{"cancel", TAKES_KEY | TAKES_WAIT | TAKES_CANCEL, 0, 3600, cancel_request},
	{"stacks", TAKES_KEY, 0, 0, enquiry_stacks},
};

/* Seconds, from a number of `unit`s. False: none, or over max_s. */
static bool parse_time(const char *text, double unit_s, double max_s, double *ret)
{
	unsigned long n;
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	n = strtoul(text, &end, 10);
	if (errno != 0 || *end != '\0' || (double)n * unit_s > max_s)
		return false;
	*ret = (double)n * unit_s;
	return true;
}

static bool parse_option(const struct verb *v, const char *word, struct request *rq)
{
	if ((v->takes & TAKES_WAIT) != 0 && strncmp(word, "wait=", 5) == 0)
		return parse_time(word + 5, 0.001, v->wait_max_s, &rq->wait_s);
	if ((v->takes & TAKES_CANCEL) != 0 && strncmp(word, "kill=", 5) == 0)
		return parse_time(word + 5, 1, KILL_MAX_S, &rq->kill_s) && rq->kill_s > 0;
	if ((v->takes & TAKES_CANCEL) != 0 && strcmp(word, "quiet=yes") == 0)
		return rq->quiet = true;
	return (v->takes & TAKES_CANCEL) != 0 && strcmp(word, "quiet=no") == 0;
}

static const struct verb *find_verb(const char *word)
{
	for (size_t i = 0; i < SN_COUNT(VERBS); i++) {
		if (strcmp(VERBS[i].word, word) == 0)
			return &VERBS[i];
	}
	return NULL;
}

/* "VERB [KEY] [option=value]…" */
void request_obey(struct client *c, char *line)
{
	char *rest = line, *word = strsep(&rest, " ");
	const struct verb *v = find_verb(word);
	struct request rq = {0};

	if (v == NULL) {
		client_error(c, SN_EXIT_USAGE, "no such verb");
		return;
	}
	rq.wait_s = v->wait_s;
	while ((word = strsep(&rest, " ")) != NULL) {
		if (word[0] == '\0')
			continue;
		if (strchr(word, '=') == NULL && rq.key == NULL && (v->takes & TAKES_KEY) != 0 &&
		    strlen(word) < CONTROL_KEY_SIZE) {
			rq.key = word;
		} else if (!parse_option(v, word, &rq)) {
			client_error(c, SN_EXIT_USAGE, "no such option, or a bad value");
			return;
		}
	}
	c->wait_s = rq.wait_s;
	v->run(c, &rq);
}
