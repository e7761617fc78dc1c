/* options.c: see options.h. */
#include "row/options.h"
#include "base/fail.h"
#include "row/json.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct cli_option row_options[] = {
    {"", 0, CLI_FLAG, NULL, "Rows", true},
    {"output", 'o', CLI_TEXT, "FILE",
     "write rows to FILE, with FILE.journal beside it (standard output)", true},
    {"resume", 0, CLI_FLAG, NULL, "go on with the FILE of a run that was cut off", true},
    {"force", 0, CLI_FLAG, NULL, "overwrite FILE", true},
    {"retry-errors", 0, CLI_FLAG, NULL, "with --resume: do failed rows again", true},
    {"errors", 0, CLI_TEXT, "FILE", "write failed rows to FILE (among the others)", true},
    {"max-errors", 0, CLI_TEXT, "N|P%",
     "stop when more than N rows, or P percent of them, failed (no limit)", true},
    {"id-key", 0, CLI_TEXT, "NAME", "the field that identifies a row (id)", false},
    {"shard", 0, CLI_TEXT, "I/N", "do every N-th row only, from row I on (0/1)", true},
    {"limit", 0, CLI_INT, "N", "stop after N rows (all)", true},
    {"unordered", 0, CLI_FLAG, NULL, "write rows as they are done, not in input order",
     true},
    {"stamp", 0, CLI_FLAG, NULL, "add to each row, as _run, what made it", false},
    {"progress", 0, CLI_FLAG, NULL,
     "say how far it is, each 30 s, where there is no terminal", true},
    {0}};

static const struct cli_option common_options[] = {
    {"", 0, CLI_FLAG, NULL, "Help", true},
    {"verbose", 'v', CLI_FLAG, NULL, "say more on standard error", true},
    {"help", 'h', CLI_FLAG, NULL, "print this page", true},
    {"version", 0, CLI_FLAG, NULL, "print name and version", true},
    {"completion", 0, CLI_TEXT, "SHELL", "print a completion script for SHELL (bash)",
     true},
    {"options", 0, CLI_FLAG, NULL, NULL, true},
    {0}};

static int count_table(const struct cli_option *table)
{
    int n = 0;
    while (table && table[n].name) n++;
    return n;
}

static void add_table(struct options *o, const struct cli_option *table)
{
    for (int i = 0; table && table[i].name; i++) o->list[o->count++] = &table[i];
}

int options_open(struct options *o, const struct cli_page *page)
{
    const struct cli_option *rows = page->input == CLI_NO_ROWS ? NULL : row_options;
    int n = count_table(page->options) + count_table(rows) + count_table(common_options);
    for (int i = 0; page->groups && page->groups[i]; i++)
        n += count_table(page->groups[i]);
    *o = (struct options){0};
    o->list = calloc((size_t)n, sizeof *o->list);
    o->values = calloc((size_t)n, sizeof *o->values);
    if (!o->list || !o->values) {
        options_free(o);
        return fail_memory();
    }
    add_table(o, page->options);
    for (int i = 0; page->groups && page->groups[i]; i++) add_table(o, page->groups[i]);
    add_table(o, rows);
    add_table(o, common_options);
    return 0;
}

void options_free(struct options *o)
{
    for (int i = 0; i < o->count; i++) {
        free(o->values[i].texts);
        free(o->values[i].preset);
        free(o->values[i].from);
    }
    free(o->values);
    free(o->list);
    *o = (struct options){0};
}

int options_find(const struct options *o, const char *name)
{
    for (int i = 0; i < o->count; i++)
        if (strcmp(o->list[i]->name, name) == 0)
            return i;
    return -1;
}

const struct option_value *options_value(const struct options *o, const char *name)
{
    int i = options_find(o, name);
    return i < 0 ? NULL : &o->values[i];
}

static int add_value(struct option_value *v, const char *text)
{
    if (v->count == v->cap) {
        int cap = v->cap ? 2 * v->cap : 4;
        const char **texts = realloc(v->texts, (size_t)cap * sizeof *texts);
        if (!texts)
            return fail_memory();
        v->texts = texts;
        v->cap = cap;
    }
    v->texts[v->count++] = text;
    return 0;
}

enum { LONG_ONLY = 1000 }; /* getopt's values: this + the place in list */

static int has_arg(const struct cli_option *option)
{
    return option->kind == CLI_FLAG    ? no_argument
           : option->kind == CLI_MAYBE ? optional_argument
                                       : required_argument;
}

/* The tables in getopt's form. letters has room for 3 * count + 2. */
static void to_getopt(const struct options *o, struct option *longs, char *letters)
{
    int n = 0;
    *letters++ = ':'; /* a missing value is told apart from an unknown option */
    for (int i = 0; i < o->count; i++) {
        const struct cli_option *option = o->list[i];
        if (option_heading(option))
            continue;
        longs[n++] = (struct option){option->name, has_arg(option), NULL, LONG_ONLY + i};
        if (option->letter) {
            *letters++ = option->letter;
            for (int k = has_arg(option); k > 0; k--) *letters++ = ':';
        }
    }
    *letters = '\0';
}

/* What getopt found: a place in list, or -1 with the reason. argument: the word it stands
 * in. */
