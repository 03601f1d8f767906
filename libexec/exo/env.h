/* The environment that a participant's code gets: exo's own, HOME, USER and LOGNAME of its uid, etc/skynet.env, then
 * etc/NAME.env. Lines are `K=V`, `export K=V` or `# …`; the value is taken as it stands, quotes included. */
#ifndef EXO_ENV_H
#define EXO_ENV_H

#include "base/base.h"
#include "svc/home.h"

struct env {
	char **list; /* "K=V" from the files, in order */
	size_t count;
};

/* Reads both files into *ret (whatever was there is released); malformed lines are logged with file and line. */
void env_load(struct env *e, const struct sn_home *home, const char *participant);
void env_release(struct env *e);
/* Sets it, and our own variables behind it. For the child between fork and exec. */
void env_apply(const struct env *e);

#endif
