/* Log lines of our own programs, on stderr (svlogd takes them): `info: cannot … name=NAME key=value`.
 * Control bytes are escaped; a line is written with one write(2). Workitem bodies and secrets never go here.
 *
 *	sn_warn("name=%s: cannot publish: %s", name, strerror(err));
 *
 * The library itself logs at debug only. */
#ifndef SN_LOG_H
#define SN_LOG_H

#include "base/base.h"

enum sn_level { SN_DEBUG, SN_INFO, SN_WARNING, SN_ERROR };

/* Lines below `level` are dropped. The default is SN_INFO. */
void sn_log_set_level(enum sn_level level);
/* 0, or -EINVAL for a word that is no level ("critical" counts as error). */
int sn_log_level_parse(const char *word, enum sn_level *ret_level) SN_CHECK;
/* Whole lines go to `sink` instead of stderr (exo: it must never wait for the log). NULL: stderr again. */
void sn_log_set_sink(void (*sink)(const char *line, size_t len));
void sn_log(enum sn_level level, const char *fmt, ...) SN_PRINTF(2, 3);

#define sn_debug(...) sn_log(SN_DEBUG, __VA_ARGS__)
#define sn_info(...)  sn_log(SN_INFO, __VA_ARGS__)
#define sn_warn(...)  sn_log(SN_WARNING, __VA_ARGS__)
#define sn_err(...)   sn_log(SN_ERROR, __VA_ARGS__)

#endif
