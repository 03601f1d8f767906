/* One participant's spool in a directory of its own, and a workitem in it. */
#ifndef SN_SPOOL_FIXTURE_H
#define SN_SPOOL_FIXTURE_H

#include "test.h"

#include "data/digest.h"
#include "spool/claim.h"
#include "spool/deliver.h"
#include "spool/recover.h"
#include "spool/result.h"
#include "spool/retire.h"
#include "spool/spool.h"
#include "sys/dir.h"

#define BODY "{\"fei\":{\"wfid\":\"w\"},\"fields\":{}}"
enum { BODY_LEN = sizeof BODY - 1 };
static const struct sn_spool_owner NOBODY = {(uid_t)-1, (gid_t)-1, (gid_t)-1, (gid_t)-1};

struct fixture {
	struct test_dir *dir;
	struct sn_spool s;
	struct sn_name_clock clock;
	char name[SN_NAME_SIZE], a1[SN_ATTEMPT_SIZE], a2[SN_ATTEMPT_SIZE], json[64 + SN_NAME_SIZE],
		result[64 + SN_NAME_SIZE]; /* below done/ or failed/ */
};

static inline void new_name(struct fixture *f)
{
	char date[SN_DATE_SIZE], bucket[SN_BUCKET_SIZE];

	sn_name_make(&f->clock, sn_digest_short(BODY, BODY_LEN), "w", f->name);
	sn_attempt_format(f->name, 1, f->a1);
	sn_attempt_format(f->name, 2, f->a2);
	sn_name_bucket(f->name, date, bucket);
	(void)snprintf(f->json, sizeof f->json, "%s/%s/%s.json", date, bucket, f->name);
	(void)snprintf(f->result, sizeof f->result, "%s/%s/%s.result", date, bucket, f->name);
}

static inline int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);
	void *dir = NULL;

	if (f == NULL || test_dir_make(&dir) != 0)
		return -1;
	f->dir = dir;
	new_name(f);
	*state = f;
	if (sn_spool_make(f->dir->fd, "P1", &NOBODY) != 0)
		return -1;
	return sn_spool_open(&f->s, f->dir->fd, "P1", SN_SPOOL_BRIDGE);
}

static inline int tear_down(void **state)
{
	struct fixture *f = *state;
	void *dir = f->dir;

	(void)unsetenv("SKYNET_FAIL");
	sn_spool_release(&f->s);
	free(f);
	return test_dir_remove(&dir);
}

static inline void deliver(struct fixture *f)
{
	assert_int_equal(sn_deliver(&f->s, f->name, BODY, BODY_LEN), 0);
}

/* As a worker does: a descriptor. */
static inline int claim(struct fixture *f)
{
	int fd = sn_claim(&f->s, f->name, &(struct stat){0});

	assert_true(fd >= 0);
	return fd;
}

/* The marker alone, as sn_hold() leaves it. */
static inline void hold(struct fixture *f)
{
	char leaf[SN_NAME_SIZE + 8];

	(void)snprintf(leaf, sizeof leaf, "%s.hold", f->name);
	assert_int_equal(linkat(f->s.open, f->name, f->s.open, leaf, 0), 0);
}

static const struct sn_result OK = {
	.outcome = SN_OK, .send = SN_SEND_REPLY, .attempt = 1, .started_us = 1, .finished_us = 2};

/* What a worker writes: message 0 is the answer. */
static inline int say(struct fixture *f, unsigned message, const char *text)
{
	struct sn_result res = OK;

	res.message = message;
	memcpy(res.name, f->name, sizeof res.name);
	sn_digest_hex(text, strlen(text), res.sha256);
	return sn_result_write(&f->s, &res, text, strlen(text), false);
}

static inline void work(struct fixture *f, const char *reply)
{
	assert_int_equal(say(f, 0, reply), 0);
}

/* The answer in the journals of dir. Release it. */
static inline int find(struct fixture *f, int dir, struct sn_result_file *ret)
{
	*ret = (struct sn_result_file){.text = SN_BUF(1 << 20)};
	return sn_result_find(dir, f->name, ret);
}

/* The one journal in dir. */
static inline int first_journal(void *arg, const char *leaf)
{
	if (!sn_journal_valid(leaf))
		return 0;
	memcpy(arg, leaf, strlen(leaf) + 1);
	return 1;
}

static inline void journal_in(int dir, char ret_leaf[SN_JOURNAL_SIZE])
{
	assert_int_equal(sn_dir_each(dir, first_journal, ret_leaf), 1);
}

/* Text of this length, the caller's. */
static inline char *text_of(size_t len)
{
	char *body = malloc(len + 1);

	assert_non_null(body);
	memset(body, 'x', len);
	body[len] = '\0';
	return body;
}

static inline void say_much(struct fixture *f, size_t len, int want)
{
	char *body = text_of(len);

	assert_int_equal(say(f, 0, body), want);
	free(body);
}

static inline int open_journal(struct fixture *f)
{
	char leaf[SN_JOURNAL_SIZE];
	int fd;

	journal_in(f->s.result, leaf);
	fd = openat(f->s.result, leaf, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static inline off_t size_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_size;
}

static inline mode_t mode_of(int fd, const char *path)
{
	struct stat st;

	assert_int_equal(fstatat(fd, path, &st, AT_SYMLINK_NOFOLLOW), 0);
	return st.st_mode & 07777;
}

#define SPOOL(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

#endif
