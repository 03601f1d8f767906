/* What exo reads of a workitem: wfid and expid, for the tag of a log line (only when it prints something) and for those
 * who ask about it. */
#include <fcntl.h>
#include <sys/stat.h>

#include "data/workitem.h"
#include "exo.h"
#include "sys/dir.h"
#include "sys/fd.h"

enum { WHOLE_MAX = 1 << 20, END_BYTES = 16384 };

static void clean(char *s)
{
	for (; *s != '\0'; s++) {
		unsigned char c = (unsigned char)*s;

		if (c <= ' ' || c >= 0x7f || c == '[' || c == ']')
			*s = '_';
	}
}

static void format(const char *wfid, const char *expid, char ret_tag[TAG_SIZE])
{
	char w[81], e[65];

	(void)snprintf(w, sizeof w, "%s", wfid); /* both cut: the whole is for people */
	(void)snprintf(e, sizeof e, "%s", expid);
	clean(w);
	clean(e);
	(void)snprintf(ret_tag, TAG_SIZE, "%s %s", w[0] != '\0' ? w : "-", e[0] != '\0' ? e : "-");
}

/* A large workitem is not parsed for its tag: its fei, as engines write it, is a flat object near the end. */
static bool read_end(int fd, off_t size, struct sn_workitem *ret)
{
	char text[END_BYTES + 1], small[SN_FEI_MAX * 4 + 256];
	const char *at = NULL, *end;
	ssize_t n = pread(fd, text, END_BYTES, size - END_BYTES);
	int len;

	if (n <= 0)
		return false;
	text[n] = '\0';
	for (const char *p = text; (p = strstr(p, "\"fei\":{")) != NULL; p++)
		at = p;
	end = at != NULL ? strchr(at, '}') : NULL;
	if (end == NULL)
		return false;
	len = snprintf(small, sizeof small, "{%.*s},\"fields\":{}}", (int)(end - at), at);
	if (len < 0 || (size_t)len >= sizeof small)
		return false;
	sn_workitem_read(small, (size_t)len, ret); /* only the decoded strings are used: `small` goes */
	return ret->kind == SN_WORKITEM_WORK;
}

bool fei_read(const struct exo *x, const char *name, struct sn_fei *ret)
{
	struct sn_buf text = SN_BUF(WHOLE_MAX + 1);
	SN_AUTOFD int fd = sn_dir_open_hostile(x->spool.open, name);
	struct sn_workitem wi = {0};
	struct stat st;
	bool known = false;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
		if (st.st_size > WHOLE_MAX) {
			known = read_end(fd, st.st_size, &wi);
		} else if (sn_fd_read_all(fd, &text) == 0 && text.len > 0) {
			sn_workitem_read(text.data, text.len, &wi);
			known = wi.kind == SN_WORKITEM_WORK;
		}
	}
	if (known)
		*ret = wi.fei;
	sn_buf_release(&text);
	return known;
}

void tag_read(const struct exo *x, const struct item *it, char ret_tag[TAG_SIZE])
{
	struct sn_fei fei;

	if (fei_read(x, it->name, &fei))
		format(fei.wfid, fei.expid, ret_tag);
	else
		format(it->name + SN_NAME_FIXED, "-", ret_tag);
}
