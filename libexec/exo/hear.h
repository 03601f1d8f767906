/* The messages of workers, taken apart and acted on; each is allowed in some states of its worker only. */
#ifndef EXO_HEAR_H
#define EXO_HEAR_H

#include "worker.h"

enum { WORDS_MAX = 4 };

struct packet {
	char *words[WORDS_MAX + 1]; /* the verb first; missing ones are NULL */
	char *text;		    /* all behind the verb */
	bool dirty;
};

/* `text` is written to and must live as long as the packet. */
void packet_split(char *text, struct packet *ret);
void hear(struct worker *w, char *text);
/* It does not keep to the protocol: killed. `why`, a constant, is what it did: "sent an empty packet". */
void hear_break_off(struct worker *w, const char *why);
/* The i-th of its workitems is not with it any more. */
void hear_drop_job(struct worker *w, unsigned i);

#endif
