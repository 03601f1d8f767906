/* The files of one workitem, wherever it is. */
#include "svc/items.h"

#include <fcntl.h>

#include "base/mem.h"
#include "sys/dir.h"
#include "sys/fd.h"

static bool finished(const struct sn_item *item)
{
	return item->state == SN_ITEM_DONE || item->state == SN_ITEM_FAILED;
}

/* "DATE/BUCKET/NAME.json" below done/ or failed/, else the leaf in open/. */
static char *relative(const struct sn_item *item, const char *suffix)
{
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];

	if (!finished(item))
		return sn_asprintf("%s%s", item->name, suffix);
	sn_name_bucket(item->name, date, bucket);
	return sn_asprintf("%s/%s/%s%s", date, bucket, item->name, suffix[0] != '\0' ? suffix : ".json");
}

char *sn_item_path(const struct sn_home *h, const struct sn_item *item)
{
	SN_AUTOFREE char *leaf = relative(item, "");
	const char *dir = finished(item) ? sn_item_state_name(item->state) : "open";

	return sn_asprintf("%s/%s/%s/%s", h->spool, item->shelf->participant, dir, leaf);
}

char *sn_item_result_path(const struct sn_home *h, const struct sn_item *item,
			  const struct sn_result_file *res)
{
	SN_AUTOFREE char *leaf = relative(item, ".result");
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];

	if (item->state == SN_ITEM_FAILED)
		return sn_asprintf("%s/%s/failed/%s", h->spool, item->shelf->participant, leaf);
	if (res->journal[0] == '\0')
		return NULL;
	if (item->state != SN_ITEM_DONE)
		return sn_asprintf("%s/%s/work/result/%s", h->spool, item->shelf->participant, res->journal);
	sn_name_bucket(item->name, date, bucket);
	return sn_asprintf("%s/%s/done/%s/%s/%s", h->spool, item->shelf->participant, date, bucket,
			   res->journal);
}

int sn_item_open(const struct sn_item *item, const char *suffix)
{
	SN_AUTOFREE char *leaf = relative(item, suffix);
	int dir = item->shelf->s.open, fd;

	if (finished(item))
		dir = item->state == SN_ITEM_DONE ? item->shelf->s.done : item->shelf->s.failed;
	fd = openat(dir, leaf, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int sn_item_read(const struct sn_item *item, const char *suffix, struct sn_buf *b)
{
	SN_AUTOFD int fd = sn_item_open(item, suffix);

	return fd < 0 ? fd : sn_fd_read_all(fd, b);
}

char *sn_item_cancelled_by(const struct sn_item *item)
{
	struct sn_buf b = SN_BUF(SN_NAME_SIZE);
	char *by = NULL;

	if (sn_item_read(item, ".cancelled", &b) == 0)
		by = sn_strdup(b.data != NULL && sn_name_valid(b.data) ? b.data : "?");
	sn_buf_release(&b);
	return by;
}

static int find_done(const struct sn_item *item, struct sn_result_file *ret)
{
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE], path[SN_DATE_SIZE + SN_BUCKET_SIZE];
	SN_AUTOFD int dir = -1;

	sn_name_bucket(item->name, date, bucket);
	(void)snprintf(path, sizeof path, "%s/%s", date, bucket); /* fits */
	dir = sn_dir_open(item->shelf->s.done, path);
	return dir < 0 ? dir : sn_result_find(dir, item->name, ret);
}

int sn_item_result(const struct sn_item *item, struct sn_result_file *ret)
{
	const struct sn_spool *s = &item->shelf->s;
	int r;

	if (item->state == SN_ITEM_DONE)
		return find_done(item, ret);
	if (item->state != SN_ITEM_FAILED)
		return s->result < 0 ? -ENOENT : sn_result_find(s->result, item->name, ret);
	r = sn_item_read(item, ".result", &ret->text);
	if (r < 0)
		return r;
	return sn_result_parse(ret->text.data, ret->text.len, &ret->head, &ret->body_at);
}
