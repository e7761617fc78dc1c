/* value.h: a value in a checked text, together with its place on the text's tape where
 * the text has one. Finding things in it then costs a step for each member, not a look at
 * each byte; without a tape it is done as json.h does it. */
#ifndef VALUE_H
#define VALUE_H
#include "row/json.h"
#include "row/tape.h"

struct value {
    struct span json;               /* s NULL: there is none */
    const struct tape_entry *entry; /* NULL: no tape. Borrowed from the row */
};

/* All of a text that tape was made of (NULL: it has none, and json_check() accepted it).
 */
struct value value_root(struct span text, const struct tape_entry *tape);

/* Step through a list's elements, as json_each(). */
bool value_each(struct value list, size_t *at, struct value *element);

/* Step through an object's members, as json_member(). */
bool value_member(struct value object, size_t *at, struct span *key,
                  struct value *member);

/* Several members of an object in one walk; of duplicates the last one. found[i] is that
 * called names[i]; empty if there is none. No two names are equal. */
void value_pick(struct value object, const struct span names[], struct value found[],
                int count);

/* The member called key, as json_get(); the value at a dotted path, as json_find(). */
struct value value_get(struct value object, const char *key);
struct value value_find(struct value object, const char *path);
#endif
