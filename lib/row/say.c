/* say.c: see say.h. */
#include "row/say.h"
#include "base/buf.h"
#include "row/output.h"
#include "row/scan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void say_open(struct say *s, const char *name)
{
    *s = (struct say){.name = name, .tty = isatty(STDERR_FILENO)};
    pthread_mutex_init(&s->lock, NULL);
}

/* Append text with nothing in it that could steer a terminal. */
static void put_safe(struct buf *out, const char *s, size_t n)
{
    for (const char *end = s + n; s < end;) {
        unsigned char c = (unsigned char)*s;
        int len = c < 0x80 ? 1 : scan_utf8(s, end);
        bool control = c < 0x20 || c == 0x7F || len < 0 ||
                       (c == 0xC2 && (unsigned char)s[1] < 0xA0); /* U+0080..U+009F */
        if (control)
            buf_char(out, '?');
        else
            buf_add(out, s, (size_t)len);
        s += abs(len);
    }
}

/* Without memory for a line of any length: cut short, and in ASCII. */
static void say_short(const struct say *s, const char *format, va_list args)
{
    char text[512], line[640];
    vsnprintf(text, sizeof text, format, args);
    for (char *c = text; *c; c++)
        if (*c < 0x20 || *c > 0x7E)
            *c = '?';
    int n = snprintf(line, sizeof line, "%.100s: %s\n", s->name, text);
    (void)output_write(STDERR_FILENO, line, (size_t)n);
}

void say_list(struct say *s, const char *format, va_list args)
{
    static const char wipe[] = "\r\033[K";
    struct buf line = {0};
    char *text = NULL;
    va_list again;
    va_copy(again, args);
    int n = vasprintf(&text, format, args);
    pthread_mutex_lock(&s->lock);
    if (s->bar)
        buf_text(&line, wipe);
    s->bar = false;
    buf_print(&line, "%s: ", s->name);
    if (n >= 0) {
        put_safe(&line, text, (size_t)n);
        free(text);
    }
    buf_char(&line, '\n');
    /* Where standard error is gone there is nobody to tell. */
    if (n >= 0 && !line.bad)
        (void)output_write(STDERR_FILENO, line.data, line.len);
    else
        say_short(s, format, again);
    va_end(again);
    pthread_mutex_unlock(&s->lock);
    buf_free(&line);
}

void say(struct say *s, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    say_list(s, format, args);
    va_end(args);
}

void say_bar(struct say *s, const char *text)
{
    pthread_mutex_lock(&s->lock);
    if (s->bar || *text) {
        char line[256];
        int n = snprintf(line, sizeof line, "\r\033[K%s", text);
        n = n < (int)sizeof line ? n : (int)sizeof line - 1;
        (void)output_write(STDERR_FILENO, line, (size_t)n);
    }
    s->bar = *text != '\0';
    pthread_mutex_unlock(&s->lock);
}

void say_close(struct say *s)
{
    say_bar(s, "");
    pthread_mutex_destroy(&s->lock);
}
