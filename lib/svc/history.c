#include "svc/history.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"

enum { CHECKPOINT_PAGES = 2000 };

struct sn_history {
	sqlite3 *db;
	sqlite3_stmt *insert;
	int wal_pages;
};

static const char SCHEMA[] =
	"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-512; PRAGMA wal_autocheckpoint=0;"
	"CREATE TABLE IF NOT EXISTS run (name TEXT PRIMARY KEY, participant TEXT NOT NULL, wfid TEXT, expid TEXT,"
	" outcome TEXT NOT NULL, failed INTEGER NOT NULL, attempt INTEGER NOT NULL, received_us INTEGER NOT NULL,"
	" started_us INTEGER, finished_us INTEGER, retired_us INTEGER NOT NULL, bytes INTEGER, reply_bytes INTEGER)"
	" WITHOUT ROWID;";
static const char INSERT[] = "INSERT OR REPLACE INTO run VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)";

static int on_wal(void *arg, sqlite3 *db, const char *name, int pages)
{
	struct sn_history *h = arg;

	(void)db;
	(void)name;
	h->wal_pages = pages;
	return SQLITE_OK;
}

/* Which processes a participant took part in is no other participant's business. SQLite's own files beside it take after
 * it. 0 or -errno. */
static int keep_private(const char *path)
{
	SN_AUTOFD int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if ((st.st_mode & S_IRWXO) == 0)
		return 0;
	return fchmod(fd, st.st_mode & (S_IRWXU | S_IRWXG)) < 0 ? -errno : 0;
}

int sn_history_open(const char *dir, struct sn_history **ret)
{
	struct sn_history *h = sn_calloc(1, sizeof *h);
	SN_AUTOFREE char *path = sn_asprintf("%s/history.db", dir);
	/* One thread at a time has it, so that its mutex, taken twenty times for a row, is not needed. */
	const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
	const int r = keep_private(path);

	if (r < 0) {
		sn_history_close(h);
		return r;
	}
	if (sqlite3_open_v2(path, &h->db, flags, NULL) != SQLITE_OK ||
	    sqlite3_busy_timeout(h->db, 2000) != SQLITE_OK ||
	    sqlite3_exec(h->db, SCHEMA, NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v2(h->db, INSERT, -1, &h->insert, NULL) != SQLITE_OK) {
		sn_debug("%s: %s", path, sqlite3_errmsg(h->db));
		sn_history_close(h);
		return -EIO;
	}
	(void)sqlite3_wal_hook(h->db, on_wal, h); /* returns the former hook */
	*ret = h;
	return 0;
}

static int add_one(struct sn_history *h, const struct sn_history_row *r)
{
	sqlite3_stmt *s = h->insert;
	const char *texts[] = {r->name, r->participant, r->wfid, r->expid, sn_outcome_name(r->outcome)};
	const int64_t numbers[] = {
		r->failed,	r->attempt,    sn_name_time_us(r->name), r->started_us,
		r->finished_us, r->retired_us, (int64_t)r->bytes,	 (int64_t)r->reply_bytes};
	int rc = SQLITE_OK;

	for (int i = 0; i < (int)SN_COUNT(texts) && rc == SQLITE_OK; i++)
		rc = sqlite3_bind_text(s, i + 1, texts[i], -1, SQLITE_STATIC);
	for (int i = 0; i < (int)SN_COUNT(numbers) && rc == SQLITE_OK; i++)
		rc = sqlite3_bind_int64(s, (int)SN_COUNT(texts) + i + 1, numbers[i]);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(s);
	(void)sqlite3_reset(s); /* repeats the error of the step */
	return rc == SQLITE_DONE ? 0 : -EIO;
}

int sn_history_add(struct sn_history *h, const struct sn_history_row *rows, size_t count)
{
	int r = sqlite3_exec(h->db, "BEGIN", NULL, NULL, NULL) == SQLITE_OK ? 0 : -EIO;

	for (size_t i = 0; i < count && r == 0; i++)
		r = add_one(h, &rows[i]);
	if (r == 0 && sqlite3_exec(h->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
		return 0;
	sn_debug("history.db: %s", sqlite3_errmsg(h->db));
	(void)sqlite3_exec(h->db, "ROLLBACK", NULL, NULL, NULL); /* also when nothing was begun */
	return -EIO;
}

void sn_history_checkpoint(struct sn_history *h)
{
	if (h->wal_pages < CHECKPOINT_PAGES)
		return;
	/* A reader may stand in the way: then the next one does it. */
	(void)sqlite3_wal_checkpoint_v2(h->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
	h->wal_pages = 0;
}

void sn_history_close(struct sn_history *h)
{
	if (h == NULL)
		return;
	(void)sqlite3_finalize(h->insert);
	(void)sqlite3_close(h->db);
	free(h);
}
