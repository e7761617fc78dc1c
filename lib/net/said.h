/* said.h: what a server said, fit for a message. */
#ifndef SAID_H
#define SAID_H
#include "base/span.h"

enum { SAID_MAX = 320 }; /* bytes, NUL included */

/* The reason in an error reply's body: {"error": {"message": TEXT}}, {"error": TEXT},
 * {"message": TEXT}, {"detail": TEXT}, else its first bytes. On one line, control bytes
 * and invalid UTF-8 replaced, cut at a character's end, and without the key (may be
 * NULL), which servers are known to repeat. "" if there is nothing. */
void said_read(char text[SAID_MAX], struct span body, const char *key);

/* The same for a text that is no body: a header's value, libcurl's own words. */
void said_clean(char text[SAID_MAX], struct span raw, const char *key);
#endif
