/* extract.c: see extract.h. Line by line, each looked at once; line.c says what it is. */
#include "qa/extract.h"

#include "base/fail.h"
#include "qa/line.h"
#include "qa/question.h"
#include "row/json.h"

#include <limits.h>

enum { LABELS = 26 };

/* Where in a block a line stands. */
enum place { OUTSIDE, IN_QUESTION, IN_OPTIONS, BEHIND_ANSWER };

/* A text among those of the block: bytes [from, to) of extract.texts. */
struct part {
    size_t from, to;
};

struct extract {
    struct buf *qa, *rejects;
    int blocks;

    /* The block that is being read. */
    enum place place;
    const char *start;  /* its first line */
    struct span number; /* the digits printed in it */
    struct buf texts;   /* question, options and answer, joined and cleaned */
    struct part question, option[LABELS], answer_text;
    int options;            /* seen; texts are kept of the first LABELS */
    unsigned labels;        /* bit: this label was seen */
    bool repeated, jumbled; /* a label twice; labels not A, B, C ... */
    int answers, answer;    /* answer lines with a letter; the first one's place */
};

static struct span part_text(const struct extract *x, struct part p)
{
    return p.to > p.from ? (struct span){x->texts.data + p.from, p.to - p.from}
                         : (struct span){"", 0};
}

/* Append a line to the text that ends texts, with one space between. */
static void join(struct extract *x, struct part *p, struct span line)
{
    line = line_clean(line);
    if (line.n == 0)
        return;
    if (p->to > p->from)
        buf_char(&x->texts, ' ');
    buf_add(&x->texts, line.s, line.n);
    p->to = x->texts.len;
}

static struct part new_part(const struct extract *x)
{
    return (struct part){x->texts.len, x->texts.len};
}

static void begin_block(struct extract *x, const char *start, struct span number,
                        struct span question)
{
    buf_clear(&x->texts);
    x->blocks += x->blocks < INT_MAX;
    x->place = IN_QUESTION;
    x->start = start;
    x->number = number;
    x->question = x->answer_text = (struct part){0, 0};
    x->options = x->answers = 0;
    x->labels = 0;
    x->repeated = x->jumbled = false;
    join(x, &x->question, question);
}

static void add_option(struct extract *x, int label, struct span text)
{
    unsigned bit = 1u << label;
    x->repeated |= (x->labels & bit) != 0;
    x->jumbled |= label != x->options;
    x->labels |= bit;
    x->place = IN_OPTIONS;
    /* An option beyond the last letter repeats one: the block is refused. */
    int kept = x->options < LABELS ? x->options++ : LABELS - 1;
    x->option[kept] = new_part(x);
    join(x, &x->option[kept], text);
}

/* Is this an answer line? Then it is taken in. */
static bool take_answer(struct extract *x, struct span line)
{
    struct part text = new_part(x);
    int letter;
    if (!line_answer(line, &letter, &x->texts))
        return false;
    x->place = BEHIND_ANSWER;
    if (letter < 0)
        return true;
    if (x->answers++ == 0) {
        text.to = x->texts.len;
        x->answer_text = text;
        x->answer = letter;
    }
    return true;
}

static void take_line(struct extract *x, struct span line)
{
    int label;
    struct span text;
    line = line_trim(line);
    if (line.n == 0)
        return;
    /* No line is both an option and an answer; most are options. */
    bool behind = x->place == BEHIND_ANSWER;
    if (!behind && line_option(line, &label, &text))
        add_option(x, label, text);
    else if (take_answer(x, line) || behind)
        return;
    else if (x->place == IN_QUESTION)
        join(x, &x->question, line);
    else
        join(x, &x->option[x->options - 1], line);
}

/* Why the block is refused, or NULL. */
static const char *refusal(const struct extract *x)
{
    if (part_text(x, x->question).n == 0)
        return "no_question";
    if (x->options < 2)
        return "too_few_options";
    if (x->repeated)
        return "duplicate_label";
    if (x->jumbled)
        return "labels_out_of_order";
    for (int i = 0; i < x->options; i++)
        if (part_text(x, x->option[i]).n == 0)
            return "empty_option";
    if (x->answers == 0)
        return "no_answer";
    if (x->answers > 1)
        return "multiple_answers";
    if (x->answer >= x->options)
        return "answer_not_in_options";
    return x->options > QUESTION_OPTIONS_MAX ? "too_many_options" : NULL;
}

