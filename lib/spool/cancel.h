/* cancel.1–7: cancel items and the workitems that they mark (docs/SPOOL.md, section 10). For the bridge; spool-put makes
 * cancel.1 alone, and rings for the bridge. In open/ lie
 *	NAME.cancel	a cancel item that is not decided
 *	NAME.tell	one that does not say whom it means: the handlers are still to be told
 *	NAME.cancelled	the marker of workitem NAME; holds the name of the cancel item */
#ifndef SN_CANCEL_H
#define SN_CANCEL_H

#include "spool/spool.h"

enum sn_cancel_leaf { SN_CANCEL_OTHER, SN_CANCEL_ITEM, SN_CANCEL_TELL, SN_CANCEL_MARK, SN_CANCEL_LEAVES };
enum { SN_CANCEL_LEAF_SIZE = SN_NAME_SIZE + 16 };

/* Is `leaf` one of these, with a valid NAME? */
enum sn_cancel_leaf sn_cancel_parse(const char *leaf, char ret_name[SN_NAME_SIZE]);
void sn_cancel_format(const char *name, enum sn_cancel_leaf kind, char ret_leaf[SN_CANCEL_LEAF_SIZE]);

/* cancel.1: stores the item (the sequence of `name` is counted up if it is taken). 0; -errno: nothing was stored. */
int sn_cancel_store(struct sn_spool *s, char name[SN_NAME_SIZE], const void *body, size_t len) SN_CHECK;
/* Tells a bridge that runs: an entry in work/result, which it watches. */
void sn_cancel_ring(struct sn_spool *s, const char *name);
/* cancel.2: `by` is the cancel item. 0; 1: was marked before; -errno. */
int sn_cancel_mark(struct sn_spool *s, const char *name, const char *by) SN_CHECK;
/* 1 if the workitem is marked, else 0. */
int sn_cancel_marked(const struct sn_spool *s, const char *name) SN_CHECK;
/* cancel.3: NAME.cancel → done/…, or with `tell` → NAME.tell. 0; -ENOENT: it was, or was never there. */
int sn_cancel_decided(struct sn_spool *s, const char *name, bool tell) SN_CHECK;
/* cancel.4: no worker can begin it any more while the descriptor that this returns is open. -EAGAIN: one has it; -ENOENT. */
int sn_cancel_withdraw(const struct sn_spool *s, const char *name) SN_CHECK;
/* cancel.6: the marker of a workitem that is not open any more goes to where the workitem is. 0; -EBUSY: it is open. */
int sn_cancel_settle(struct sn_spool *s, const char *name) SN_CHECK;
/* cancel.7: NAME.tell → done/…/NAME.cancel. 0; -ENOENT. */
int sn_cancel_told(struct sn_spool *s, const char *name) SN_CHECK;

#endif
