/* Functions that cannot be used safely are a compile error. */
#ifndef SN_BANNED_H
#define SN_BANNED_H

#include <stdio.h>
#include <string.h>

#define SN_BANNED(f) sorry_##f##_is_banned

#undef strcpy
#define strcpy(a, b) SN_BANNED(strcpy)
#undef strcat
#define strcat(a, b) SN_BANNED(strcat)
#undef strncpy
#define strncpy(a, b, n) SN_BANNED(strncpy)
#undef strncat
#define strncat(a, b, n) SN_BANNED(strncat)
#undef sprintf
#define sprintf(...) SN_BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) SN_BANNED(vsprintf)
#undef gets
#define gets(a) SN_BANNED(gets)
#undef strtok
#define strtok(a, b) SN_BANNED(strtok)
#undef tmpnam
#define tmpnam(a) SN_BANNED(tmpnam)
#undef mktemp
#define mktemp(a) SN_BANNED(mktemp)

#endif
