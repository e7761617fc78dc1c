/* asked.h: what a captioner was asked by a row, as turns of JSON texts: no picture is
 * opened, nothing is decoded. */
#ifndef ASKED_H
#define ASKED_H
#include "row/row.h"

enum asked_role { ASKED_SYSTEM, ASKED_USER, ASKED_ASSISTANT };
enum asked_kind { ASKED_TEXT, ASKED_IMAGE, ASKED_VIDEO };

struct asked_part {
    enum asked_kind kind;
    struct span json; /* a JSON string with its quotes: the text, or a path or URL */
};

struct asked_turn {
    enum asked_role role;
    struct asked_part *parts; /* [count] */
    int count;
};

/* Memory of the row's. */
struct asked {
    struct asked_turn *turns; /* [count] */
    int count;
    int images, videos;
};

/* Read a row's `messages`, or its pictures or videos and its question: `prompt`, else
 * what `gen` says was asked, else prompt (a JSON string). A system turn that `gen` tells
 * of comes first. 0, or -1: missing, type, refused. */
int asked_read(struct asked *a, struct row *row, struct span prompt);
#endif
