/* options.h: a program's option tables as one, and the values that were given. */
#ifndef OPTIONS_H
#define OPTIONS_H
#include "base/buf.h"
#include "row/cli.h"

struct option_value {
    const char **texts; /* owned list of borrowed texts; "" for a flag */
    int count, cap;
    char *preset, *from; /* owned: a value that no command line gave; NULL: none */
};

struct options {
    const struct cli_option **list; /* entries of all tables in order, headings too */
    struct option_value *values;    /* one for each of list */
    int count;
};

/* Join page's tables with the standard ones. 0 or -1 (memory). */
int options_open(struct options *o, const struct cli_page *page);
void options_free(struct options *o);

/* Read the command line; argv is reordered, *first is the first argument that is no
 * option. 0, or -1 (class refused) saying which option is wrong. */
int options_parse(struct options *o, int argc, char *argv[], int *first);

/* The place of an option in list; -1 if no table has it. */
int options_find(const struct options *o, const char *name);
const struct option_value *options_value(const struct options *o, const char *name);

/* Hidden ones work but are not shown; a heading stands above a group in --help. */
static inline bool option_hidden(const struct cli_option *option)
{
    return !option->help;
}
static inline bool option_heading(const struct cli_option *option)
{
    return option->name[0] == '\0';
}

/* Give an option a value unless it has one; texts are copied. 0 or -1 (refused, memory).
 */
int options_preset(struct options *o, const char *name, const char *value,
                   const char *from);
/* Append all options and their values as rows (cli_settings()). */
void options_rows(const struct options *o, struct buf *out);

/* A value as a number, in the C locale whatever the user's is; false if it is none. */
bool option_int(const char *text, int64_t *x);
bool option_real(const char *text, double *x);

/* Append the i-th option as name=value lines, numbers by their value, if it was given and
 * changes row bytes; false if not. */
bool options_identity(const struct options *o, int i, struct buf *out);

/* Append the text of --help, of --completion bash, of --options. */
void help_page(struct buf *out, const struct options *o, const struct cli_page *page);
void help_completion(struct buf *out, const struct options *o, const char *name);
void help_names(struct buf *out, const struct options *o);
#endif
