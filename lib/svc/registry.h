/* The record of what this host registered with the engine: lib/registered, a line each, `TIME NAME QUEUE REGEXP` with tabs
 * between. The engine drops its catch-all participant when it is told to unregister what it does not know, so nobody
 * unregisters what is not in here without saying --force.
 *
 *	struct sn_registry reg;
 *	if ((r = sn_registry_open(&reg, &home, true)) == 0) … sn_registry_set(…), sn_registry_save(…)
 *	sn_registry_close(&reg);
 */
#ifndef SN_REGISTRY_H
#define SN_REGISTRY_H

#include "base/clock.h"
#include "svc/cli.h"

struct sn_registration {
	char *name; /* participant; "-": none of this host */
	char *queue;
	char *regexp; /* as the engine has it: it replaces by this */
	char time[SN_TIME_TEXT_SIZE];
};

struct sn_registry {
	struct sn_registration *list;
	size_t count;
	/* private */
	int dir, lock;
};

/* Reads it; with `change` it is locked until it is closed, and root takes the uid of the directory's owner (the bridge's)
 * until then. 0 or -errno; a record that was never written is empty. Close only after success. */
int sn_registry_open(struct sn_registry *reg, const struct sn_home *h, bool change) SN_CHECK;
/* Adds, or replaces what has this regexp. 0; -EINVAL: a value that cannot stand in a line. */
int sn_registry_set(struct sn_registry *reg, const char *name, const char *queue,
		    const char *regexp) SN_CHECK;
void sn_registry_drop(struct sn_registry *reg, size_t i);
/* Writes it, whole or not at all. 0 or -errno. */
int sn_registry_save(struct sn_registry *reg) SN_CHECK;
void sn_registry_close(struct sn_registry *reg);
/* No control character, not empty. */
bool sn_registry_valid(const char *value);

/* Has the engine do it: `unregister` or register. The exit code of sn_launch_publish(). */
int sn_registry_publish(const struct sn_cli *cli, const char *regexp, const char *queue,
			bool unregister) SN_CHECK;

#endif
