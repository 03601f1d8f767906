/* A participant as a shared library: counts the workitems it has seen, in its own process, without a fork for each.
 *
 * Reply: field `tally`. The count starts at TALLY_FROM of the environment (etc/NAME.env). For the tests: the field
 * `crash` ends the process, the field `wait` (a file's name) waits for that file, or for a cancel. */
#include <skynet/participant.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned long tally;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* cancels come on another thread */
static char cancelled[128];				 /* the name of the workitem that was cancelled */

static int is_cancelled(const struct skynet_workitem *in)
{
	int yes;

	(void)pthread_mutex_lock(&lock);
	yes = strcmp(cancelled, in->name) == 0;
	(void)pthread_mutex_unlock(&lock);
	return yes;
}

static void cancel(const struct skynet_workitem *which)
{
	(void)pthread_mutex_lock(&lock);
	(void)snprintf(cancelled, sizeof cancelled, "%s", which != NULL ? which->name : "");
	(void)pthread_mutex_unlock(&lock);
}

/* The string behind "key":" up to its closing quote, in `out`; 0 if there is none. Enough for an example. */
static int text_field(const char *json, const char *key, char *out, size_t size)
{
	const char *at = strstr(json, key);
	size_t len;

	if (at == NULL)
		return 0;
	at += strlen(key);
	len = strcspn(at, "\"");
	if (len >= size)
		return 0;
	memcpy(out, at, len);
	out[len] = '\0';
	return 1;
}

static void give_back(struct skynet_reply *reply)
{
	free(reply->data);
}

int skynet_handle(const struct skynet_workitem *in, struct skynet_reply *out)
{
	static const char FIELDS[] = "\"fields\":{";
	const char *fields = strstr(in->json, FIELDS);
	const size_t room = in->len + 64;
	char file[256], *json;
	int n;

	if (strstr(in->json, "\"crash\":true") != NULL)
		abort();
	while (text_field(in->json, "\"wait\":\"", file, sizeof file) && access(file, F_OK) < 0 &&
	       !is_cancelled(in))
		(void)usleep(10000);
	if (is_cancelled(in)) {
		out->error = "cancelled";
		return 2;
	}
	if (fields == NULL) {
		out->error = "no fields";
		return 2;
	}
	fields += sizeof FIELDS - 1;
	json = malloc(room);
	if (json == NULL) {
		out->error = "no memory";
		return 2;
	}
	n = snprintf(json, room, "%.*s\"tally\":%lu%s%s", (int)(fields - in->json), in->json, ++tally,
		     *fields == '}' ? "" : ",", fields);
	(void)printf("%s: number %lu\n", in->wfid, tally); /* goes to the log */
	out->json = out->data = json;
	out->len = (size_t)n;
	out->release = give_back;
	return 0;
}

int skynet_control(const struct skynet_control *message)
{
	const char *from = getenv("TALLY_FROM");

	switch (message->message) {
	case SKYNET_START:
		tally = from != NULL ? strtoul(from, NULL, 10) : 0;
		if (from == NULL || tally > 0 || strcmp(from, "0") == 0)
			return 0;
		(void)snprintf(message->answer, message->answer_size, "TALLY_FROM is no number");
		return 1;
	case SKYNET_CANCEL:
		cancel(message->workitem);
		return 0;
	case SKYNET_STATUS:
		(void)snprintf(message->answer, message->answer_size, "{\"tally\":%lu}", tally);
		return 0;
	case SKYNET_STOP:
		(void)printf("%lu in all\n", tally);
		return 0;
	default:
		return SKYNET_UNSUPPORTED;
	}
}
