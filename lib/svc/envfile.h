/* The environment files of a participant: etc/skynet.env, then etc/NAME.env. Lines are `K=V`, `export K=V` or `# …`;
 * the value is taken as it stands. (exo has its own reader, which keeps them for its children.) */
#ifndef SN_ENVFILE_H
#define SN_ENVFILE_H

#include "svc/home.h"

/* Sets them in our own environment. A malformed line is logged with file and line, never its text. */
void sn_envfile_apply(const struct sn_home *h, const char *participant);

#endif
