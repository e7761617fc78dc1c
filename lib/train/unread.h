/* unread.h: what a conversation's row may say that is not trained here, and would change
 * what is learnt if it were passed over. */
#ifndef TRAIN_UNREAD_H
#define TRAIN_UNREAD_H
#include "row/row.h"

/* Tools and calls of them, reasoning beside the content, weights of turns, in the row and
 * in its lists of messages. An empty value is none. 0, or -1 (refused) that names it. */
int unread_refuse(struct row *row);

/* null, "", [], {}, or a text that is one of these. */
bool unread_empty(struct span value);
#endif