static int understand(const struct options *o, int found, const char *argument)
{
    if (found >= LONG_ONLY)
        return found - LONG_ONLY;
    if (found == ':')
        return fail(FAIL_REFUSED, "%s needs a value", argument);
    for (int i = 0; found != '?' && i < o->count; i++)
        if (o->list[i]->letter == found)
            return i;
    if (optopt >= LONG_ONLY)
        return fail(FAIL_REFUSED, "--%s takes no value",
                    o->list[optopt - LONG_ONLY]->name);
    if (optopt)
        return fail(FAIL_REFUSED, "unknown option -%c", optopt);
    return fail(FAIL_REFUSED, "unknown option %s", argument);
}

int options_parse(struct options *o, int argc, char *argv[], int *first)
{
    struct option *longs = calloc((size_t)o->count + 1, sizeof *longs);
    char *letters = malloc(3 * (size_t)o->count + 2);
    int found, rc = longs && letters ? 0 : fail_memory();
    if (rc == 0)
        to_getopt(o, longs, letters);
    opterr = 0;
    optind = 0; /* start anew, with glibc */
    while (rc == 0 && (found = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
        const char *word = optind > 0 && optind <= argc ? argv[optind - 1] : "";
        int i = understand(o, found, word);
        const char *next = optind < argc ? argv[optind] : NULL;
        if (i >= 0 && !optarg && o->list[i]->kind == CLI_MAYBE && next && *next &&
            strspn(next, "0123456789.") == strlen(next) && access(next, F_OK) < 0)
            rc = fail(FAIL_REFUSED, "--%s %s: its value, if any, is written --%s=%s",
                      o->list[i]->name, next, o->list[i]->name, next);
        else
            rc = i < 0 ? -1 : add_value(&o->values[i], optarg ? optarg : "");
    }
    *first = optind;
    free(letters);
    free(longs);
    return rc;
}

bool option_int(const char *text, int64_t *x)
{
    char *end;
    errno = 0;
    long long whole = strtoll(text, &end, 10);
    *x = whole;
    return errno == 0 && *text && !*end && !isspace((unsigned char)*text);
}

bool option_real(const char *text, double *x)
{
    char *end;
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    locale_t before = c ? uselocale(c) : (locale_t)0;
    *x = strtod(text, &end);
    if (c) {
        uselocale(before);
        freelocale(c);
    }
    return *text && !isspace((unsigned char)*text) && !*end && isfinite(*x);
}

/* A value by what it means: 0 and 0.0 are one number. */
static void put_value(struct buf *out, enum cli_kind kind, const char *text)
{
    double real;
    int64_t whole;
    if (kind == CLI_INT && option_int(text, &whole))
        json_put_int(out, whole);
    else if (kind == CLI_REAL && option_real(text, &real))
        json_put_real(out, real);
    else
        buf_text(out, text);
}

bool options_identity(const struct options *o, int i, struct buf *out)
{
    const struct cli_option *option = o->list[i];
    const struct option_value *value = &o->values[i];
    if (option->no_hash || value->count == 0)
        return false;
    /* Of an option that counts once, the last value counts. */
    for (int k = option->kind == CLI_LIST ? 0 : value->count - 1; k < value->count; k++) {
        buf_text(out, option->name);
        buf_char(out, '=');
        put_value(out, option->kind, value->texts[k]);
        buf_char(out, '\n');
    }
    return true;
}

int options_preset(struct options *o, const char *name, const char *value,
                   const char *from)
{
    int i = options_find(o, name);
    if (i < 0 || option_heading(o->list[i]))
        return fail(FAIL_REFUSED, "no such option");
    struct option_value *v = &o->values[i];
    if (v->count > 0)
        return 0;
    v->preset = strdup(value);
    v->from = strdup(from);
    return v->preset && v->from ? add_value(v, v->preset) : fail_memory();
}

/* What --help says an option is where it is not given: the end of its line, in
 * parentheses. Empty where there is none. */
static struct span shown_default(const struct cli_option *option)
{
    const char *end = option->help + strlen(option->help), *open = end;
    int depth = 0;
    if (end == option->help || end[-1] != ')')
        return (struct span){"", 0};
    do {
        open--;
        depth += (*open == ')') - (*open == '(');
    } while (depth > 0 && open > option->help);
    return (struct span){open + 1, (size_t)(end - 1 - (open + 1))};
}

void options_rows(const struct options *o, struct buf *out)
{
    for (int i = 0; i < o->count; i++) {
        const struct cli_option *option = o->list[i];
        const struct option_value *v = &o->values[i];
        if (option_heading(option) || option_hidden(option))
            continue;
        if (strcmp(option->name, "completion") == 0)
            continue; /* nothing that a run is made with */
        struct span value =
            v->count > 0 ? span_of(v->texts[v->count - 1]) : shown_default(option);
        const char *from = v->count == 0 ? "default" : v->from ? v->from : "given";
        if (v->count == 0 && value.n == 0)
            continue; /* a flag, or a file that there need not be */
        buf_text(out, "{\"option\":");
        json_put_text(out, span_of(option->name));
        buf_text(out, ",\"value\":");
        if (option->kind == CLI_FLAG)
            buf_text(out, "true");
        else
            json_put_text(out, value);
        buf_text(out, ",\"from\":");
        json_put_text(out, span_of(from));
        buf_text(out, "}\n");
    }
}
