/* bench-text.c: how fast the tokenizer opens, encodes and decodes. Prints one JSON
 * object. Usage: bench-text [TOKENIZER [MEGABYTES]], by default the full-size one of the
 * tests. */
#include "base/fail.h"
#include "golden.h"
#include "text/tokenizer.h"

#include <time.h>

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static uint32_t draw(uint32_t below)
{
    static uint64_t state = 42;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % below;
}

/* Words as captions use them, the commoner the earlier (Zipf's law, roughly). */
static const char *word(void)
{
    static const char *const words[] = {"the",
                                        "a",
                                        "of",
                                        "and",
                                        "in",
                                        "is",
                                        "with",
                                        "on",
                                        "to",
                                        "left",
                                        "right",
                                        "side",
                                        "image",
                                        "from",
                                        "white",
                                        "large",
                                        "background",
                                        "blue",
                                        "appears",
                                        "small",
                                        "there",
                                        "two",
                                        "red",
                                        "wooden",
                                        "shows",
                                        "person",
                                        "table",
                                        "standing",
                                        "wearing",
                                        "light",
                                        "dark",
                                        "green",
                                        "building",
                                        "window",
                                        "behind",
                                        "text",
                                        "reads",
                                        "bottom",
                                        "corner",
                                        "top",
                                        "slightly",
                                        "surface",
                                        "visible",
                                        "several",
                                        "foreground",
                                        "photograph",
                                        "chart",
                                        "axis",
                                        "percent",
                                        "labelled",
                                        "horizontal",
                                        "vertical",
                                        "values",
                                        "between",
                                        "approximately",
                                        "respectively",
                                        "illuminated",
                                        "transparent",
                                        "texture",
                                        "shadows",
                                        "composition",
                                        "architecture",
                                        "juxtaposed",
                                        "foliage",
                                        "cobblestone",
                                        "reflections",
                                        "monochromatic",
                                        "silhouette",
                                        "ornamental",
                                        "calligraphy",
                                        "Mediterranean",
                                        "Copenhagen",
                                        "Kowalczyk",
                                        "Thessaloniki",
                                        "unobtrusively",
                                        "quasi-symmetrical"};
    const uint32_t count = sizeof words / sizeof *words;
    uint32_t a = draw(count), b = draw(count), c = draw(count);
    a = a < b ? a : b;
    return words[a < c ? a : c];
}

static void add_english(struct buf *b, size_t size)
{
    while (b->len < size) {
        for (uint32_t i = 0, n = 6 + draw(14); i < n; i++) {
            const char *w = word();
            if (i > 0)
                buf_char(b, ' ');
            if (i == 0 && w[0] >= 'a')
                buf_print(b, "%c%s", w[0] - 32, w + 1);
            else if (draw(30) == 0)
                buf_print(b, "%u", draw(2000));
            else if (draw(60) == 0) /* a word that no list has */
                for (uint32_t k = 0; k < 9; k++) buf_char(b, (char)('a' + draw(26)));
            else
                buf_text(b, w);
            if (draw(12) == 0)
                buf_text(b, draw(2) ? "," : "'s");
        }
        buf_text(b, draw(5) ? ". " : ".\n\n");
    }
}

/* Chinese, accents (also as marks of their own), emoji, Cyrillic. */
static void add_mixed(struct buf *b, size_t size)
{
    static const char *const parts[] = {"图中显示一只橙色的猫坐在窗台上，",
                                        "背景是一座古老的建筑。",
                                        "今天天气很好",
                                        "Café à la crème, ",
                                        "re\xCC\x81sume\xCC\x81 ",
                                        "Größe und Höhe ",
                                        "🐈🪟✨ ",
                                        "На фотографии видна площадь. ",
                                        "日本語のテキスト、",
                                        "한국어 문장입니다. ",
                                        "naïve ",
                                        "The sign says "};
    while (b->len < size) buf_text(b, parts[draw(sizeof parts / sizeof *parts)]);
}

/* Best of a few rounds, in bytes per second; *ids is left with the text's. */
static double encode_speed(const struct tokenizer *t, const struct buf *text,
                           struct ids *ids)
{
    struct token_part part = {{text->data, text->len}, TOKEN_TEXT};
    double best = 0;
    for (int round = 0; round < 5; round++) {
        double from = now();
        ids->n = 0;
        if (tokenizer_encode(t, &part, 1, ids) < 0)
            return 0;
        double speed = (double)text->len / (now() - from);
        best = speed > best ? speed : best;
    }
    return best;
}

/* One caption at a time: what rows cost. */
static double row_speed(const struct tokenizer *t, const struct buf *text)
{
    enum { ROW = 400 };
    struct ids ids = {0};
    double from = now();
    size_t at = 0;
    for (; at + ROW <= text->len; at += ROW) {
        struct token_part part = {{text->data + at, ROW}, TOKEN_TEXT};
        ids.n = 0;
        if (tokenizer_encode(t, &part, 1, &ids) < 0)
            return 0;
    }
    ids_free(&ids);
    return (double)at / (now() - from);
}

static double decode_speed(const struct tokenizer *t, const struct ids *ids)
{
    struct decoder d = {0};
    struct buf out = {0};
    double from = now();
    for (size_t i = 0; i < ids->n; i++) decoder_push(&d, t, ids->id[i], &out);
    decoder_end(&d, &out);
    double speed = (double)out.len / (now() - from);
    buf_free(&out);
    return speed;
}

int main(int argc, char *argv[])
{
    const char *path =
        argc > 1 ? argv[1] : golden_path("tokenizers/qwen3/tokenizer.json");
    size_t megabytes = argc > 2 ? strtoul(argv[2], NULL, 10) : 8;
    size_t size = (megabytes > 0 ? megabytes : 1) << 20;
    double from = now();
    struct tokenizer *t = path ? tokenizer_open(path) : NULL;
    double opened = now() - from;
    struct buf english = {0}, mixed = {0};
    struct ids ids = {0}, more = {0};
    if (!t) {
        fprintf(stderr, "bench-text: %s\n", path ? fail_text() : "no tokenizer.json");
        return 2;
    }
    add_english(&english, size);
    add_mixed(&mixed, size);
    double first = encode_speed(t, &english, &ids),
           second = encode_speed(t, &mixed, &more);
    printf("{\"tokenizer_mb_per_s\":%.1f,\"mixed_scripts_mb_per_s\":%.1f,"
           "\"rows_of_400_bytes_mb_per_s\":%.1f,\"decode_mb_per_s\":%.1f,"
           "\"open_ms\":%.1f,\"bytes_per_token\":%.2f,\"megabytes\":%zu}\n",
           first / 1e6, second / 1e6, row_speed(t, &english) / 1e6,
           decode_speed(t, &ids) / 1e6, opened * 1e3, (double)english.len / (double)ids.n,
           size >> 20);
    ids_free(&ids);
    ids_free(&more);
    buf_free(&english);
    buf_free(&mixed);
    tokenizer_close(t);
    return 0;
}
