#include "tags.h"

#include <stdlib.h>

void tags_add(struct channel *ch, uint64_t tag)
{
	if (ch->marks_len == 0)
		ch->first_tag = tag;
	if (ch->marks_len == ch->marks_cap) {
		ch->marks_cap = ch->marks_cap > 0 ? 2 * ch->marks_cap : 256;
		ch->marks = sn_realloc(ch->marks, ch->marks_cap);
	}
	ch->marks[ch->marks_len++] = TAG_HELD;
}

void tags_mark(struct channel *ch, uint64_t tag, enum tag_mark mark)
{
	if (tag < ch->first_tag || tag - ch->first_tag >= ch->marks_len)
		return;
	if (ch->marks[tag - ch->first_tag] !=
	    TAG_HELD) /* acked before: a second ack would close the channel */
		return;
	ch->marks[tag - ch->first_tag] = (unsigned char)mark;
	if (mark == TAG_DUE)
		ch->due++;
	else if (mark == TAG_REQUEUE)
		ch->requeue = true;
}

/* The length of the head of the line that holds nothing back. */
static size_t head_length(const struct channel *ch, size_t *ret_last_due)
{
	size_t n = 0;

	*ret_last_due = SIZE_MAX;
	for (; n < ch->marks_len && (ch->marks[n] == TAG_DUE || ch->marks[n] == TAG_GONE); n++) {
		if (ch->marks[n] == TAG_DUE)
			*ret_last_due = n;
	}
	return n;
}

static void drop_head(struct channel *ch, size_t n)
{
	ch->marks_len -= n;
	ch->first_tag += n;
	if (n > 0 && ch->marks_len > 0)
		memmove(ch->marks, ch->marks + n, ch->marks_len);
}

static int flush_singles(struct channel *ch, const struct tags_out *out)
{
	for (size_t i = 0; i < ch->marks_len && (ch->due > 0 || ch->requeue); i++) {
		int r = 0;

		if (ch->marks[i] == TAG_DUE) {
			ch->due--;
			r = out->ack(out->arg, ch->first_tag + i, false);
		} else if (ch->marks[i] == TAG_REQUEUE && out->requeue != NULL) {
			r = out->requeue(out->arg, ch->first_tag + i);
		} else {
			continue;
		}
		if (r != 0)
			return r;
		ch->marks[i] = TAG_GONE;
	}
	if (out->requeue != NULL)
		ch->requeue = false;
	return 0;
}

int tags_flush(struct channel *ch, const struct tags_out *out)
{
	size_t last_due, n;
	int r = 0;

	n = head_length(ch, &last_due);
	if (last_due != SIZE_MAX) {
		for (size_t i = 0; i < n; i++)
			ch->due -= ch->marks[i] == TAG_DUE;
		r = out->ack(out->arg, ch->first_tag + last_due, true);
	}
	drop_head(ch, n);
	if (r == 0 && (ch->due > 0 || (ch->requeue && out->requeue != NULL))) {
		r = flush_singles(ch, out);
		drop_head(ch, head_length(ch, &last_due));
	}
	return r;
}

void tags_clear(struct channel *ch)
{
	free(ch->marks);
	ch->marks = NULL;
	ch->marks_len = ch->marks_cap = ch->due = 0;
	ch->requeue = false;
}
