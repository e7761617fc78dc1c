/* model-info: what a model is and what it needs. */
#include "model/info.h"
#include "model/options.h"
#include "row/cli.h"

#include <stdio.h>

static const struct cli_option options[] = {
    {"json", 0, CLI_FLAG, NULL, "one JSON object a model, a line each", false},
    {"ctx", 0, CLI_INT, "N",
     "count keys and values for N tokens (4096, or the model's limit)", false},
    {0}};
static const struct cli_page page = {"model-info",
                                     "[option ...] MODEL ...",
                                     "Say what a model is and what it needs.",
                                     CLI_NO_ROWS,
                                     options,
                                     NULL};

static const char *yes_no(bool yes)
{
    return yes ? "yes" : "no";
}

/* Bytes as people read them: 4.1 MB, 3.75 GB. */
static const char *bytes_text(char text[32], int64_t bytes)
{
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB"};
    double x = (double)bytes;
    int unit = 0;
    for (; x >= 1000 && unit < 4; unit++) x /= 1000;
    snprintf(text, 32, unit ? "%.3g %s" : "%.0f %s", x, units[unit]);
    return text;
}

static void print_text(const struct model_info *info)
{
    const struct model_config *mc = &info->config;
    const struct text_config *t = &mc->text;
    const struct vision_tower *v = &mc->vision;
    char a[32], b[32], c[32];
    printf("%s\n", info->dir);
    printf("  family       %s (%s)\n", mc->family, mc->architecture);
    printf("  parameters   %lld (%s as stored: %s)\n", (long long)info->memory.parameters,
           bytes_text(a, info->memory.weights), info->types);
    printf("  text         %d layers, hidden %d, %d heads (%d kv) of %d, mlp %d, "
           "vocabulary %d%s\n",
           t->layers, t->hidden, t->heads, t->kv_heads, t->head_dim, t->mlp, t->vocab,
           t->tied ? ", tied" : "");
    if (v->depth)
        printf("  vision       %d layers, hidden %d, %d heads, patch %d, merge %d; "
               "pictures of "
               "%lld to %lld pixels\n",
               v->depth, v->hidden, v->heads, v->patch, v->merge,
               (long long)info->patches.min_pixels, (long long)info->patches.max_pixels);
    printf("  context      %d tokens\n", t->context);
    printf("  tokenizer    %s\n", info->tokenizer_text);
    printf("  chat format  %s\n", info->chat_text);
    printf("  memory       weights %s + keys and values %s (%d tokens) + scratch %s\n",
           bytes_text(a, info->memory.weights),
           bytes_text(b, info->memory.kv_per_token * info->kv_tokens), info->kv_tokens,
           bytes_text(c, info->memory.scratch));
    printf("  identity     %s\n", info->hash);
    printf("  takes        pictures: %s\n", yes_no(v->depth > 0));
}

int main(int argc, char *argv[])
{
    struct cli cli;
    int failed = 0;
    if (cli_start(&cli, &page, argc, argv) != 0)
        return cli.status;
    int kv_tokens = (int)cli_int(&cli, "ctx", 0, 1, 1 << 24);
    bool json = cli_has(&cli, "json");
    if (cli.args == 0)
        cli_bad_usage(&cli, "no model: give a folder or a name (pocket)");
    if (cli_usable(&cli) < 0)
        return cli_quit(&cli);
    for (int i = 0; i < cli.args; i++) {
        struct model_info info;
        struct buf b = {0};
        if (model_info_read(&info, cli.arg[i], kv_tokens) < 0) {
            cli_say(&cli, NULL, "%s", fail_text());
            failed++;
            continue;
        }
        if (json) {
            model_info_json(&info, &b);
            buf_char(&b, '\n');
            if (buf_ok(&b) == 0) {
                fwrite(b.data, 1, b.len, stdout);
            } else {
                cli_say(&cli, NULL, "%s", fail_text());
                failed++;
            }
            buf_free(&b);
        } else {
            print_text(&info);
        }
    }
    int status = cli_end(&cli);
    return failed && status == CLI_OK ? CLI_USAGE : status;
}
