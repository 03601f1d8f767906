/* The configuration of a host and of its participants (docs/HOME.md), merged from INI files in order. One table of keys
 * feeds the parser, `skynet-config --help` texts and the check of the man page. */
#ifndef SN_CONFIG_H
#define SN_CONFIG_H

#include "base/base.h"
#include "base/log.h"

enum sn_sync { SN_SYNC_SYNCFS, SN_SYNC_FDATASYNC, SN_SYNC_NONE };
enum { SN_CONFIG_LINE_MAX = 65536, SN_CONFIG_FILE_MAX = 1 << 20 }; /* bytes; see also data/ini.h */

struct sn_config { /* strings are never NULL, "" is unset; owned by the struct */
	struct {
		char *host, *vhost, *user, *password, *password_file;
		char *ca, *cert, *key, *engine_queue;
		bool tls, tls_verify;
		unsigned heartbeat_s;
	} boss;
	struct {
		char *include_dir, *user, *log_user;
		enum sn_level log_level;
		enum sn_sync sync;
		int64_t sync_after_ns;
		int64_t air_after_ns; /* -1: never */
		unsigned air_max;
		uint64_t min_free_mb, min_free_inodes, log_size, log_count, log_min_free;
		bool history;
	} skynet;
	struct {
		char *queue, *regexp, *code, *user, *groups, *exo_class, *error_class;
		unsigned instances, prefetch, hold, max_attempts;
		unsigned grace_s, start_limit_s, time_limit_s, max_items;
		uint64_t max_size_bytes, limit_data_mb, limit_files, limit_cpu_s;
		bool sync_results;
	} participant;
};

struct sn_config_key { /* rows of the table, in the order of docs/HOME.md */
	const char *section, *name, *fallback, *help;
	unsigned kind; /* this and the rest: for config.c */
	size_t offset;
	uint64_t min, max;
};

/* Called for each complaint; `error` false: a warning. */
typedef void sn_config_complain(void *arg, bool error, const char *file, unsigned line, const char *text);

struct sn_config_reader {
	sn_config_complain *complain; /* NULL: log with sn_warn/sn_err */
	void *arg;
	unsigned errors;
};

/* Sets every default. */
void sn_config_init(struct sn_config *c);
void sn_config_release(struct sn_config *c);
/* Merges one file. 0; -ENOENT, -EACCES … if it cannot be opened or read (nothing is said); -EINVAL after complaints,
 * which is also what a file over SN_CONFIG_FILE_MAX gives. Bad values leave the former one in place. */
int sn_config_read_file(struct sn_config *c, const char *path, struct sn_config_reader *rd) SN_CHECK;
/* The table. *ret_count rows. */
const struct sn_config_key *sn_config_keys(size_t *ret_count);
/* Sets a text value by its key: for defaults that depend on the participant's name. 0, -EINVAL: no text key. */
int sn_config_set_text(struct sn_config *c, const char *section, const char *name,
		       const char *value) SN_CHECK;
/* One value as text (borrowed or static; valid until the next call), NULL if there is no such key. */
const char *sn_config_get(const struct sn_config *c, const char *section, const char *name);

#endif
