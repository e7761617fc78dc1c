/* words.h: a caption as characters and words, whatever its script. For lib/reward. */
#ifndef REWARD_WORDS_H
#define REWARD_WORDS_H
#include "base/span.h"
#include <stdint.h>

/* The character at s < end; returns its bytes. Ill-formed bytes are U+FFFD. */
size_t words_char(const char *s, const char *end, uint32_t *code);
bool words_space(uint32_t code); /* space of any script */
int words_digit(uint32_t code);  /* 0 to 9 for a decimal digit of any script, else -1 */
bool words_blank(struct span text); /* nothing but space in it */

/* A word: letters, marks and digits up to something else. A character of a script that
 * puts no space between words (Han, kana) is a word by itself. */
struct word {
    struct span text;
    int sentence; /* number of the sentence that it stands in, from 0 */
};

struct words {
    struct word *items; /* [count]; owned */
    size_t count;
    int sentences; /* ended by . ! ? (full-width ones too) or a line end */
};

/* 0, or -1 (memory). Linear in the text's length. */
int words_read(struct words *w, struct span text);
void words_free(struct words *w);
#endif
