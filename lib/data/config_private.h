/* Between config.c (the table, values) and config_read.c (files). */
#ifndef SN_CONFIG_PRIVATE_H
#define SN_CONFIG_PRIVATE_H

#include "data/config.h"

enum sn_config_kind { TEXT, HOSTS, CODE, BOOL, UINT, U64, SECONDS, LEVEL, SYNC }; /* sn_config_key.kind */

const struct sn_config_key *sn_config_find(const char *section, const char *name);
/* 0, or -EINVAL: the former value stays. */
int sn_config_set(struct sn_config *c, const struct sn_config_key *k, const char *value) SN_CHECK;

#endif