static bool equal(struct span a, struct span b)
{
    return a.n == b.n && memcmp(a.s, b.s, a.n) == 0;
}

static bool has_twins(const struct extract *x)
{
    for (int i = 1; i < x->options; i++)
        for (int j = 0; j < i; j++)
            if (equal(part_text(x, x->option[i]), part_text(x, x->option[j])))
                return true;
    return false;
}

static void put_question(struct extract *x)
{
    struct buf *out = x->qa;
    struct span said = part_text(x, x->answer_text);
    bool twins = has_twins(x);
    bool differs = said.n > 0 && !equal(said, part_text(x, x->option[x->answer]));
    buf_text(out, out->data[out->len - 1] == '[' ? "{\"question\":" : ",{\"question\":");
    json_put_text(out, part_text(x, x->question));
    buf_text(out, ",\"options\":[");
    for (int i = 0; i < x->options; i++) {
        if (i)
            buf_char(out, ',');
        json_put_text(out, part_text(x, x->option[i]));
    }
    char answer[] = "],\"answer\":\"A\"";
    answer[sizeof answer - 3] = (char)('A' + x->answer);
    buf_text(out, answer);
    if (twins || differs) {
        buf_text(out, ",\"warnings\":[");
        if (twins)
            buf_text(out, "\"duplicate_option_text\"");
        if (differs)
            buf_text(out, twins ? ",\"answer_text_differs\"" : "\"answer_text_differs\"");
        buf_char(out, ']');
    }
    buf_char(out, '}');
}

static void put_reject(struct extract *x, const char *reason, const char *end)
{
    struct buf *out = x->rejects;
    struct span n = x->number;
    while (n.n > 1 && *n.s == '0') { /* JSON has no leading zeros */
        n.s++;
        n.n--;
    }
    while (end > x->start && end[-1] == '\n') end--;
    buf_text(out, out->data[out->len - 1] == '[' ? "{\"n\":" : ",{\"n\":");
    buf_add(out, n.s, n.n);
    buf_text(out, ",\"reason\":\"");
    buf_text(out, reason);
    buf_text(out, "\",\"text\":");
    json_put_text(out, (struct span){x->start, (size_t)(end - x->start)});
    buf_char(out, '}');
}

static void end_block(struct extract *x, const char *end)
{
    if (x->place == OUTSIDE)
        return;
    x->place = OUTSIDE;
    const char *reason = refusal(x);
    if (reason)
        put_reject(x, reason, end);
    else
        put_question(x);
}

/* Line ends are LF. */
static void read_lines(struct extract *x, struct span text)
{
    const char *s = text.s, *end = text.s + text.n, *next;
    for (; s < end; s = next) {
        const char *feed = memchr(s, '\n', (size_t)(end - s));
        struct span line = {s, (size_t)((feed ? feed : end) - s)}, number, question;
        next = feed ? feed + 1 : end;
        if (line_head(line, &number, &question)) {
            end_block(x, s);
            begin_block(x, s, number, question);
        } else if (x->place != OUTSIDE) {
            if (line_rule(line))
                end_block(x, s);
            else
                take_line(x, line);
        }
        if (x->texts.bad || x->qa->bad || x->rejects->bad)
            return;
    }
    end_block(x, end);
}

/* CRLF and CR become LF. */
static void unify(struct span text, struct buf *out)
{
    const char *s = text.s, *end = text.s + text.n;
    while (s < end) {
        const char *cr = memchr(s, '\r', (size_t)(end - s));
        buf_add(out, s, (size_t)((cr ? cr : end) - s));
        if (!cr)
            return;
        buf_char(out, '\n');
        s = cr + 1;
        s += s < end && *s == '\n';
    }
}

int extract_questions(struct span text, struct buf *qa, struct buf *rejects)
{
    struct extract x = {.qa = qa, .rejects = rejects};
    struct buf unified = {0};
    if (text.n > 0 && memchr(text.s, '\r', text.n)) {
        unify(text, &unified);
        text = (struct span){unified.data, unified.len};
    }
    buf_char(qa, '[');
    buf_char(rejects, '[');
    bool bad = unified.bad || qa->bad || rejects->bad;
    if (!bad && text.n > 0)
        read_lines(&x, text);
    buf_char(qa, ']');
    buf_char(rejects, ']');
    bad = bad || x.texts.bad || qa->bad || rejects->bad;
    buf_free(&x.texts);
    buf_free(&unified);
    return bad ? fail_memory() : x.blocks;
}
