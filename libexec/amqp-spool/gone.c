#include "gone.h"

#include <stdlib.h>

#include "publisher.h"
#include "sys/dir.h"

enum { LINE_MAX_BYTES = 65 + SN_ATTEMPT_SIZE + 2 };
static const char FILE_LEAF[] = "taken";

/* ---- on its way -------------------------------------------------------- */

struct detached {
	STAILQ_ENTRY(detached) link;
	char participant[65], leaf[SN_ATTEMPT_SIZE];
	struct sn_buf text;
};

void gone_detach(const struct item *it, const char *leaf, struct sn_buf *text)
{
	struct detached *d = sn_calloc(1, sizeof *d);

	sn_copy_text(d->participant, sizeof d->participant, it->p->name);
	sn_copy_text(d->leaf, sizeof d->leaf, leaf);
	d->text = *text;
	*text = SN_BUF(0);
	STAILQ_INSERT_TAIL(&it->p->b->detached, d, link);
}

static struct detached *find(const struct bridge *b, const char *participant, const char *leaf)
{
	struct detached *d;

	STAILQ_FOREACH(d, &b->detached, link)
	{
		if (strcmp(d->leaf, leaf) == 0 && strcmp(d->participant, participant) == 0)
			break;
	}
	return d;
}

bool gone_is_out(const struct bridge *b, const char *participant, const char *leaf)
{
	return find(b, participant, leaf) != NULL;
}

void gone_is_back(struct bridge *b, const struct job *j)
{
	struct detached *d = find(b, j->participant, j->leaf);

	if (d == NULL)
		return;
	STAILQ_REMOVE(&b->detached, d, detached, link);
	sn_buf_release(&d->text);
	free(d);
}

/* ---- with the broker --------------------------------------------------- */

struct taken {
	STAILQ_ENTRY(taken) link;
	char participant[65], leaf[SN_ATTEMPT_SIZE];
};

static void forget(struct bridge *b, struct taken *t)
{
	STAILQ_REMOVE(&b->taken, t, taken, link);
	b->taken_count--;
	b->taken_changed = true;
	free(t);
}

void gone_taken(struct bridge *b, const char *participant, const char *leaf)
{
	struct taken *t;

	STAILQ_FOREACH(t, &b->taken, link)
	{
		if (strcmp(t->leaf, leaf) == 0 && strcmp(t->participant, participant) == 0)
			return; /* the outbox says so as well, after a start */
	}
	t = sn_calloc(1, sizeof *t);
	sn_copy_text(t->participant, sizeof t->participant, participant);
	sn_copy_text(t->leaf, sizeof t->leaf, leaf);
	STAILQ_INSERT_TAIL(&b->taken, t, link);
	b->taken_count++;
	b->taken_changed = true;
	if (b->taken_count <= GONE_TAKEN_MAX)
		return;
	t = STAILQ_FIRST(&b->taken);
	sn_warn("participant=%s name=%s: was sent, and goes out again when its participant, or another bridge, comes",
		t->participant, t->leaf);
	forget(b, t);
}

void gone_remember(struct item *it, const char *leaf)
{
	it->remembered = true;
	gone_taken(it->p->b, it->p->name, leaf);
}

void gone_forget(const struct item *it)
{
	const size_t len = strlen(it->name);
	struct taken *t, *next;

	for (t = it->remembered ? STAILQ_FIRST(&it->p->b->taken) : NULL; t != NULL; t = next) {
		next = STAILQ_NEXT(t, link);
		if (strncmp(t->leaf, it->name, len) == 0 && (t->leaf[len] == '\0' || t->leaf[len] == '.') &&
		    strcmp(t->participant, it->p->name) == 0)
			forget(it->p->b, t);
	}
}

void gone_return(struct participant *p)
{
	struct bridge *b = p->b;
	struct job_list jobs = STAILQ_HEAD_INITIALIZER(jobs);
	struct taken *t, *next;

	for (t = STAILQ_FIRST(&b->taken); t != NULL; t = next) {
		struct job *j;

		next = STAILQ_NEXT(t, link);
		if (strcmp(t->participant, p->name) != 0)
			continue;
		j = job_make(p, t->leaf);
		j->outcome = JOB_KNOWN;
		STAILQ_INSERT_TAIL(&jobs, j, link);
		forget(b, t);
	}
	results_jobs_done(b, &jobs);
}

/* ---- the file ---------------------------------------------------------- */

void gone_load(struct bridge *b)
{
	struct sn_buf text = SN_BUF((size_t)GONE_TAKEN_MAX * LINE_MAX_BYTES);
	int r = sn_dir_read(b->rundir, FILE_LEAF, &text);
	char *save = NULL, *line;

	if (r == 0)
		r = sn_buf_add(&text, "", 1);
	if (r < 0 && r != -ENOENT)
		sn_warn("cannot read run/amqp-spool/%s: %s", FILE_LEAF, strerror(-r));
	for (line = r == 0 ? strtok_r(text.data, "\n", &save) : NULL; line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		char *leaf = strchr(line, ' ');

		if (leaf == NULL)
			continue;
		*leaf = '\0';
		gone_taken(b, line, leaf + 1);
	}
	b->taken_changed = false;
	sn_buf_release(&text);
}

void gone_save(struct bridge *b)
{
	struct sn_buf text = SN_BUF((size_t)GONE_TAKEN_MAX * LINE_MAX_BYTES);
	const struct taken *t;
	int r = 0;

	if (!b->taken_changed)
		return;
	b->taken_changed = false;
	STAILQ_FOREACH(t, &b->taken, link)
	{
		if (r == 0)
			r = sn_buf_addf(&text, "%s %s\n", t->participant, t->leaf);
	}
	if (r == 0)
		r = text.len > 0 ? sn_dir_replace(b->rundir, FILE_LEAF, text.data, text.len)
				 : sn_dir_unlink(b->rundir, FILE_LEAF);
	if (r < 0) /* not fatal: we know it; a bridge after us would send these replies again */
		sn_warn("cannot write run/amqp-spool/%s: %s", FILE_LEAF, strerror(-r));
	b->run_failed = b->run_failed || r < 0;
	sn_buf_release(&text);
}
