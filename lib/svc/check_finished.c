/* done/ and failed/: DATE/BUCKET/NAME.{json,result,log,retried,cancel,cancelled,rejected} and NAME.mNNNN. */
#include <fcntl.h>

#include "base/mem.h"
#include "data/digest.h"
#include "spool/retire.h"
#include "svc/check.h"
#include "sys/dir.h"

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

static void check_bytes(const struct level *l, const char *leaf, const char *name, const char *suffix)
{
	struct sn_buf b = SN_BUF((size_t)1 << 31);
	struct sn_result res;
	char hex[SN_DIGEST_HEX_SIZE];
	size_t at;
	int r = sn_dir_read(l->fd, leaf, &b);

	if (r < 0) {
		sn_buf_release(&b);
		return; /* removed meanwhile, or unreadable: the listing said so */
	}
	if (strcmp(suffix, ".json") == 0) {
		/* Of what was too large only the beginning is kept; its log says so. */
		SN_AUTOFREE char *log = sn_asprintf("%s.log", name);

		if (sn_digest_short(b.data, b.len) != sn_name_digest(name) && !sn_check_exists(l->fd, log))
			sn_check_report(l->c, SN_DONE_DAMAGED, l->path, leaf);
	} else {
		r = sn_result_parse(b.data, b.len, &res, &at);
		if (r == 0 && res.sha256[0] != '\0') {
			sn_digest_hex(b.data + at, res.length, hex);
			r = strcmp(hex, res.sha256) == 0 ? 0 : -EBADMSG;
		}
		if (r < 0)
			sn_check_report(l->c, SN_DONE_RESULT, l->path, leaf);
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
	/* A result without a ledger goes to failed/ with its log, and no workitem. */
	if ((strcmp(suffix, ".result") == 0 && l->top == s->done) || strcmp(suffix, ".retried") == 0 ||
	    strcmp(suffix, ".cancelled") == 0)
		return !sn_check_exists(l->fd, json);
	return false;
}

static int check_leaf(void *arg, const char *leaf)
{
	const struct level *l = arg;
	char name[SN_NAME_SIZE] = "", date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];
	const char *suffix = suffix_of(leaf, name);

	if (suffix == NULL) {
		sn_check_report(l->c, SN_FOREIGN, l->path, leaf);
		return 0;
	}
	sn_name_bucket(name, date, bucket);
	if (strcmp(date, l->date) != 0 || strcmp(bucket, l->bucket) != 0)
		sn_check_report(l->c, SN_DONE_BUCKET, l->path, leaf);
	if (alone(l, name, suffix))
		sn_check_report(l->c, SN_DONE_ALONE, l->path, leaf);
	if (l->c->deep && (strcmp(suffix, ".json") == 0 ||
			   (strcmp(suffix, ".result") == 0 && l->top == l->c->shelf->s.done)))
		check_bytes(l, leaf, name, suffix);
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
