/* json_edit.h: an object with some of its members changed, all other bytes as they are.
 */
#ifndef JSON_EDIT_H
#define JSON_EDIT_H
#include "row/json.h"

/* A member to be: its value as JSON text; s NULL: no such member. */
struct json_member_edit {
    const char *key; /* plain characters: written as it is */
    struct span value;
};

/* Append object (an object that json_check() accepted) with edits [at most 8] made: a
 * value takes the place of the one that is there (of duplicates the last stays, the
 * others go), else the member comes before the closing brace; what is not to be goes with
 * its comma. The buffer tells of memory. */
void json_put_edited(struct buf *out, struct span object,
                     const struct json_member_edit *edits, int count);
#endif
