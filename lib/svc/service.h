/* What a person wants to know about one service: its state file, its lock and runit's record, taken together. The state
 * file alone is never believed: its writer may be dead.
 *
 *	struct sn_service s;
 *	r = sn_service_look(&h, "P1", &s);
 *	sn_service_release(&s);
 */
#ifndef SN_SERVICE_H
#define SN_SERVICE_H

#include "svc/home.h"
#include "svc/status.h"

#define SN_BRIDGE_NAME "amqp-spool"

struct sn_service {
	const char *state; /* as in docs/HOME.md; borrowed from `status` or a constant */
	const char *want; /* up, down, "-": not enabled, "?": down, and only root knows whether it is to be */
	pid_t pid;	  /* of exo or the bridge; 0: none */
	int64_t since_us; /* when that pid, or this state, began; 0 unknown */
	bool running;	  /* somebody holds its lock */
	bool ready;	  /* works: ready, connected, brokerless or blocked */
	bool failed;	  /* config-error or backoff: waiting will not help */
	struct sn_status status;
	struct sn_runit runit; /* zero if runit_error */
	int runit_error;       /* 0 or -errno of sn_runit_read */
};

/* Is there a service of that name: a participant, or the bridge? */
bool sn_service_exists(const struct sn_home *h, const char *name);
/* 0; -ENOENT: no such service. Release in every case. */
int sn_service_look(const struct sn_home *h, const char *name, struct sn_service *ret) SN_CHECK;
void sn_service_release(struct sn_service *s);

#endif
