/* tape.h: a checked JSON object as a list of its values, so that whoever looks for one
 * steps over what it does not want. Made in the pass that checks the order of tokens. */
#ifndef TAPE_H
#define TAPE_H
#include "row/tokens.h"

/* One value, key, or closing bracket, in the order of the text. */
struct tape_entry {
    uint32_t at; /* offset of its first byte in the text */
    /* Of an opening bracket: how many entries further on is the one behind its closing
     * bracket. Else the offset of the mark behind it: with nothing but white space before
     * that mark the value ends. */
    uint32_t link;
};

/* Check the text whose tokens are t and fill tape [t->count + 1]. How many entries there
 * are; 0 if the text is no well-formed JSON object. Accepts what json_check() accepts. */
size_t tape_make(struct tape_entry *tape, const struct tokens *t, struct span text);
#endif
