/* blocks.cc: see blocks.h. */
#include "host/blocks.h"

#include <pthread.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/common_interface_defs.h>
#define FIBERS_TOLD 1
#else
#define FIBERS_TOLD 0
#endif

enum { WARP = 32, THREADS_MAX = 1024, STACK = 128 << 10 };

enum state { RUNS, WAITS_WARP, WAITS_BLOCK, ENDED };

struct fiber {
    void *sp; /* where it goes on */
    char *stack;
    enum state state;
    unsigned char slot[2][8]; /* what it shows in a shuffle, by turns: a lane is at most
                                 one shuffle ahead */
    unsigned shuffles;
    dim3 thread;
};

/* The block that runs. */
struct block {
    struct fiber fibers[THREADS_MAX];
    unsigned count, now;
    void *scheduler; /* its sp, while a fiber runs */
    const void *scheduler_stack;
    size_t scheduler_size;
    void (*call)(const void *);
    const void *with;
    const char *kernel;
    const char *order; /* CUDA_HOST_ORDER */
};
static struct block *the_block;
blocks_place blocks_here;
static pthread_mutex_t one = PTHREAD_MUTEX_INITIALIZER; /* launch at a time */

/* Save the registers that a call must keep, put the stack pointer into *save, go on with
 * that of `to`. */
extern "C" void blocks_switch(void **save, void *to);
#ifdef __x86_64__
asm(".text\n"
    ".type blocks_switch, @function\n"
    "blocks_switch:\n"
    "  push %rbp\n  push %rbx\n  push %r12\n  push %r13\n  push %r14\n  push %r15\n"
    "  mov %rsp, (%rdi)\n"
    "  mov %rsi, %rsp\n"
    "  pop %r15\n  pop %r14\n  pop %r13\n  pop %r12\n  pop %rbx\n  pop %rbp\n"
    "  ret\n"
    ".size blocks_switch, . - blocks_switch\n");
#else
#error "fibers are written for x86-64"
#endif

static void die(const char *what)
{
    fprintf(stderr, "%s: block %u %u %u: %s\n", the_block->kernel, blockIdx.x, blockIdx.y,
            blockIdx.z, what);
    for (unsigned i = 0; i < the_block->count; i++)
        if (the_block->fibers[i].state != ENDED && i < 64)
            fprintf(stderr, "  thread %u waits for its %s\n", i,
                    the_block->fibers[i].state == WAITS_WARP ? "warp" : "block");
    abort();
}

static void to_scheduler(enum state state)
{
    struct block *b = the_block;
    struct fiber *f = &b->fibers[b->now];
    f->state = state;
#if FIBERS_TOLD
    void *fake;
    __sanitizer_start_switch_fiber(state == ENDED ? NULL : &fake, b->scheduler_stack,
                                   b->scheduler_size);
#endif
    blocks_switch(&f->sp, b->scheduler);
#if FIBERS_TOLD
    __sanitizer_finish_switch_fiber(fake, &b->scheduler_stack, &b->scheduler_size);
#endif
}

static void fiber_main()
{
#if FIBERS_TOLD
    __sanitizer_finish_switch_fiber(NULL, &the_block->scheduler_stack,
                                    &the_block->scheduler_size);
#endif
    the_block->call(the_block->with);
    to_scheduler(ENDED);
}

static void to_fiber(struct block *b, unsigned i)
{
    struct fiber *f = &b->fibers[i];
    b->now = i;
    threadIdx = f->thread;
    f->state = RUNS;
#if FIBERS_TOLD
    void *fake;
    __sanitizer_start_switch_fiber(&fake, f->stack, STACK);
#endif
    blocks_switch(&b->scheduler, f->sp);
#if FIBERS_TOLD
    __sanitizer_finish_switch_fiber(fake, NULL, NULL);
#endif
}

static void fiber_start(struct fiber *f, dim3 thread)
{
    if (!f->stack) {
        void *p = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED)
            abort();
        f->stack = (char *)p;
    }
    void **top = (void **)(f->stack + STACK - 64);
    *--top = NULL; /* where fiber_main would return to; aligns the stack, too */
    *--top = (void *)fiber_main;
    top -= 6; /* registers */
    memset(top, 0, 6 * sizeof *top);
    f->sp = top;
    f->thread = thread;
    f->shuffles = 0;
    f->state = RUNS;
}

