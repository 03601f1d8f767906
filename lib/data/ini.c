#include "data/ini.h"

#include <ctype.h>
#include <ini.h>
#include <strings.h>

#include "base/buf.h"

struct source {
	const struct sn_ini *ini;
	const char *at, *end;
	unsigned line;	 /* the last one that was handed out */
	unsigned joined; /* lines behind it that belong to its value */
	bool pending;	 /* a name was handed out and not come back */
	struct sn_buf value;
	unsigned errors;
};

struct line { /* without white space around it */
	const char *text;
	size_t len, indent;
	bool too_long, has_nul;
};

static void complain(struct source *s, unsigned line, const char *text)
{
	s->errors++;
	s->ini->complain(s->ini->arg, line, text);
}

/* The line at *at, which moves behind it. False at the end. */
static bool cut_line(const char **at, const char *end, struct line *ret)
{
	const char *start = *at, *stop;

	if (start >= end)
		return false;
	stop = memchr(start, '\n', (size_t)(end - start));
	*at = stop == NULL ? end : stop + 1;
	stop = stop == NULL ? end : stop;
	ret->too_long = stop - start > SN_INI_LINE_MAX;
	ret->has_nul = memchr(start, '\0', (size_t)(stop - start)) != NULL;
	ret->text = start;
	while (ret->text < stop && isspace((unsigned char)*ret->text))
		ret->text++;
	while (stop > ret->text && isspace((unsigned char)stop[-1]))
		stop--;
	ret->indent = (size_t)(ret->text - start);
	ret->len = (size_t)(stop - ret->text);
	return true;
}

static bool is_comment(const struct line *l)
{
	return l->len > 0 && (l->text[0] == '#' || l->text[0] == ';');
}

static int add_value(struct source *s, unsigned empty, const char *text, size_t len)
{
	int r = 0;

	while (r == 0 && empty-- > 0)
		r = sn_buf_add(&s->value, "\n", 1);
	return r == 0 ? sn_buf_add(&s->value, text, len) : r;
}

/* Collects the value of the name at `first`: what stands behind the separator, and the deeper lines that follow. */
static void collect(struct source *s, const struct line *first, const char *value)
{
	const char *at = s->at;
	struct line l;
	unsigned behind = 0, empty = 0;
	int r;

	while (value < first->text + first->len && isspace((unsigned char)*value))
		value++;
	sn_buf_reset(&s->value);
	r = add_value(s, 0, value, (size_t)(first->text + first->len - value));
	while (r == 0 && cut_line(&at, s->end, &l)) {
		behind++;
		if (is_comment(&l))
			continue;
		if (l.len == 0) {
			empty++;
			continue;
		}
		if (l.indent <= first->indent || l.too_long || l.has_nul)
			break;
		r = add_value(s, empty + 1, l.text, l.len);
		empty = 0;
		s->joined = behind;
	}
	if (r < 0) {
		complain(s, s->line + behind, "value longer than 65536 bytes");
		s->pending = false;
	}
}

/* What inih gets to see of a line: `name=`, `[section`…`]`, or whatever it shall stumble over. */
static size_t stub_length(struct source *s, const struct line *l, size_t room)
{
	size_t name = 0;

	if (l->text[0] == '[')
		return l->len < room ? l->len : room;
	while (name < l->len && l->text[name] != '=' && l->text[name] != ':')
		name++;
	if (name > SN_INI_NAME_MAX) {
		complain(s, s->line, "name longer than 64 bytes, or a line that is no INI");
		return 0;
	}
	s->pending = true;
	if (name == l->len)
		return name;
	collect(s, l, l->text + name + 1);
	return s->pending ? name + 1 : 0;
}

static void check_pending(struct source *s)
{
	if (s->pending)
		complain(s, s->line, "neither [section] nor name = value");
	s->pending = false;
}

/* inih's fgets: one call, one line of the file, so that its count is ours. */
static char *next_line(char *out, int size, void *arg)
{
	struct source *s = arg;
	struct line l;
	size_t n = 0;

	check_pending(s);
	if (!cut_line(&s->at, s->end, &l))
		return NULL;
	s->line++;
	if (s->joined > 0) {
		s->joined--;
	} else if (l.too_long) {
		complain(s, s->line, "line longer than 65536 bytes");
	} else if (l.has_nul) {
		complain(s, s->line, "NUL byte");
	} else if (l.len > 0 && !is_comment(&l)) {
		n = stub_length(s, &l, (size_t)size - 2);
		memcpy(out, l.text, n);
		if (n < l.len && l.text[0] == '[' && memchr(l.text, ']', l.len) != NULL)
			out[n - 1] = ']'; /* far longer than any of ours */
	}
	out[n] = '\n';
	out[n + 1] = '\0';
	return out;
}

static int pair(void *arg, const char *section, const char *name, const char *value)
{
	struct source *s = arg;
	char lower[SN_INI_NAME_MAX + 1];
	size_t n = 0;

	(void)value; /* empty: the true one is in s->value */
	s->pending = false;
	for (; name[n] != '\0' && n < SN_INI_NAME_MAX; n++)
		lower[n] = (char)tolower((unsigned char)name[n]);
	lower[n] = '\0';
	if (section[0] == '\0')
		complain(s, s->line, "no [section] before it");
	else if (n == 0)
		complain(s, s->line, "a value without a name");
	else
		s->ini->value(s->ini->arg, s->line, section, lower, s->value.data);
	return 1;
}

int sn_ini_parse(const char *text, size_t len, const struct sn_ini *ini)
{
	struct source s = {.ini = ini, .at = text, .end = text + len, .value = SN_BUF(SN_INI_LINE_MAX)};
	int r;

	if (len >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		s.at += 3;
	r = ini_parse_stream(next_line, &s, pair, &s);
	check_pending(&s);
	if (r != 0 && s.errors == 0) /* what check_pending does not see: a [section without its ] */
		complain(&s, r > 0 ? (unsigned)r : s.line, "neither [section] nor name = value");
	sn_buf_release(&s.value);
	return s.errors > 0 ? -EINVAL : 0;
}
