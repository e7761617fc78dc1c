/* answer_own.h: between the files of answer_score(): one rule a file. */
#ifndef ANSWER_OWN_H
#define ANSWER_OWN_H
#include "answer/answer.h"
#include "answer/fuel.h"

struct buf;

/* -- part.c ----------------------------------------------------------------------------
 */

/* answer_part(), but what has neither tags nor thoughts is left as it is, white space
 * included. */
struct span answer_part_kept(struct span reply, bool *cut);
/* What stands in the last \boxed{...} whose braces close; all of the text where there is
 * none. */
struct span answer_boxed(struct span text);

/* -- number.c, relaxed.c ---------------------------------------------------------------
 */

/* A number as Python's float() reads it: white space around it, a sign, underscores
 * between digits, an exponent, decimal digits of any script, inf, infinity, nan; 1e400 is
 * infinite. 1; 0: it is none; -1: memory. */
int number_read(struct span text, double *x);
/* The same, or with `%` at its end a hundredth of it. */
int number_percent(struct span text, double *x);

/* Is the text within 5% of the reference number? Where text is no number, or the
 * reference none or 0: are they equal, whatever the case? 1, 0, or -1 (memory). Nothing
 * is trimmed. The published form takes the prediction for the reference. */
int relaxed_equal(struct span text, struct span reference);

/* -- anls.c ----------------------------------------------------------------------------
 */

/* The distance as a share of the longer length, 0 to 1: both in lower case, white space
 * collapsed. published: of the longer length before that, in upper case. over: what is
 * at or over it need not be told apart (1 then). 0; 1: out of fuel; -1: memory. */
int anls_distance(struct span a, struct span b, bool published, double over,
                  struct fuel *fuel, double *distance);

/* -- vqa.c -----------------------------------------------------------------------------
 */

/* Append an answer as VQA normalises it. 0 or -1 (memory). */
int vqa_normalize(struct span answer, struct buf *out);
/* vqa_words.c: what stands for a word (borrowed); the word itself for most, NULL for an
 * article. */
const char *vqa_word(const char *word);

/* -- choice.c --------------------------------------------------------------------------
 */

/* The option [count] that a reply picks, -1: none; -2: memory. Of options of equal text
 * `right` where it is one of them. */
int choice_read(struct span reply, enum letter_rule rule, const struct span *options,
                int count, int right);
/* The place that a gold names. -1 (class type): it names no option. */
int choice_gold(struct span gold, const struct span *options, int count);

/* -- formula.c: the one place that calls math.h ----------------------------------------
 */

/* The same mathematical object? A gold that does not parse as it is counts as LaTeX, as
 * if it stood in $...$. 1, 0; -1: the gold is at fault (type: it does not parse; refused:
 * out of fuel). */
int formula_equal(struct span gold, struct span prediction, struct fuel *fuel,
                  unsigned *flags);
/* As published: gold and x as LaTeX in $...$, the first match alone; or x itself the text
 * that gold comes to. A gold that does not parse is worth 1. 1, 0; -1 (memory; refused).
 */
int formula_published(struct span gold, struct span x, struct fuel *fuel,
                      unsigned *flags);
/* Append the text that the published form takes for the answer in x. 0; 1: out of fuel;
 * -1 (memory). */
int formula_text(struct span x, struct fuel *fuel, struct buf *out);

/* -- items.c ---------------------------------------------------------------------------
 */

/* The mean over the items of two lists (ChartQA-Pro). 0 or -1 (memory). */
int items_score(struct span gold, struct span text, struct fuel *fuel, double *score,
                unsigned *flags);

/* -- published.c, list.c ---------------------------------------------------------------
 */

/* Score one gold by the published rules. 0 or -1. */
int published_score(const struct answer_task *task, struct span gold,
                    struct span prediction, struct fuel *fuel, double *score,
                    unsigned *flags);
/* X of </think> <answer> ... \boxed{X} ... </answer>; s NULL: there is none. */
struct span published_box(struct span reply);

enum { LIST_MAX = 1000 }; /* elements; a longer list is taken for a text */

/* A Python list of literals: its elements' texts (numbers as written), one behind the
 * other in out, their ends in ends[LIST_MAX]. How many; -1: text is no such list; -2:
 * memory. */
int list_read(struct span text, struct buf *out, size_t *ends);
#endif
