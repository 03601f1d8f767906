#include "svc/put.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "data/digest.h"
#include "spool/cancel.h"
#include "spool/deliver.h"
#include "sys/dir.h"

int sn_role_enter(const struct sn_spool *s)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (fstat(s->open, &st) < 0)
		return -errno;
	return st.st_uid != 0 && seteuid(st.st_uid) < 0 ? -errno : 0;
}

void sn_role_leave(void)
{
	if (getuid() == 0 && geteuid() != 0)
		(void)!seteuid(0); /* the saved uid is 0: cannot fail, and less power would harm nobody */
}

static int seed(void *arg, const char *name)
{
	sn_name_clock_seed(arg, name);
	return 0;
}

/* The participant's limit; the default where it has no configuration, or one that is broken. */
static uint64_t max_size(const struct sn_home *h, const char *participant)
{
	struct sn_config c;
	struct sn_config_reader rd = {0};
	uint64_t max = 0;

	if (sn_home_config(h, participant, &rd, &c) == 0)
		max = c.participant.max_size_bytes;
	sn_config_release(&c);
	if (max > 0)
		return max;
	sn_config_init(&c);
	max = c.participant.max_size_bytes;
	sn_config_release(&c);
	return max;
}

int sn_put_open(const struct sn_home *h, const char *participant, struct sn_put *ret)
{
	int r = sn_shelf_open(h, participant, &ret->shelf);

	if (r < 0)
		return r;
	ret->clock = (struct sn_name_clock){0};
	ret->max_size_bytes = max_size(h, participant);
	r = ret->shelf.s.result < 0 ? -EACCES : sn_dir_each(ret->shelf.s.open, seed, &ret->clock);
	if (r < 0)
		sn_shelf_release(&ret->shelf);
	return r;
}

void sn_put_close(struct sn_put *p)
{
	sn_shelf_release(&p->shelf);
}

static int put_cancel(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len)
{
	int r = sn_cancel_store(s, name, body, len);

	if (r < 0)
		return r;
	sn_cancel_ring(s, name);
	return 1;
}

int sn_put(struct sn_put *p, const void *body, size_t len, char ret_name[SN_NAME_SIZE], const char **ret_why)
{
	char name[SN_NAME_SIZE];
	struct sn_workitem w;
	int r;

	if (len > p->max_size_bytes)
		return -EFBIG;
	sn_workitem_read(body, len, &w);
	if (w.kind == SN_WORKITEM_JUNK) {
		*ret_why = w.reason;
		return -EBADMSG;
	}
	sn_name_make(&p->clock, sn_digest_short(body, len), w.fei.wfid, name);
	r = sn_role_enter(&p->shelf.s);
	if (r == 0 && w.kind == SN_WORKITEM_CANCEL)
		r = put_cancel(&p->shelf.s, name, body, len);
	else if (r == 0)
		r = sn_deliver_beside(&p->shelf.s, name, body, len);
	sn_role_leave();
	if (r >= 0)
		memcpy(ret_name, name, sizeof name);
	return r;
}

struct twin {
	const struct sn_put *p;
	const void *body;
	size_t len;
	uint64_t digest;
	char *ret_name;
};

static int compare(void *arg, const char *name)
{
	struct twin *t = arg;
	struct sn_buf b = SN_BUF(t->len);
	int same;

	if (!sn_name_valid(name) || sn_name_digest(name) != t->digest)
		return 0;
	same = sn_dir_read(t->p->shelf.s.open, name, &b) == 0 && b.len == t->len &&
	       memcmp(b.data, t->body, t->len) == 0;
	sn_buf_release(&b);
	if (same)
		memcpy(t->ret_name, name, strlen(name) + 1);
	return same;
}

int sn_put_is_open(const struct sn_put *p, const void *body, size_t len, char ret_name[SN_NAME_SIZE])
{
	struct twin t = {
		.p = p, .body = body, .len = len, .digest = sn_digest_short(body, len), .ret_name = ret_name};

	return sn_dir_each(p->shelf.s.open, compare, &t);
}
