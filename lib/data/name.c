#include "data/name.h"

#include <stdlib.h>

#include "base/clock.h"

enum { TIME_LEN = 22, SEQ_AT = 23, DIGEST_AT = 28, DIGEST_LEN = 16 };

enum { DIGIT = 1, HEX = 2, LABEL = 4, PARTICIPANT = 8, DASH = 16, DOT = 32, TEE = 64 };
static const unsigned char CLASSES[256] = {
	['0' ... '9'] = DIGIT | HEX | LABEL | PARTICIPANT,
	['a' ... 'f'] = HEX | LABEL | PARTICIPANT,
	['g' ... 'z'] = LABEL | PARTICIPANT,
	['A' ... 'S'] = LABEL | PARTICIPANT,
	['T'] = LABEL | PARTICIPANT | TEE,
	['U' ... 'Z'] = LABEL | PARTICIPANT,
	['-'] = LABEL | PARTICIPANT | DASH,
	['_'] = LABEL | PARTICIPANT,
	['.'] = PARTICIPANT | DOT,
};
/* The fixed part of a name: 00000000T000000.000000-ffff-ffffffffffffffff- */
static const unsigned char SHAPE[SN_NAME_FIXED] =
	{
		[0 ... 7] = DIGIT,   [8] = TEE,	  [9 ... 14] = DIGIT, [15] = DOT,
		[16 ... 21] = DIGIT, [22] = DASH, [23 ... 26] = HEX,  [27] = DASH,
		[28 ... 43] = HEX,   [44] = DASH,
};
/* Its time is "2026-11-22T10:54:43.865116Z" without '-', ':' and 'Z'. */
static const struct {
	size_t in_name, in_time, len;
} PIECES[] = {{0, 0, 4}, {4, 5, 2}, {6, 8, 5}, {11, 14, 2}, {13, 17, 9}};

static bool is(char c, unsigned char class)
{
	return (CLASSES[(unsigned char)c] & class) != 0;
}

static bool all_of(const char *s, size_t len, unsigned char class)
{
	for (size_t i = 0; i < len; i++) {
		if (!is(s[i], class))
			return false;
	}
	return true;
}

void sn_name_clock_seed(struct sn_name_clock *c, const char *name)
{
	int64_t us;

	if (!sn_name_valid(name))
		return;
	us = sn_name_time_us(name);
	if (us > c->last_us)
		c->last_us = us;
}

static void put_label(const char *wfid, char *out)
{
	size_t n = 0;

	for (; wfid != NULL && wfid[n] != '\0' && n < SN_NAME_LABEL_MAX; n++) {
		out[n] = is(wfid[n], LABEL) ? wfid[n] : '_';
	}
	if (n == 0)
		out[n++] = '_';
	out[n] = '\0';
}

bool sn_name_maybe_of(const char *valid_name, const char *wfid)
{
	char label[SN_NAME_LABEL_MAX + 1];

	put_label(wfid, label);
	return strcmp(valid_name + SN_NAME_FIXED, label) == 0;
}

void sn_name_make(struct sn_name_clock *c, uint64_t digest64, const char *wfid, char ret_name[SN_NAME_SIZE])
{
	static const char DIGITS[] = "0123456789abcdef";
	int64_t us = sn_clock_real_us();
	char time[SN_TIME_TEXT_SIZE];

	if (us <= c->last_us)
		us = c->last_us + 1;
	c->last_us = us;
	sn_time_format(us, time);
	for (size_t i = 0; i < SN_COUNT(PIECES); i++)
		memcpy(ret_name + PIECES[i].in_name, time + PIECES[i].in_time, PIECES[i].len);
	memcpy(ret_name + TIME_LEN, "-0000-", 6);
	for (int i = 0; i < DIGEST_LEN; i++)
		ret_name[DIGEST_AT + i] = DIGITS[(digest64 >> (60 - 4 * i)) & 15];
	ret_name[SN_NAME_FIXED - 1] = '-';
	put_label(wfid, ret_name + SN_NAME_FIXED);
}

int sn_name_next_seq(char name[SN_NAME_SIZE])
{
	char digits[5];
	unsigned long seq;

	memcpy(digits, name + SEQ_AT, 4);
	digits[4] = '\0';
	seq = strtoul(digits, NULL, 16) + 1;
	if (seq > 0xffff)
		return -EOVERFLOW;
	(void)snprintf(digits, sizeof digits, "%04lx", seq);
	memcpy(name + SEQ_AT, digits, 4);
	return 0;
}

static int two(const char *s)
{
	return (s[0] - '0') * 10 + (s[1] - '0');
}

static bool has_shape(const char *name)
{
	for (size_t i = 0; i < SN_NAME_FIXED; i++) {
		if (!is(name[i], SHAPE[i]))
			return false; /* as is the end of a shorter one */
	}
	return true;
}

