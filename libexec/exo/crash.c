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
	char message[DEATH_WHY_SIZE + 64];
	struct stat st;
	SN_AUTOFD int lock = sn_claim(&x->spool, it->name, &st); /* nobody holds it meanwhile */

	if (lock == -ENOENT) { /* its note and x->deaths remember the attempts */
		sn_info("name=%s: held, or not there any more: no error reply now", it->name);
		return;
	}
	(void)snprintf(message, sizeof message, "%s: %s (%u attempt%s)", x->name, why, tried,
		       tried == 1 ? "" : "s"); /* cut if ever */
	(void)!answer_make(x, it, &(struct answer){.outcome = SN_CRASH, .message = message, .ring = ring});
}
