/* work/result: journals, and what else may lie there (docs/SPOOL.md, section 1). All of it is the participant's to choose. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "spool/cancel.h"
#include "spool/result.h"
#include "svc/answers.h"
#include "svc/check.h"
#include "sys/dir.h"

#define WHERE "work/result"
static const size_t BODY_MAX = (size_t)1 << 30;

struct answered {
	char name[SN_NAME_SIZE], journal[SN_JOURNAL_SIZE];
};

struct walk {
	struct sn_check *c;
	char *buf;		   /* SN_RECORDS_BUFFER */
	struct answered *finished; /* answered in here, and finished */
	size_t count, cap;
};

/* A path below done/ or failed/. */
static bool is_beside(int top, const char *name, const char *suffix)
{
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE], path[SN_NAME_SIZE + 32];

	sn_name_bucket(name, date, bucket);
	(void)snprintf(path, sizeof path, "%s/%s/%s%s", date, bucket, name, suffix); /* fits */
	return sn_check_exists(top, path);
}

/* -- the records of one journal */

static bool is_readable(int fd, const struct sn_record *rec)
{
	struct sn_result_file rf = {.text = SN_BUF(BODY_MAX)};
	int r = sn_result_read(fd, rec, &rf);

	sn_result_release(&rf);
	return r == 0;
}

/* What the bridge has put into failed/ by now, with a log, is none any more. */
static bool is_orphan(const struct sn_check *c, const char *name)
{
	return sn_check_standing(c, name) == SN_STANDS_UNKNOWN &&
	       !is_beside(c->shelf->s.failed, name, ".result");
}

static void remember(struct walk *w, const char *name, const char *journal)
{
	if (w->count == w->cap) {
		w->cap = w->cap > 0 ? 2 * w->cap : 64;
		w->finished = sn_realloc(w->finished, w->cap * sizeof *w->finished);
	}
	sn_copy_text(w->finished[w->count].name, SN_NAME_SIZE, name);
	sn_copy_text(w->finished[w->count].journal, SN_JOURNAL_SIZE, journal);
	w->count++;
}

static void check_record(struct walk *w, int fd, const char *leaf, const struct sn_record *rec)
{
	struct sn_check *c = w->c;
	const char *name = rec->head.name;

	switch (sn_check_standing(c, name)) {
	case SN_STANDS_OPEN:
		if (is_readable(fd, rec))
			return;
		sn_check_pause(c); /* the bridge puts it into failed/, and hands the workitem in again */
		if (sn_check_exists(c->shelf->s.result, leaf) && sn_check_standing(c, name) == SN_STANDS_OPEN)
			sn_check_report_record(c, SN_RESULT_BAD, WHERE, leaf, name);
		return;
	case SN_STANDS_FINISHED:
		if (rec->head.message == 0)
			remember(w, name, leaf);
		return;
	case SN_STANDS_UNKNOWN:
		if (!is_orphan(c, name))
			return;
		sn_check_pause(c);
		if (is_orphan(c, name))
			sn_check_report_record(c, SN_RESULT_ORPHAN, WHERE, leaf, name);
		return;
	}
}

/* The end of a journal may be cut short: by a crash, or it is being written. */
static void check_journal(struct walk *w, const char *leaf)
{
	struct sn_check *c = w->c;
	SN_AUTOFD int fd = sn_result_open(&c->shelf->s, leaf, (uid_t)-1);
	struct sn_records r = {.fd = fd, .buf = w->buf};
	struct sn_record rec;
	int e = fd < 0 ? fd : 1;

	while (e == 1) {
		e = sn_records_next(&r, &rec);
		if (e == 1)
			check_record(w, fd, leaf, &rec);
	}
	if (e == 0 || e == -ENOENT)
		return;
	sn_check_pause(c); /* the bridge unlinks it when what is before is retired */
	if (sn_check_exists(c->shelf->s.result, leaf))
		sn_check_report(c, SN_RESULT_BAD, WHERE, leaf);
}

/* -- what else lies there */

static bool is_known(const char *leaf)
{
	char name[SN_NAME_SIZE];

	return strcmp(leaf, "exo.probe") == 0 ||
	       (strncmp(leaf, "bad.", 4) == 0 && leaf[4] != '\0' &&
		leaf[4 + strspn(leaf + 4, "0123456789")] == '\0') ||
	       sn_cancel_parse(leaf, name) == SN_CANCEL_ITEM; /* spool-put's bell */
}

static int check_entry(void *arg, const char *leaf)
{
	struct walk *w = arg;

	if (sn_journal_valid(leaf))
		check_journal(w, leaf);
	else if (!is_known(leaf))
		sn_check_report(w->c, SN_FOREIGN, WHERE, leaf);
	return 0;
}

/* -- what is finished and answered must be kept */

static int by_name(const void *a, const void *b)
{
	const struct answered *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static bool is_kept(const struct sn_spool *s, const char *name, const struct sn_answers *bucket)
{
	/* A bucket was read after the workitem was seen in it, and what is kept is there before that is. */
	if (is_beside(s->done, name, ".json"))
		return sn_answers_find(bucket, name) != NULL;
	return is_beside(s->failed, name, ".result");
}

/* Sorted by name is sorted by bucket: each is read once. */
static void check_kept(struct walk *w)
{
	const struct sn_spool *s = &w->c->shelf->s;
	struct sn_answers answers = {0};
	char read[SN_DATE_SIZE + SN_BUCKET_SIZE] = "";

	if (w->count > 0)
		qsort(w->finished, w->count, sizeof *w->finished, by_name);
	for (size_t i = 0; i < w->count; i++) {
		const char *name = w->finished[i].name;
		char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE], path[SN_DATE_SIZE + SN_BUCKET_SIZE];

		if (i > 0 && strcmp(name, w->finished[i - 1].name) == 0)
			continue; /* answered twice */
		sn_name_bucket(name, date, bucket);
		(void)snprintf(path, sizeof path, "%s/%s", date, bucket); /* fits */
		if (strcmp(path, read) != 0) {
			SN_AUTOFD int dir = sn_dir_open(s->done, path);

			sn_answers_release(&answers);
			if (dir >= 0)
				(void)!sn_answers_read(&answers, dir); /* what cannot be read is not kept */
			memcpy(read, path, sizeof read);
		}
		if (!is_kept(s, name, &answers))
			sn_check_report_record(w->c, SN_RESULT_LEFTOVER, WHERE, w->finished[i].journal, name);
	}
	sn_answers_release(&answers);
}

int sn_check_results(struct sn_check *c)
{
	SN_AUTOFREE char *buf = sn_malloc(SN_RECORDS_BUFFER);
	struct walk w = {.c = c, .buf = buf};
	int r = sn_dir_each(c->shelf->s.result, check_entry, &w);

	if (r == 0)
		check_kept(&w);
	free(w.finished);
	return r;
}