/* Fibers' order: place i of n. */
static unsigned order_at(unsigned i, unsigned n)
{
    const char *order = the_block->order;
    if (!order || strcmp(order, "up") == 0)
        return i;
    if (strcmp(order, "down") == 0)
        return n - 1 - i;
    return (i + (unsigned)atoi(order)) % n;
}

/* Let waiting fibers go on: whole warps, then the whole block. false: nobody waits. */
static bool release(struct block *b)
{
    bool any = false, all = true;
    for (unsigned w = 0; w < b->count; w += WARP) {
        bool whole = true, some = false;
        for (unsigned i = w; i < w + WARP && i < b->count; i++) {
            enum state s = b->fibers[i].state;
            whole &= s == WAITS_WARP || s == ENDED;
            some |= s == WAITS_WARP;
        }
        for (unsigned i = w; whole && some && i < w + WARP && i < b->count; i++)
            if (b->fibers[i].state == WAITS_WARP)
                b->fibers[i].state = RUNS, any = true;
    }
    if (any)
        return true;
    for (unsigned i = 0; i < b->count; i++) all &= b->fibers[i].state == ENDED;
    if (all)
        return false;
    for (unsigned i = 0; i < b->count; i++)
        if (b->fibers[i].state != WAITS_BLOCK)
            die("a barrier that not all threads reach");
    for (unsigned i = 0; i < b->count; i++) b->fibers[i].state = RUNS;
    return true;
}

static void block_run(struct block *b)
{
    unsigned n = 0;
    for (unsigned z = 0; z < blockDim.z; z++)
        for (unsigned y = 0; y < blockDim.y; y++)
            for (unsigned x = 0; x < blockDim.x; x++)
                fiber_start(&b->fibers[n++], dim3(x, y, z));
    b->count = n;
    do
        for (unsigned i = 0; i < n; i++) {
            unsigned at = order_at(i, n);
            if (b->fibers[at].state == RUNS)
                to_fiber(b, at);
        }
    while (release(b));
}

void blocks_run_all(const char *kernel, dim3 grid, dim3 block, void (*call)(const void *),
                    const void *with)
{
    pthread_mutex_lock(&one);
    if (!the_block && !(the_block = (struct block *)calloc(1, sizeof *the_block)))
        abort();
    the_block->kernel = kernel;
    the_block->order = getenv("CUDA_HOST_ORDER");
    the_block->call = call;
    the_block->with = with;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535 ||
        block.x * block.y * block.z == 0 || block.x * block.y * block.z > THREADS_MAX) {
        fprintf(stderr, "%s: no GPU starts %u %u %u blocks of %u %u %u threads\n", kernel,
                grid.x, grid.y, grid.z, block.x, block.y, block.z);
        abort();
    }
    blocks_here.grid_dim = grid;
    blocks_here.block_dim = block;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = dim3(x, y, z);
                block_run(the_block);
            }
    pthread_mutex_unlock(&one);
}

/* -- What a thread may call ------------------------------------------------------------
 */

/* What is kept in thread-local variables is another fiber's after a switch. */
static void wait(enum state state)
{
    to_scheduler(state);
    threadIdx = the_block->fibers[the_block->now].thread;
}

void __syncthreads()
{
    wait(WAITS_BLOCK);
}

void __syncwarp(unsigned mask)
{
    (void)mask;
    wait(WAITS_WARP);
}

unsigned blocks_lane()
{
    return the_block->now % WARP;
}

void blocks_shuffle(void *value, size_t bytes, unsigned from)
{
    struct block *b = the_block;
    struct fiber *f = &b->fibers[b->now];
    unsigned other = b->now / WARP * WARP + from;
    unsigned turn = f->shuffles++ % 2;
    memcpy(f->slot[turn], value, bytes);
    wait(WAITS_WARP);
    if (other >= b->count || b->fibers[other].shuffles < f->shuffles)
        die("a shuffle from a lane that is not there");
    memcpy(value, b->fibers[other].slot[turn], bytes);
}
