/* line.h: what a line of a model's question text is. capmill(7), "Question text", has the
 * rules. A blank is a space or a tab; letters and digits are ASCII. Each function looks
 * at a line once, and most lines are told apart by their first few bytes. */
#ifndef LINE_H
#define LINE_H
#include "base/buf.h"
#include "base/span.h"

/* "#### 12. **What is it?**": the digits, and what follows. */
bool line_head(struct span line, struct span *number, struct span *question);

bool line_rule(struct span line); /* three or more `-` alone */

/* "- **B)** text": the label's place (0 for A ... 25 for Z), and the text. */
bool line_option(struct span line, int *place, struct span *text);

/* "**Answer:** B) text", `**` anywhere in it. Where a letter is given, *place is its
 * place and the text behind it is appended to text, trimmed; else *place is -1. */
bool line_answer(struct span line, int *place, struct buf *text);

/* Trimmed of blanks, and of `**`: pairs around it, then one without its other half at
 * either end. */
struct span line_clean(struct span text);

struct span line_trim(struct span text); /* of blanks */
#endif
