/* messages.h: lists of chat messages in fields of training rows, whose pictures are named
 * elsewhere in the row. */
#ifndef TRAIN_MESSAGES_H
#define TRAIN_MESSAGES_H
#include "model/conversation.h"

/* A JSON string's text, in memory of the row's. 0 or -1 (type). */
int messages_text(struct row *row, struct span value, struct span *text);

/* A message's content as one text: a string, or a list of text parts. 0, or -1: missing
 * (content.s is NULL), type. */
int messages_content_text(struct row *row, struct span content, struct span *text);

/* "system", "user" or "assistant". 0, or -1: missing, type. */
int messages_role(struct span message, enum turn_role *role);

/* A turn of one text behind the conversation's. 0 or -1 (memory). */
int messages_add_text(struct conversation *c, struct row *row, enum turn_role role,
                      struct span text);

/* The first count (-1: all) messages of a list as turns behind the conversation's, after
 * a system turn where system is not NULL. Each {"type":"image"} part takes the next of
 * pictures[n]; if there is no such part, all stand before the first user's content. 0, or
 * -1: missing, type (also: pictures and parts are not as many). */
int messages_read(struct conversation *c, struct row *row, struct span list, int count,
                  const struct turn_part *pictures, int n, const char *system);
#endif
