/* A reload on its way: what was read, and the process that tries the code out. */
#ifndef EXO_RELOAD_H
#define EXO_RELOAD_H

#include "data/config.h"
#include "svc/envfile.h"

struct exo;
struct worker;
enum { RELOAD_WHY_SIZE = 256 };

struct reload {
	struct worker *trial; /* NULL: none is on its way */
	struct sn_config config;
	struct sn_env env;
	bool read, again;
	unsigned count;		   /* how many have been decided on, for the status file */
	char why[RELOAD_WHY_SIZE]; /* why the last one was refused, or "" */
};

/* HUP. */
void exo_reload(struct exo *x);
/* The trial has ended: `how`. What it had said and printed has been read. */
void reload_judge(struct exo *x, const char *how);
void reload_release(struct exo *x);

#endif
