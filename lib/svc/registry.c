#include "svc/registry.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "svc/launch.h"
#include "sys/dir.h"
#include "sys/lock.h"

#define FILE_NAME "registered"

enum { FILE_MAX = 1 << 22, ROWS_MAX = 1 << 16 };

bool sn_registry_valid(const char *value)
{
	const char *p = value;

	while ((unsigned char)*p >= ' ' && *p != 0x7f)
		p++;
	return *p == '\0' && p > value;
}

static void add_row(struct sn_registry *reg, const char *const field[4])
{
	struct sn_registration row = {
		.name = sn_strdup(field[1]), .queue = sn_strdup(field[2]), .regexp = sn_strdup(field[3])};

	(void)snprintf(row.time, sizeof row.time, "%s", field[0]); /* cut: then somebody edited it */
	reg->list = sn_realloc(reg->list, (reg->count + 1) * sizeof row);
	reg->list[reg->count++] = row;
}

/* What is no row (a comment, a line cut short by an editor) is passed over, and gone when it is written again. */
static void read_rows(struct sn_registry *reg, char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n")) != NULL && reg->count < ROWS_MAX) {
		const char *field[4] = {NULL};
		size_t n = 0;

		for (; n < 3 && line != NULL; n++)
			field[n] = strsep(&line, "\t");
		if (line != NULL)
			field[n++] = line;
		if (n == 4 && field[0][0] != '#' && sn_registry_valid(field[1]) &&
		    sn_registry_valid(field[2]) && sn_registry_valid(field[3]))
			add_row(reg, field);
	}
}

static int become_owner(int dir)
{
	struct stat st;

	if (geteuid() != 0)
		return 0;
	if (fstat(dir, &st) < 0)
		return -errno;
	return st.st_uid != 0 && seteuid(st.st_uid) < 0 ? -errno : 0;
}

static void release(struct sn_registry *reg)
{
	for (size_t i = 0; i < reg->count; i++) {
		free(reg->list[i].name);
		free(reg->list[i].queue);
		free(reg->list[i].regexp);
	}
	free(reg->list);
	if (reg->lock >= 0)
		(void)close(reg->lock); /* unlocks */
	if (reg->dir >= 0)
		(void)close(reg->dir); /* a directory */
	*reg = (struct sn_registry){.dir = -1, .lock = -1};
}

int sn_registry_open(struct sn_registry *reg, const struct sn_home *h, bool change)
{
	struct sn_buf text = SN_BUF(FILE_MAX);
	int r;

	*reg = (struct sn_registry){.lock = -1};
	reg->dir = sn_dir_open(AT_FDCWD, h->lib);
	if (reg->dir < 0)
		return reg->dir == -ENOENT && !change ? 0 : reg->dir;
	r = change ? become_owner(reg->dir) : 0;
	if (r == 0 && change) {
		reg->lock = sn_lock_take(reg->dir, FILE_NAME ".lock", true);
		r = reg->lock < 0 ? reg->lock : 0;
	}
	if (r == 0)
		r = sn_dir_read(reg->dir, FILE_NAME, &text);
	if (r == 0 && text.len > 0)
		read_rows(reg, text.data);
	sn_buf_release(&text);
	if (r == -ENOENT)
		r = 0;
	if (r < 0)
		sn_registry_close(reg);
	return r;
}

int sn_registry_set(struct sn_registry *reg, const char *name, const char *queue, const char *regexp)
{
	char time[SN_TIME_TEXT_SIZE];
	const char *const field[4] = {time, name, queue, regexp};

	if (!sn_registry_valid(name) || !sn_registry_valid(queue) || !sn_registry_valid(regexp))
		return -EINVAL;
	for (size_t i = 0; i < reg->count; i++) {
		if (strcmp(reg->list[i].regexp, regexp) == 0)
			sn_registry_drop(reg, i--);
	}
	sn_time_format(sn_clock_real_us(), time);
	add_row(reg, field);
	return 0;
}

void sn_registry_drop(struct sn_registry *reg, size_t i)
{
	free(reg->list[i].name);
	free(reg->list[i].queue);
	free(reg->list[i].regexp);
	memmove(&reg->list[i], &reg->list[i + 1], (reg->count - i - 1) * sizeof *reg->list);
	reg->count--;
}

int sn_registry_save(struct sn_registry *reg)
{
	struct sn_buf b = SN_BUF(FILE_MAX);
	int r = sn_buf_adds(&b,
			    "# Written by skynet register: time, participant, queue, names at the engine.\n");

	for (size_t i = 0; r == 0 && i < reg->count; i++) {
		const struct sn_registration *g = &reg->list[i];

		r = sn_buf_addf(&b, "%s\t%s\t%s\t%s\n", g->time, g->name, g->queue, g->regexp);
	}
	if (r == 0)
		r = sn_dir_replace(reg->dir, FILE_NAME, b.data, b.len);
	sn_buf_release(&b);
	return r;
}

void sn_registry_close(struct sn_registry *reg)
{
	release(reg);
	if (getuid() == 0 && geteuid() != 0)
		(void)!seteuid(0); /* the saved uid is 0: cannot fail, and less power would harm nobody */
}

static int make_item(const char *regexp, const char *queue, bool unregister, struct sn_buf *b)
{
	int r = sn_buf_addf(
		b,
		"{\"definition\":\"Ruote.process_definition do sequence do boss_register%s end end\","
		"\"fields\":{\"name\":",
		unregister ? " :action => \\\"unregister\\\"" : "");

	if (r == 0)
		r = sn_buf_add_json(b, regexp, strlen(regexp));
	if (r == 0)
		r = sn_buf_adds(b, ",\"queue\":");
	if (r == 0)
		r = sn_buf_add_json(b, queue, strlen(queue));
	return r == 0 ? sn_buf_adds(b, "},\"variables\":{}}") : r;
}

int sn_registry_publish(const struct sn_cli *cli, const char *regexp, const char *queue, bool unregister)
{
	struct sn_buf item = SN_BUF(1 << 20);
	int code = SN_EXIT_FAILED;

	if (make_item(regexp, queue, unregister, &item) == 0)
		code = sn_launch_publish(cli, &item);
	sn_buf_release(&item);
	return code;
}
