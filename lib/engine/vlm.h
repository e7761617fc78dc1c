/* vlm.h: a loaded model: its weights bound to names, and the device they are used on. */
#ifndef VLM_H
#define VLM_H
#include "engine/compute.h"
#include "engine/config.h"
#include "engine/engine.h"
#include "engine/weights.h"
#include "kernels.h"

struct family;
struct vlm;

/* y = x w^T + b; b may be absent. */
struct linear {
    struct arr w, b;
};

/* b is absent in an RMS norm. */
struct norm {
    struct arr w, b;
};

struct text_layer {
    struct norm before_attention, before_mlp;
    struct norm q_norm, k_norm; /* absent without qk_norm */
    struct linear q, k, v, o, gate, up, down;
};

struct text_weights {
    struct arr embed; /* [vocab, hidden] */
    struct arr head;  /* [vocab, hidden]; the embedding where tied */
    struct norm norm;
    struct text_layer *layers;
    bool rope_pairs; /* rows of q and k are sorted for the kernels' rope_pairs */
};

struct vision_block {
    struct norm norm1, norm2;
    struct linear qkv, proj, gate, up, down; /* gate is absent in a plain MLP */
};

struct vision_merger {
    struct norm norm;
    struct linear in, out;
};

struct vision_weights {
    struct linear patch; /* [hidden, 3 * frames * patch^2] */
    struct arr position; /* [positions, hidden], or absent */
    struct vision_block *blocks;
    struct vision_merger merger, *deepstack;
};

/* Told of each tensor that a family needs, by its published name. */
typedef void vlm_each(void *context, const char *name, int rank, const int64_t *shape);

/* Where training wants a tensor's floats: *a (its shape is set) gets memory and contents.
 * 0; 1: it is used as the file has it, nothing was set; or -1. t and a NULL: the model
 * does not open, give all memory back. */
typedef int vlm_place(void *context, const struct vlm *m, const struct tensor *t,
                      struct arr *a);

/* How one layer is run: call(with, index) reads and writes x and otherwise needs nothing
 * of what it leaves behind. Training uses it to compute a layer again later. */
typedef void vlm_around(void *context, void (*call)(void *with, int index), void *with,
                        int index, struct arr x);

struct vlm {
    const struct kernels *k;
    struct dev *dev;
    enum arr_type act; /* of activations: k->act(dev) */
    struct model_config config;
    const struct family *family;
    struct weights *weights;
    struct text_weights text;
    struct vision_weights vision;
    struct adopted *adopted; /* what disown() or release() must be given */
    int adopted_count;
    const char *dir;           /* for messages while loading */
    const char *vision_prefix; /* what tensor names begin with */
    vlm_each *each;            /* vlm_tensors(): names are listed, nothing is bound */
    void *each_context;
    vlm_place *place; /* NULL: weights are used as the files have them */
    void *place_context;
    vlm_around *around; /* NULL: layers are just run */
    void *around_context;
};

/* What a model is opened on. */
struct vlm_device {
    const char *name; /* "cpu", "cuda:1"; NULL or "auto": the CPU */
    int threads;      /* of the CPU: at least 1 */
    struct compute_options compute;
    const struct kernels *kernels; /* a table in place of the device's; NULL: none */
};

/* Load a directory on a device. NULL (class model; refused: the device). */
struct vlm *vlm_open(const char *dir, const struct vlm_device *on);
/* The same with every tensor where `place` says; a GGUF file's rows of q and k are sorted
 * otherwise and are refused. */
struct vlm *vlm_open_placed(const char *dir, const struct vlm_device *on,
                            vlm_place *place, void *context);
/* Is it a GPU's name? */
bool vlm_on_gpu(const char *device);
/* The type of activations that a device would be opened for, without one: for forecasts.
 */
enum arr_type vlm_act(const struct vlm_device *on);
/* Use the weights of another folder of a model of the same shape instead (its config is
 * not looked at; a model that was opened placed has none of its own). Nothing may be
 * computed meanwhile. 0, or -1 with m as it was. */
int vlm_reload(struct vlm *m, const char *dir);

/* A weight as the device has it. */
struct vlm_weight {
    const char *name; /* as the files call it; borrowed */
    enum arr_type type;
    void
        *data; /* the device's memory: a copy of the file's, or the file's own (the CPU's)
                */
    size_t bytes;
};
/* The i-th of a model that was opened unplaced. false: there are no more. */
bool vlm_weight(const struct vlm *m, int i, struct vlm_weight *w);
/* What a device would compute with and does without, for people; NULL: nothing. */
const char *vlm_lacks(const struct kernels *k, struct dev *dev);
void vlm_close(struct vlm *m);

/* All tensors of a model with this config, in the order in which they are bound. The
 * names come from the same calls that bind them. 0 or -1 (memory). */
int vlm_tensors(const struct model_config *mc, vlm_each *each, void *context);

/* -- For the families' own binding ----------------------------------------------------
 */

/* A float tensor of this shape, by a name given in printf form, as an array. A shape of
 * rank 2 also takes a tensor whose further sizes multiply to the second (a convolution's
 * weights). 0, or -1 that names the tensor, its file and both shapes. */
int vlm_bind(struct vlm *m, struct arr *a, int rank, const int64_t *shape,
             const char *format, ...) __attribute__((format(printf, 5, 6)));

/* NAME.weight [out, in], and NAME.bias [out] if biased. */
int vlm_bind_linear(struct vlm *m, struct linear *l, int64_t out, int64_t in, bool biased,
                    const char *format, ...) __attribute__((format(printf, 6, 7)));

/* NAME.weight [dim], and NAME.bias [dim] if biased. */
int vlm_bind_norm(struct vlm *m, struct norm *n, int64_t dim, bool biased,
                  const char *format, ...) __attribute__((format(printf, 5, 6)));

/* -- For tests and tools ---------------------------------------------------------------
 */

/* Where intermediate results go; call NULL: nowhere. */
struct probe {
    engine_probe *call;
    void *context;
};

/* Hand on an array of two dimensions. Does nothing where p or p->call is NULL. 0 or -1.
 */
int vlm_probe(const struct vlm *m, const struct probe *p, const char *name, struct arr a);
#endif
