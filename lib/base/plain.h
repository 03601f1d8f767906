/* Plain bytes of JSON strings: ASCII that stands there as it is. Inline: on the path of every workitem, in three places. */
#ifndef SN_PLAIN_H
#define SN_PLAIN_H

#include "base/base.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { SN_PLAIN_BLOCK = 16 }; /* bytes looked at together */

static inline bool sn_is_plain(char c)
{
	return (unsigned char)c < 0x80 && c >= 0x20 && c != '"' && c != '\\';
}

#ifdef __SSE2__
/* To the first of sixteen bytes that is not plain ASCII ('"', '\\', below 0x20, above 0x7f), or behind all of them. */
static inline size_t sn_plain_block(const char *p)
{
	const __m128i v = _mm_loadu_si128((const void *)p);
	/* As signed bytes what is above 0x7f is below 0x20, too. */
	const __m128i odd = _mm_or_si128(
		_mm_cmplt_epi8(v, _mm_set1_epi8(0x20)),
		_mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))));
	const unsigned mask = (unsigned)_mm_movemask_epi8(odd);

	return mask == 0 ? SN_PLAIN_BLOCK : (size_t)__builtin_ctz(mask);
}
#else
static inline size_t sn_plain_block(const char *p)
{
	size_t n = 0;

	while (n < SN_PLAIN_BLOCK && sn_is_plain(p[n]))
		n++;
	return n;
}
#endif

/* How many of the len bytes come before the first that is not plain. */
static inline size_t sn_plain_prefix(const char *p, size_t len)
{
	size_t at = 0;

	while (len - at >= SN_PLAIN_BLOCK) {
		const size_t n = sn_plain_block(p + at);

		at += n;
		if (n < SN_PLAIN_BLOCK)
			return at;
	}
	while (at < len && sn_is_plain(p[at]))
		at++;
	return at;
}

#endif
