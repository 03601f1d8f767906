/* How often an orderly end of exo has cut a workitem short. That costs no attempt (claim.4), but not for ever: the
 * workitem may be what ends exo. Kept in run/NAME/cut-short, which is touched only when it happens: lines "COUNT NAME", the
 * latest last. There are more of them than an exo has workers, so nothing that every end cuts short is pushed out. */
#include <stdlib.h>

#include "exo.h"
#include "sys/dir.h"
#include "sys/fd.h"

static const char LEAF[] = "cut-short";
enum { COUNT_MAX = 1000000, LINE_BYTES = SN_NAME_SIZE + 8, FILE_BYTES = 2 * EXO_INSTANCES_MAX * LINE_BYTES };

/* run/NAME is the participant's: what is there may be anything, and is at most a number that is wrong. */
static void read_file(const struct exo *x, struct sn_buf *text)
{
	SN_AUTOFD int fd = sn_dir_open_hostile(x->run_fd, LEAF);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || sn_fd_read_all(fd, text) < 0)
		sn_buf_reset(text);
}

static void cut_out(struct sn_buf *text, char *from, const char *to)
{
	memmove(from, to, (size_t)(text->data + text->len - to) + 1);
	text->len -= (size_t)(to - from);
}

/* Takes the line that ends like this out of the text. Returns its number. */
static unsigned long take(struct sn_buf *text, const char *end)
{
	char *at = text->len > 0 ? strstr(text->data, end) : NULL, *from = at;
	unsigned long n;

	if (at == NULL)
		return 0;
	while (from > text->data && from[-1] != '\n')
		from--;
	n = strtoul(from, NULL, 10);
	cut_out(text, from, at + strlen(end));
	return n < COUNT_MAX ? n : COUNT_MAX;
}

unsigned long short_add(const struct exo *x, const char *name)
{
	struct sn_buf text = SN_BUF(FILE_BYTES + LINE_BYTES);
	char end[LINE_BYTES];
	unsigned long count;
	int r;

	(void)snprintf(end, sizeof end, " %s\n", name); /* fits */
	read_file(x, &text);
	count = take(&text, end) + 1;
	while (text.len > FILE_BYTES - LINE_BYTES) {
		const char *nl = strchr(text.data, '\n');

		cut_out(&text, text.data, nl != NULL ? nl + 1 : text.data + text.len);
	}
	r = sn_buf_addf(&text, "%lu%s", count, end);
	if (r == 0)
		r = sn_dir_replace(x->run_fd, LEAF, text.data, text.len);
	if (r < 0)
		sn_warn("name=%s: cannot note in %s that it was cut short: %s", name, LEAF, strerror(-r));
	sn_buf_release(&text);
	return count;
}
