/* Checked allocation: out of memory ends the process with 111 (the supervisor starts it again). Memory is
 * released with free(). Callers bound every size that comes from outside before they ask. */
#ifndef SN_MEM_H
#define SN_MEM_H

#include "base/base.h"

void *sn_malloc(size_t size) SN_CHECK;
void *sn_calloc(size_t count, size_t size) SN_CHECK;
void *sn_realloc(void *old, size_t size) SN_CHECK;
char *sn_strdup(const char *s) SN_CHECK;
char *sn_strndup(const char *s, size_t len) SN_CHECK;
char *sn_asprintf(const char *fmt, ...) SN_CHECK SN_PRINTF(1, 2);
/* Copies `from`, cut where it does not fit into `size` bytes (> 0) with its NUL: snprintf("%s") for what is done often. */
void sn_copy_text(char *to, size_t size, const char *from);

static inline void sn_autofree_free(void *p)
{
	extern void free(void *);

	free(*(void **)p);
}
/* `SN_AUTOFREE char *s = …;` */
#define SN_AUTOFREE __attribute__((cleanup(sn_autofree_free)))

#endif