bool sn_name_valid(const char *name)
{
	size_t len = SN_NAME_FIXED;

	if (!has_shape(name) || two(name + 4) < 1 || two(name + 4) > 12 || two(name + 6) < 1 ||
	    two(name + 6) > 31 || two(name + 9) > 23 || two(name + 11) > 59 || two(name + 13) > 60)
		return false;
	while (len <= SN_NAME_MAX && is(name[len], LABEL))
		len++;
	return len > SN_NAME_FIXED && len <= SN_NAME_MAX && name[len] == '\0';
}

uint64_t sn_name_digest(const char *valid_name)
{
	uint64_t digest = 0;

	for (int i = 0; i < DIGEST_LEN; i++) {
		const char c = valid_name[DIGEST_AT + i];

		digest = digest << 4 | (uint64_t)(is(c, DIGIT) ? c - '0' : c - 'a' + 10);
	}
	return digest;
}

void sn_name_bucket(const char *valid_name, char ret_date[SN_DATE_SIZE], char ret_bucket[SN_BUCKET_SIZE])
{
	memcpy(ret_date, valid_name, 8);
	ret_date[8] = '\0';
	memcpy(ret_bucket, valid_name + 9, 4);
	ret_bucket[4] = '\0';
}

int64_t sn_name_time_us(const char *valid_name)
{
	char time[SN_TIME_TEXT_SIZE];
	int64_t us = 0;

	sn_time_format(0, time);
	for (size_t i = 0; i < SN_COUNT(PIECES); i++)
		memcpy(time + PIECES[i].in_time, valid_name + PIECES[i].in_name, PIECES[i].len);
	return sn_time_parse(time, &us) < 0 ? 0 : us; /* of a valid name it is valid */
}

void sn_attempt_format(const char *valid_name, unsigned attempt, char ret_leaf[SN_ATTEMPT_SIZE])
{
	char *at = stpcpy(stpcpy(ret_leaf, valid_name), ",a"); /* a valid name: it fits */

	attempt %= SN_ATTEMPT_MAX + 1;
	if (attempt >= 100)
		*at++ = (char)('0' + attempt / 100);
	if (attempt >= 10)
		*at++ = (char)('0' + attempt / 10 % 10);
	*at++ = (char)('0' + attempt % 10);
	*at = '\0';
}

/* Splits leaf at `sep` into a valid name and what follows. */
static const char *split(const char *leaf, const char *sep, char ret_name[SN_NAME_SIZE])
{
	const char *at = strstr(leaf, sep);
	char name[SN_NAME_SIZE];

	if (at == NULL || (size_t)(at - leaf) > SN_NAME_MAX)
		return NULL;
	memcpy(name, leaf, (size_t)(at - leaf));
	name[at - leaf] = '\0';
	if (!sn_name_valid(name))
		return NULL;
	memcpy(ret_name, name, sizeof name);
	return at + strlen(sep);
}

int sn_attempt_parse(const char *leaf, char ret_name[SN_NAME_SIZE], unsigned *ret_attempt)
{
	char name[SN_NAME_SIZE] = "";
	const char *digits = split(leaf, ",a", name);
	size_t len = digits != NULL ? strlen(digits) : 0;

	if (len < 1 || len > 3 || digits[0] == '0' || !all_of(digits, len, DIGIT))
		return -EINVAL;
	*ret_attempt = (unsigned)strtoul(digits, NULL, 10);
	memcpy(ret_name, name, sizeof name);
	return 0;
}

int sn_message_parse(const char *leaf, char ret_name[SN_NAME_SIZE], unsigned *ret_number)
{
	char name[SN_NAME_SIZE] = "";
	const char *digits = split(leaf, ".m", name);

	if (digits == NULL || strlen(digits) != 4 || !all_of(digits, 4, DIGIT) || strcmp(digits, "0000") == 0)
		return -EINVAL;
	*ret_number = (unsigned)strtoul(digits, NULL, 10);
	memcpy(ret_name, name, sizeof name);
	return 0;
}

void sn_mark_format(const char *valid_name, const char *mark, char ret_leaf[SN_ATTEMPT_SIZE])
{
	(void)stpcpy(stpcpy(ret_leaf, valid_name), mark); /* fits */
}

bool sn_mark_parse(const char *leaf, const char *mark, char ret_name[SN_NAME_SIZE])
{
	const size_t len = strlen(leaf), n = strlen(mark);

	if (len <= n || len - n > SN_NAME_MAX || strcmp(leaf + len - n, mark) != 0)
		return false;
	memcpy(ret_name, leaf, len - n);
	ret_name[len - n] = '\0';
	return sn_name_valid(ret_name);
}

bool sn_participant_valid(const char *name)
{
	size_t len = strnlen(name, 65);

	return len >= 1 && len <= 64 && all_of(name, len, PARTICIPANT) && name[0] != '_' && name[0] != '.' &&
	       name[0] != '-' && strcmp(name, "amqp-spool") != 0;
}
