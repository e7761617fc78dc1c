/* letter-fuzz: any bytes as a judge's reply: the letter is in range, is one that stands
 * in the reply, and no rule reads one that the published reading does not see. */
#include "qa/label.h"
#include "qa/letter.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A copy of just this size, so that reading past its end is seen. */
    char *text = malloc(size ? size : 1);
    if (!text)
        return 0;
    memcpy(text, data, size);
    struct span reply = {text, size};
    int anywhere = letter_read(reply, LETTER_ANYWHERE);
    for (int rule = LETTER_ALONE; rule <= LETTER_ANYWHERE; rule++) {
        int place = letter_read(reply, (enum letter_rule)rule);
        check(place >= -1 && place <= 8, "out of range");
        check(place < 0 || (anywhere >= 0 && memchr(text, 'A' + place, size)),
              "a letter that is not there");
    }
    struct label label = label_read(reply);
    check(label.place >= -1 && label.place < 26, "label out of range");
    check(label.text.n <= size &&
              (label.text.n == 0 ||
               (label.text.s >= text && label.text.s + label.text.n <= text + size)),
          "label's text is not the option's");
    free(text);
    return 0;
}
