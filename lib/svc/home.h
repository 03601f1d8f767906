/* A home: where everything is (docs/HOME.md). No other file knows a path.
 *
 *	struct sn_home h;
 *	if ((r = sn_home_init(&h, option_or_NULL)) < 0) …
 *	sn_home_release(&h);
 */
#ifndef SN_HOME_H
#define SN_HOME_H

#include "base/base.h"
#include "data/config.h"

struct sn_home {     /* absolute paths, owned */
	bool system; /* the system home: several uids, chpst */
	char *root;  /* "/" or DIR */
	char *etc, *sv, *service, *spool, *lib, *log, *run;
};

/* option: DIR, "/" (system), or NULL: SKYNET_HOME, else the system home. 0, -ENOENT if DIR does not exist, -errno. */
int sn_home_init(struct sn_home *h, const char *option) SN_CHECK;
void sn_home_release(struct sn_home *h);
/* Files to merge for `participant` (NULL: the host's own), low to high, existing or not. A NULL-terminated array,
 * freed with sn_home_files_free(). include_dir comes from what is read up to config.exo. */
char **sn_home_config_files(const struct sn_home *h, const char *participant) SN_CHECK;
void sn_home_files_free(char **files);
/* Merges them into *ret (initialised here; release it also after an error). A file that is missing, or boss.conf that
 * may not be read, is skipped; an unset queue becomes the participant's name. 0; -EINVAL after complaints to rd; -ENOENT: no such participant. */
int sn_home_config(const struct sn_home *h, const char *participant, struct sn_config_reader *rd,
		   struct sn_config *ret) SN_CHECK;
/* Names of the participants (those with a config.exo), sorted, NULL-terminated; sn_home_files_free(). */
int sn_home_participants(const struct sn_home *h, char ***ret_names) SN_CHECK;
/* The enabled link service/skynet-NAME exists. */
bool sn_home_enabled(const struct sn_home *h, const char *participant);

#endif
