/* done/ and failed/: DATE/BUCKET/NAME.{json,log,retried,cancel,cancelled,rejected} and NAME.mNNNN; in done/ journals of what was
 * answered, in failed/ NAME.result. */
#include <fcntl.h>

#include "base/mem.h"
#include "data/digest.h"
#include "spool/result.h"
#include "spool/retire.h"
#include "svc/check.h"
#include "sys/dir.h"

static const size_t FILE_MAX = (size_t)1 << 31;

struct level { /* where the walk is */
	struct sn_check *c;
	int fd;
	const char *path; /* "done/20261122/1054" */
	const char *date, *bucket;
	int top;
};

/* The part of leaf before its suffix, if that is one of ours. */
static const char *suffix_of(const char *leaf, char ret_name[SN_NAME_SIZE])
{
	static const char *const SUFFIXES[] = {".json",	  ".result",	".log",	    ".retried",
					       ".cancel", ".cancelled", ".rejected"};
	unsigned number;

	if (sn_message_parse(leaf, ret_name, &number) == 0)
		return ".m";
	for (size_t i = 0; i < SN_COUNT(SUFFIXES); i++) {
		size_t len = strlen(leaf), n = strlen(SUFFIXES[i]);

		if (len <= n || len - n > SN_NAME_MAX || strcmp(leaf + len - n, SUFFIXES[i]) != 0)
			continue;
		memcpy(ret_name, leaf, len - n);
		ret_name[len - n] = '\0';
		return sn_name_valid(ret_name) ? SUFFIXES[i] : NULL;
	}
	return NULL;
}

static void check_bytes(const struct level *l, const char *leaf, const char *name)
{
	struct sn_buf b = SN_BUF(FILE_MAX);
	int r = sn_dir_read(l->fd, leaf, &b);

	if (r == 0) { /* else it was removed meanwhile, or is unreadable: the listing said so */
		/* Of what was too large only the beginning is kept; its log says so. */
		SN_AUTOFREE char *log = sn_asprintf("%s.log", name);

		if (sn_digest_short(b.data, b.len) != sn_name_digest(name) && !sn_check_exists(l->fd, log))
			sn_check_report(l->c, SN_DONE_DAMAGED, l->path, leaf);
	}
	sn_buf_release(&b);
}

/* Is there a workitem to this file? What was sent on the way, and what was rejected, is there before the workitem is, and a
 * message lies in done/ also when the workitem ends in failed/. First open/, then the rest: retiring is one step. */
static bool alone(const struct level *l, const char *name, const char *suffix)
{
	struct sn_spool *s = &l->c->shelf->s;
	SN_AUTOFREE char *json = sn_asprintf("%s.json", name);

	if (strcmp(suffix, ".m") == 0 || strcmp(suffix, ".rejected") == 0)
		return !sn_check_exists(s->open, name) && sn_retired(s, name) != 1;
	/* A result may be there without: one that has no ledger goes to failed/ with its log. */
	if (strcmp(suffix, ".retried") == 0 || strcmp(suffix, ".cancelled") == 0)
		return !sn_check_exists(l->fd, json);
	return false;
}

static bool elsewhere(const struct level *l, const char *name)
{
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];

	sn_name_bucket(name, date, bucket);
	return strcmp(date, l->date) != 0 || strcmp(bucket, l->bucket) != 0;
}

/* Kept before the workitem is there, and perhaps once more if that went wrong: it may have ended in failed/ then. */
static void check_record(const struct level *l, const char *leaf, int fd, const struct sn_record *rec)
{
	struct sn_result_file rf = {.text = SN_BUF(FILE_MAX)};
	const char *name = rec->head.name;

	if (elsewhere(l, name))
		sn_check_report_record(l->c, SN_DONE_BUCKET, l->path, leaf, name);
	if (sn_check_standing(l->c, name) == SN_STANDS_UNKNOWN)
		sn_check_report_record(l->c, SN_DONE_ALONE, l->path, leaf, name);
	if (sn_result_read(fd, rec, &rf) < 0)
		sn_check_report_record(l->c, SN_DONE_RESULT, l->path, leaf, name);
	sn_result_release(&rf);
}

/* The last record may be cut short: a bridge was killed, and has kept it again in another journal. */
static void check_journal(const struct level *l, const char *leaf)
{
	SN_AUTOFREE char *buf = sn_malloc(SN_RECORDS_BUFFER);
	SN_AUTOFD int fd = sn_dir_open_hostile(l->fd, leaf);
	struct sn_records r = {.fd = fd, .buf = buf};
	struct sn_record rec;
	struct stat st;
	int e = l->c->deep ? 1 : 0;

	if (fd == -ENOENT || fd == -EACCES)
		return;
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		e = -EINVAL;
	while (e == 1) {
		e = sn_records_next(&r, &rec);
		if (e == 1)
			check_record(l, leaf, fd, &rec);
	}
	if (e < 0)
		sn_check_report(l->c, SN_DONE_RESULT, l->path, leaf);
}

static int check_leaf(void *arg, const char *leaf)
{
	const struct level *l = arg;
	char name[SN_NAME_SIZE] = "";
	const char *suffix = suffix_of(leaf, name);
	const bool done = l->top == l->c->shelf->s.done;

	if (done && sn_journal_valid(leaf)) {
		check_journal(l, leaf);
		return 0;
	}
	if (suffix == NULL || (done && strcmp(suffix, ".result") == 0)) {
		sn_check_report(l->c, SN_FOREIGN, l->path, leaf);
		return 0;
	}
	if (elsewhere(l, name))
		sn_check_report(l->c, SN_DONE_BUCKET, l->path, leaf);
	if (alone(l, name, suffix))
		sn_check_report(l->c, SN_DONE_ALONE, l->path, leaf);
	if (l->c->deep && strcmp(suffix, ".json") == 0)
		check_bytes(l, leaf, name);
	return 0;
}

static bool digits(const char *s, size_t len)
{
	return strlen(s) == len && strspn(s, "0123456789") == len;
}

/* A DATE, and in it a BUCKET. */
static int check_directory(void *arg, const char *leaf)
{
	struct level l = *(struct level *)arg;
	const bool is_date = l.date == NULL;
	SN_AUTOFREE char *path = sn_asprintf("%s/%s", l.path, leaf);
	SN_AUTOFD int fd = digits(leaf, is_date ? 8 : 4) ? sn_dir_open(l.fd, leaf) : -1;

	if (fd < 0) {
		sn_check_report(l.c, SN_FOREIGN, l.path, leaf);
		return 0;
	}
	l.fd = fd;
	l.path = path;
	*(is_date ? &l.date : &l.bucket) = leaf;
	return sn_dir_each(fd, is_date ? check_directory : check_leaf, &l);
}

int sn_check_finished(struct sn_check *c)
{
	struct level done = {.c = c, .fd = c->shelf->s.done, .path = "done", .top = c->shelf->s.done};
	struct level failed = {.c = c, .fd = c->shelf->s.failed, .path = "failed", .top = c->shelf->s.failed};
	int r = sn_dir_each(done.fd, check_directory, &done);

	return r < 0 ? r : sn_dir_each(failed.fd, check_directory, &failed);
}
