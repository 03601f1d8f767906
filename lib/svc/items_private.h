/* What items.c (the shelf, the finished ones) and items_open.c (the unfinished ones) share. */
#ifndef SN_ITEMS_PRIVATE_H
#define SN_ITEMS_PRIVATE_H

#include "svc/items.h"

struct sn_scan {
	const struct sn_shelf *shelf;
	struct sn_items *out;
	const char *text; /* prefix or WFID; NULL: all */
	unsigned states;
};

/* Adds what is unfinished and wanted, in a state of sc->states. 0 or -errno. */
int sn_items_scan_open(struct sn_scan *sc) SN_CHECK;

/* Is it the one that was asked for? */
bool sn_items_wanted(const struct sn_scan *sc, const struct sn_item *item) SN_CHECK;
struct sn_item *sn_items_add(struct sn_items *out, const struct sn_shelf *shelf, const char *name) SN_CHECK;
/* What a directory holds, sorted; an empty list if it cannot be read. Freed with sn_home_files_free(). */
char **sn_items_sorted_names(int dirfd) SN_CHECK;
size_t sn_items_count_names(char *const *names) SN_CHECK;

#endif
