/* forecast.h: what a run of a program will take in memory, as model-info --plan says it.
 */
#ifndef TRAIN_FORECAST_H
#define TRAIN_FORECAST_H
#include "base/buf.h"
#include <stdbool.h>
#include <stdint.h>

/* Bytes. */
struct train_plan {
    int64_t weights;     /* of the model and of low-rank pairs */
    int64_t gradients;   /* of what is trained */
    int64_t states;      /* of the optimizer */
    int64_t activations; /* buffers, the tape's copies, gradients of both */
    int64_t kv;          /* keys and values */
    int64_t pictures;    /* a step's patches, ready for the tower */
    int64_t program;     /* code, libraries, and the threads' scratch memory */
    int64_t shared;      /* what --hand-over keeps for others on a GPU, if it is used */
    int64_t total;       /* train_plan_make(): without the program; on a GPU without
                            pictures as well, which lie in the host's memory */
    int64_t tape;        /* of activations: what trainer_bytes() will say */
    int64_t parameters, trained;
    int rows; /* computed together */
};

enum forecast_kind { FORECAST_SFT, FORECAST_RL, FORECAST_CAPTION };

struct memory_options {
    enum forecast_kind kind;
    const char *train; /* "vision,merger,text,embed" or "all" */
    const char *lora;  /* NULL: none; else train is not looked at */
    bool moments8, recompute;
    const char *compute; /* type of activations: "fp32", "bf16"; NULL: the device's */
    const char *device;  /* "cpu", "cuda"; NULL: the CPU */
    int64_t gpu_memory;  /* caption: bytes of a GPU's memory to use; 0: any */
    bool hand_over;      /* rl: weights go to samplers in a GPU's memory */
    bool batch_variant;  /* library products */
    int64_t batch_tokens, micro_tokens;
    int row_tokens;     /* of a row's prompt and picture; sft: with its answer */
    int width, height;  /* of a row's picture, pixels; 0: none */
    int n, max_tokens;  /* samples of a row, and new tokens of each */
    int max_batch, ctx; /* caption; 0: default, the model's */
    int threads;        /* 0: all */
};

struct memory_forecast {
    struct train_plan bytes; /* caption: no gradients, states, tape */
    int picture_tokens;      /* of a row */
    char dir[4096], trained[80];
};

/* "sft", "rl", "caption". 0 or -1 (class refused). */
int forecast_kind(enum forecast_kind *kind, const char *name);

/* Forecast for SPEC's model. 0 or -1. */
int memory_forecast(struct memory_forecast *f, const char *spec,
                    const struct memory_options *o);

/* Append it as one JSON object. */
void memory_forecast_json(const struct memory_forecast *f, const struct memory_options *o,
                          struct buf *out);
#endif
