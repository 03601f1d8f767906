/* What exo itself says about a workitem: that its worker died, and, past max_attempts, the error reply. */
#include "answer.h"
#include "exo.h"

void crash_report(const struct item *it, const char *why, const struct ring *ring)
{
	const char *line;

	sn_err("name=%s attempt=%u: worker %s", it->name, it->attempt, why);
	for (unsigned i = 0; (line = ring_line(ring, i)) != NULL; i++)
		sn_err("name=%s attempt=%u: its last lines: %s", it->name, it->attempt, line);
}

void crash_answer(struct exo *x, const struct item *it, const char *why, const struct ring *ring)
{
	const struct death *d = deaths_find(&x->deaths, it->name);
	unsigned tried = d != NULL && d->count > it->attempt ? d->count : it->attempt;
	const bool late = d != NULL && d->late;
	char message[DEATH_WHY_SIZE + 64], times[32] = "";

	if (!late)
		(void)snprintf(times, sizeof times, " (%u attempt%s)", tried,
			       tried == 1 ? "" : "s");				  /* fits */
	(void)snprintf(message, sizeof message, "%s: %s%s", x->name, why, times); /* cut if ever */
	/* If not now: its note and x->deaths remember the attempts. */
	(void)!answer_unless_held(x, it,
				  &(struct answer){.outcome = late ? SN_TIMED_OUT : SN_CRASH,
						   .message = message,
						   .ring = ring});
}
