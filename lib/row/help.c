/* help.c: what --help, --completion and --options print. */
#include "row/options.h"

enum { HELP_WIDTH = 80, HELP_COLUMN = 28 };

/* text from column on, broken between words. */
static void put_wrapped(struct buf *out, const char *text, size_t column)
{
    size_t at = column;
    while (*text) {
        size_t n = strcspn(text, " ");
        if (at > column && at + 1 + n > HELP_WIDTH) {
            buf_print(out, "\n%*s", (int)column, "");
            at = column;
        } else if (at > column) {
            buf_char(out, ' ');
            at++;
        }
        buf_add(out, text, n);
        at += n;
        text += n;
        while (*text == ' ') text++;
    }
    buf_char(out, '\n');
}

static void put_option(struct buf *out, const struct cli_option *option)
{
    size_t start = out->len, n;
    if (option->letter)
        buf_print(out, "  -%c, --%s", option->letter, option->name);
    else
        buf_print(out, "      --%s", option->name);
    if (option->arg && option->kind == CLI_MAYBE)
        buf_print(out, "[=%s]", option->arg);
    else if (option->arg)
        buf_print(out, " %s", option->arg);
    n = out->len - start;
    if (n + 2 > HELP_COLUMN) {
        buf_char(out, '\n');
        n = 0;
    }
    buf_print(out, "%*s", (int)(HELP_COLUMN - n), "");
    put_wrapped(out, option->help, HELP_COLUMN);
}

void help_page(struct buf *out, const struct options *o, const struct cli_page *page)
{
    buf_print(out, "usage: %s %s\n", page->name, page->usage);
    if (page->purpose)
        put_wrapped(out, page->purpose, 0);
    if (o->count > 0 && !option_heading(o->list[0]))
        buf_text(out, "\nOptions:\n");
    for (int i = 0; i < o->count; i++) {
        if (option_hidden(o->list[i]))
            continue;
        if (option_heading(o->list[i]))
            buf_print(out, "\n%s:\n", o->list[i]->help);
        else
            put_option(out, o->list[i]);
    }
    if (page->input == CLI_NO_ROWS)
        return;
    buf_text(out, "\n");
    put_wrapped(
        out,
        page->input == CLI_ROWS_OR_MEDIA
            ? "Files hold rows (JSONL or a JSON array, also packed by gzip or zstd) "
              "or are pictures; folders are searched for pictures. Without any, "
              "rows are read from standard input."
            : "Files hold rows (JSONL or a JSON array, also packed by gzip or "
              "zstd). Without any, rows are read from standard input.",
        0);
    put_wrapped(out,
                "Exit status: 0 all rows good, 1 some failed, 2 bad usage or set-up, "
                "3 over --max-errors, 75 interrupted or out of space.",
                0);
}

void help_names(struct buf *out, const struct options *o)
{
    for (int i = 0; i < o->count; i++)
        if (!option_heading(o->list[i]) && !option_hidden(o->list[i]))
            buf_print(out, "%s\n", o->list[i]->name);
}

/* Bash completes options, and file names behind everything else. */
void help_completion(struct buf *out, const struct options *o, const char *name)
{
    struct buf id = {0};
    for (const char *s = name; *s; s++) buf_char(&id, *s == '-' ? '_' : *s);
    const char *function = buf_string(&id);
    if (function) {
        buf_print(out, "_capmill_%s()\n{\n", function);
        buf_text(out, "    local cur=${COMP_WORDS[COMP_CWORD]}\n"
                      "    COMPREPLY=()\n"
                      "    if [[ $cur == -* ]]; then\n"
                      "        mapfile -t COMPREPLY < <(compgen -W '");
        for (int i = 0, first = 1; i < o->count; i++) {
            if (option_heading(o->list[i]) || option_hidden(o->list[i]))
                continue;
            buf_print(out, "%s--%s", first ? "" : " ", o->list[i]->name);
            if (o->list[i]->letter)
                buf_print(out, " -%c", o->list[i]->letter);
            first = 0;
        }
        buf_print(out,
                  "' -- \"$cur\")\n    fi\n}\n"
                  "complete -o default -o bashdefault -F _capmill_%s %s\n",
                  function, name);
    } else {
        out->bad = true;
    }
    buf_free(&id);
}
