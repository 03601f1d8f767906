/* The environment files of a participant: etc/skynet.env, then etc/NAME.env. Lines are `K=V`, `export K=V` or `# …`;
 * the value is taken as it stands, quotes included. For exo's workers and `skynet replay`.
 *
 *	struct sn_env env = {0};
 *	sn_env_load(&env, &home, "P1");
 *	r = sn_env_apply(&env);            (exo: in the child, between fork and exec)
 *	sn_env_release(&env);
 */
#ifndef SN_ENVFILE_H
#define SN_ENVFILE_H

#include "svc/home.h"

struct sn_env {
	char **list; /* "K", NUL, "V", in the order of the files */
	size_t count;
};

/* Reads both files into *e (whatever was there is released). A file that cannot be read is logged and skipped, a
 * malformed line logged with file and line, never its text; a missing file is none. */
void sn_env_load(struct sn_env *e, const struct sn_home *h, const char *participant);
void sn_env_release(struct sn_env *e);
/* Sets them in our own environment. 0 or -ENOMEM. */
int sn_env_apply(const struct sn_env *e) SN_CHECK;

#endif
