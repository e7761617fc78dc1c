/* fail.h: why the last call failed: a class and a sentence, kept per thread.
 *
 * A function that fails returns -1 (or NULL) and leaves the reason here:
 *
 *     return fail(FAIL_MEDIA, "%s: not a picture", path);
 *
 * Whoever handles the failure reads fail_text(); the text holds until this thread's next
 * fail(). Nothing in lib/ prints: messages are cmd's and lib/row/cli.c's business.
 */
#ifndef FAIL_H
#define FAIL_H

/* The classes of a row's error object (capmill(7)). */
enum fail_class {
    FAIL_INTERNAL,  /* our fault, or out of memory */
    FAIL_JSON,      /* a line that is no JSON object */
    FAIL_MISSING,   /* a field that must be there is not */
    FAIL_TYPE,      /* a field is there and has the wrong type or value */
    FAIL_MEDIA,     /* a picture that cannot be read */
    FAIL_TOO_LARGE, /* over a limit on bytes or pixels */
    FAIL_TOO_LONG,  /* over the model's context */
    FAIL_MODEL,     /* a model directory, its files, or what it computed */
    FAIL_HTTP,      /* an endpoint's answer */
    FAIL_TIMEOUT,   /* a limit on time */
    FAIL_REFUSED,   /* not allowed by this run's options */
    FAIL_PARSE,     /* a text of no known form */
};

enum { FAIL_TEXT_MAX = 1024 }; /* bytes of text kept, NUL included */

/* One kept failure: carries a reason from a worker thread to whoever reports it. */
struct failure {
    enum fail_class kind;
    char text[FAIL_TEXT_MAX];
};

/* Keep class and text (printf form; cut at a character's end if too long). Returns -1. */
int fail(enum fail_class kind, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Put "context: " before the text already kept; the class stays. Returns -1. */
int fail_in(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* fail(FAIL_INTERNAL, "out of memory"). Returns -1. */
int fail_memory(void);

const char *fail_text(void);     /* this thread's last reason; "" before any */
enum fail_class fail_kind(void); /* its class */
const char *fail_name(enum fail_class kind); /* as rows spell it: "too_long" */

void fail_save(struct failure *f);       /* copy this thread's failure out */
int fail_again(const struct failure *f); /* make it this thread's failure. Returns -1 */
#endif
