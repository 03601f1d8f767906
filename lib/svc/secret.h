/* The broker's password, in a file of its own or in the configuration: can the bridge read it, can anybody else? */
#ifndef SN_SECRET_H
#define SN_SECRET_H

#include "svc/home.h"

enum { SN_SECRET_TEXT_SIZE = 512 };

/* 0: all is well, or no broker, or no password; 1: a warning in ret_text; -errno: the bridge
 * cannot use it, ret_text says why. ret_text is one line, "" for 0. */
int sn_secret_check(const struct sn_home *h, const struct sn_config *c,
		    char ret_text[SN_SECRET_TEXT_SIZE]) SN_CHECK;

#endif
