/* say.h: standard error: one message a line, and the progress bar below them. */
#ifndef SAY_H
#define SAY_H
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>

struct say {
    const char *name; /* the program, before each message; borrowed */
    bool tty, bar;    /* is it a terminal; is a bar on the screen */
    pthread_mutex_t lock;
};

void say_open(struct say *s, const char *name);
void say_close(struct say *s); /* takes the bar away */

/* "NAME: message", whole, by any thread. Control bytes that came in with a row's content
 * are shown as ?, so that no text can steer a terminal. */
void say(struct say *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
void say_list(struct say *s, const char *format, va_list args);

/* Put text in the terminal's last line in place of what stands there; "" takes it away.
 */
void say_bar(struct say *s, const char *text);
#endif
