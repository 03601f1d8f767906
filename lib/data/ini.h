/* INI text, read as Python's configparser reads it (participants see the same files through that). inih finds sections and
 * names; the values pass it by, because its builds cut lines at 200 bytes without a word and take ` ;` for a comment:
 * - comments are whole lines that begin with `#` or `;`; `name = value` and `name: value`;
 * - a line indented deeper than its name goes on with the value (joined by '\n'), also across empty lines;
 * - names are in lower case, sections as they are written; a later value wins; CRLF and a BOM do no harm. */
#ifndef SN_INI_H
#define SN_INI_H

#include "base/base.h"

enum { SN_INI_LINE_MAX = 65536, SN_INI_NAME_MAX = 64 };

struct sn_ini {
	void *arg;
	/* One value; the strings live until it returns. */
	void (*value)(void *arg, unsigned line, const char *section, const char *name, const char *value);
	/* One complaint; the line is skipped. Values never stand in it: they may be secrets. */
	void (*complain)(void *arg, unsigned line, const char *text);
};

/* 0, or -EINVAL after complaints (what could be read was handed over). */
int sn_ini_parse(const char *text, size_t len, const struct sn_ini *ini) SN_CHECK;

#endif
