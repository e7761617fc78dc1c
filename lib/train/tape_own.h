/* tape_own.h: what the files of the tape share. */
#ifndef TRAIN_TAPE_OWN_H
#define TRAIN_TAPE_OWN_H
#include "train/tape.h"

enum op_kind {
    OP_MATMUL,
    OP_RMSNORM,
    OP_LAYERNORM,
    OP_SWIGLU,
    OP_GELU,
    OP_SILU,
    OP_ADD,
    OP_SCALE,
    OP_GATHER,
    OP_SCATTER,
    OP_GATHER_MIX,
    OP_ROPE,
    OP_ROPE_PAIRS,
    OP_ATTENTION,
    OP_ATTENTION_PAGED,
    OP_KV_WRITE,
    OP_KV_COPY,
    OP_LAYER,
};

enum { OP_GRADS = 5, OP_VALUES = 8 };

/* One operation: g are gradients (absent: not wanted), v what went in or came out, in the
 * order in which the function of record.c that notes it says. */
struct op {
    enum op_kind kind;
    struct arr g[OP_GRADS], v[OP_VALUES];
    float number;
    int flag, from, to, places;
    bool in_place; /* y is the input's memory */
    bool first;    /* y had no gradient before it was added to: it ends here */
    bool active;   /* does the input have a gradient? (where that decides) */
    void (*call)(void *with, int index); /* OP_LAYER */
    void *with;
};

/* Memory with its shadow. */
struct region {
    char *base;
    size_t bytes;
    char *shadow;        /* NULL: a parameter that is not trained */
    size_t shadow_bytes; /* at least bytes */
    bool parameter;
    bool idle; /* of a spare one: not wanted since the last tape_forget() */
};

/* Bytes [low, high). */
struct range {
    const char *low, *high;
};

/* A copy that was made of an array, good until somebody writes there. */
struct saved {
    struct arr of, copy;
    struct range range;
};

/* Memory of copies; touched: at most used so far. What was never touched is not counted:
 * on the CPU it costs nothing. */
struct block {
    char *data;
    size_t bytes, used, touched;
};

struct lora {
    const void *w;
    struct arr down, up;
    float scale;
};

/* Memory with a shadow that grows when it must. */
struct room {
    void *data;
    size_t bytes;
};

enum { SAVES = 16 };

struct tape {
    const struct kernels *k;
    struct dev *dev;
    bool recording, recompute;
    bool failed;            /* memory ran out: told by tape_backward() */
    struct region *regions; /* sorted by base */
    int region_count, region_cap;
    struct region *spare; /* shadows without memory */
    int spare_count, spare_cap;
    struct range *active;
    int active_count, active_cap;
    struct saved saves[SAVES];
    int save_next;
    struct op *ops;
    int op_count, op_cap;
    struct block *blocks;
    int block_count, block_cap, block_now;
    size_t taken, taken_most; /* bytes of the copies that are kept: now, ever at once */
    size_t untouched;         /* of blocks that are gone, at most */
    struct lora *loras;
    int lora_count;
    struct room low[2]; /* of all loras in turn: x down^T, and that times their scale */
    size_t bytes, most;
};

static inline struct tape *tape_of(struct dev *d)
{
    return (struct tape *)(void *)d;
}

/* Memory with a shadow; NULL without memory. And back. */
void *tape_alloc(struct tape *t, size_t bytes);
void tape_release(struct tape *t, void *data, size_t bytes);

/* A place in the copies' memory, to which it can be taken back. */
struct mark {
    int op, block;
    size_t used, taken;
};
struct mark tape_mark(const struct tape *t);
/* Gradients of all operations above the mark, which are then gone. */
void tape_back_to(struct tape *t, struct mark mark);

/* New memory for as long as the operation is kept; absent if there is none (and the tape
 * has failed). */
struct arr tape_take(struct tape *t, enum arr_type type, int rank, const int64_t *shape);
/* [rows, rank] in t->low[which]; absent without memory (the tape has failed). */
struct arr tape_low(struct tape *t, int which, enum arr_type type, int64_t rows,
                    int64_t rank);
/* The array's contents as they are now. */
struct arr tape_keep(struct tape *t, struct arr a);
/* y was written; is it active from now on? */
void tape_wrote(struct tape *t, struct arr y, bool active);
/* An operation more; NULL without memory. */
struct op *tape_op(struct tape *t, enum op_kind kind);
/* Gradient of `op`, handed on to what it was made from. */
void tape_replay(struct tape *t, const struct op *op);
#endif
