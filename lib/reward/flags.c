/* flags.c: signs that a caption plays to the judge. See reward.h.
 *
 * They are phrases that captions of trained models were seen to grow (CapRL++'s published
 * captions open with "Based on the provided video frames, here is the detailed,
 * chronologically precise description:"; RubiCap tells of tails that praise the caption
 * itself), and what can only be meant for the model that reads it. A description of what
 * is to be seen has no use for them, but for pictures of such texts: so they are flags,
 * and cost nothing unless asked for.
 */
#include "base/fail.h"
#include "reward/phrase.h"
#include "reward/repetition.h"
#include "reward/reward.h"
#include "reward/words.h"

static const double REPEATED_SHARE = 0.2; /* of the words, third time or more */

enum { PRAISE_SENTENCES = 3 }; /* the tail in which praise is looked for */

static const char *const openings[] = {
    "based on the|this|these|your ?provided|given|available|uploaded|supplied|visible "
    "video|image|picture|photo|photograph|frame*|visual*|content|information|input",
    "here is|s ?a|an|the|my ?very ?detailed|comprehensive|thorough|complete|full|precise "
    "?chronological* ?precise|accurate|and ?detailed|accurate|precise|step "
    "description|caption|summary|breakdown|account|analysis|overview",
    "here are the|some ?key details|descriptions|captions",
    "sure ?here|i|the|this",
    "certainly ?here|i|the|this",
    "of course ?here|i|the|this",
    "as an ai",
    "as a language|vision model",
    "below is|s ?a|an|the ?very ?detailed|comprehensive|thorough|complete|full "
    "description|caption|summary|breakdown|account|analysis|overview",
    "i|we can|will|shall ?now describe|provide",
    "i ll describe|provide",
    "the following is|s a|an|the ?very ?detailed|comprehensive|thorough|complete|full "
    "description|caption|summary|breakdown|account|analysis|overview",
    "以 下 是",
    "根 据 提 供",
    NULL};

/* A sentence about the caption itself ... */
static const char *const about_itself[] = {
    "this|my|our ?very ?highly ?detailed|comprehensive|thorough|complete|full|entire|"
    "precise|accurate ?and ?detailed|comprehensive|thorough|complete|precise|accurate "
    "description|caption|summary|breakdown|account|analysis|overview|answer|response",
    "the above|preceding|foregoing ?detailed|comprehensive "
    "description|caption|summary|breakdown|account|analysis|overview",
    "the description|caption|summary|breakdown|analysis|overview above|provided|given",
    "description|caption|analysis above|provided|given|is|captures|covers|provides|"
    "includes|ensures|contains|accurately|faithfully|fully|comprehensively|remains",
    NULL};
/* ... that praises it. */
static const char *const praise[] = {
    "accurate*",
    "faithful*",
    "precise*",
    "comprehensive*",
    "complete|completely|completeness",
    "thorough*",
    "exhaustive*",
    "meticulous*",
    "detailed",
    "every detail|element|aspect|object|moment|action",
    "all ?the ?key|visible|important|relevant|essential|necessary|significant|major "
    "details|elements|aspects|objects|information|actions|events",
    "no|nothing ?detail|element ?is|was omitted|missing|missed|left|overlooked",
    "without omission*|omitting",
    "fully captures|describes|covers|represents",
    "strictly follows|chronological|adheres",
    NULL};

static const char *const to_judge[] = {
    "the ?only ?correct|right|best|true|final answer|option|choice is ?option|choice #",
    "correct|right|best|true|final answer|option|choice is|s ?option|choice #",
    "answer|option|choice # is ?the correct|right|true",
    "choose|select|pick|answer ?with ?the ?answer|option|choice|letter #",
    "ignore|disregard|forget ?all ?of ?the ?your previous|above|prior|preceding|earlier "
    "instructions|instruction|prompts|prompt|text|questions|rules",
    "you are|re ?now ?a|an|the judge|grader|evaluator|examiner",
    "note|message|instruction|instructions|attention to|for the "
    "?language judge|grader|evaluator|model|examiner",
    "dear judge|grader|evaluator|examiner",
    NULL};

/* What chat templates are made of. Each mark is looked for once, so this is linear. */
static const char *const marks[] = {
    "<|im_",    "<|end",           "<|eot",         "<|start", "<|begin",  "<|user",
    "<|system", "<|assistant",     "<|vision_",     "<\uff5c", "[INST]",   "[/INST]",
    "<<SYS>>",  "<start_of_turn>", "<end_of_turn>", "<think>", "</think>", NULL};

static bool has_mark(struct span text)
{
    for (const char *const *m = marks; *m; m++)
        if (text.n && memmem(text.s, text.n, *m, strlen(*m)))
            return true;
    return false;
}

/* "Answer: D": the word, a colon, space and `*`, and one letter alone. */
static bool gives_answer(const struct words *w, size_t at)
{
    if (!phrase_at("answer|option|choice #", w, at, w->count))
        return false;
    const char *s = w->items[at].text.s + w->items[at].text.n;
    const char *letter = w->items[at + 1].text.s;
    bool colon = false;
    for (; s < letter; s++) {
        if (!strchr(" :*(", *s))
            return false;
        colon = colon || *s == ':';
    }
    return colon;
}

static bool speaks_to_judge(const struct words *w, struct span text)
{
    if (has_mark(text) || phrase_in(to_judge, w, 0, w->count))
        return true;
    for (size_t i = 0; i < w->count; i++)
        if (gives_answer(w, i))
            return true;
    return false;
}

static bool opens_with_boilerplate(const struct words *w)
{
    for (const char *const *p = openings; *p; p++)
        if (phrase_at(*p, w, 0, w->count))
            return true;
    return false;
}

static bool praises_itself(const struct words *w)
{
    size_t at = w->count, end;
    for (int last = w->sentences - 1, k = 0; k < PRAISE_SENTENCES && at > 0;
         k++, last--) {
        for (end = at; at > 0 && w->items[at - 1].sentence == last; at--) continue;
        if (phrase_in(about_itself, w, at, end) && phrase_in(praise, w, at, end))
            return true;
    }
    return false;
}

int reward_flags(struct span caption, unsigned *flags)
{
    struct words words;
    double share;
    *flags = 0;
    if (words_read(&words, caption) < 0)
        return -1;
    if (repetition_share(&words, &share) < 0) {
        words_free(&words);
        return -1;
    }
    if (share >= REPEATED_SHARE)
        *flags |= REWARD_REPETITION;
    if (praises_itself(&words))
        *flags |= REWARD_SELF_PRAISE;
    if (opens_with_boilerplate(&words))
        *flags |= REWARD_BOILERPLATE;
    if (speaks_to_judge(&words, caption))
        *flags |= REWARD_TO_JUDGE;
    words_free(&words);
    return 0;
}

const char *reward_flag_name(enum reward_flag flag)
{
    switch (flag) {
    case REWARD_REPETITION: return "repetition";
    case REWARD_SELF_PRAISE: return "self_praise";
    case REWARD_BOILERPLATE: return "boilerplate";
    case REWARD_TO_JUDGE: return "to_judge";
    }
    return NULL;
}
