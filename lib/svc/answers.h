/* Who is answered in one directory of journals (work/result, or a bucket of done/): they are read once, however many
 * workitems are asked for.
 *
 *	struct sn_answers answers = {0};
 *	r = sn_answers_read(&answers, dir);
 *	if (sn_answers_find(&answers, name) != NULL) …
 *	sn_answers_release(&answers);
 */
#ifndef SN_ANSWERS_H
#define SN_ANSWERS_H

#include "data/result.h"

struct sn_answer {
	char name[SN_NAME_SIZE];
	enum sn_outcome outcome;
	unsigned attempt;
	size_t order; /* of two answers to one workitem the first counts */
};
struct sn_answers { /* by name */
	struct sn_answer *list;
	size_t count, cap;
};

/* Adds what the journals of dir hold, cut short or damaged ones as far as they can be read; messages are left out. 0 or
 * -errno: what was found until then is there. */
int sn_answers_read(struct sn_answers *a, int dir) SN_CHECK;
/* Borrowed; NULL: it is not answered there. */
const struct sn_answer *sn_answers_find(const struct sn_answers *a, const char *name) SN_CHECK;
void sn_answers_release(struct sn_answers *a);

#endif
