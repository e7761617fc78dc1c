/* media.h: the pictures that a row's media field names, whatever its form:
 *
 *     "a.png"                                                       a text
 *     ["a.png", "b.png"]                                            a list of them
 *     [{"type":"image","image":"a.png"}, ...]                       parts of a message
 *     [{"role":"user","content":[{"type":"image","image":"a.png"}]}] whole messages
 *
 * The last is what CapRL's published evaluation rows may hold in `image`: their script
 * hands it to qwen-vl-utils, which takes the pictures and no text from it. So does this.
 */
#ifndef MEDIA_H
#define MEDIA_H
#include "base/span.h"
#include <stdbool.h>
#include <stddef.h>

/* Does a media field's value name anything? Not so: none, null, "" and []: data sets with
 * a column for each kind of media leave the others' empty. */
bool media_is_there(struct span value);

/* The picture of a message's part: its reference as JSON, not always a text; s NULL: the
 * part has none. A member that is null counts as none. */
struct span media_of_part(struct span part);

/* Where the walk stands. Zeroed at first. */
struct media_walk {
    size_t at, part_at;
    struct span parts; /* of the message that is walked */
};

/* Step to the next picture of a value: *ref is its reference as JSON, as it stands: not
 * always a text, which the caller is to check. false: no more. */
bool media_next(struct span value, struct media_walk *walk, struct span *ref);

/* The reference of a value that names just one picture, else the value. */
struct span media_lone(struct span value);
#endif
