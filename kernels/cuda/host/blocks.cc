/* blocks.cc: see blocks.h. */
#include "host/blocks.h"

#include <pthread.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define FIBERS_TOLD 1
#else
#define FIBERS_TOLD 0
#endif

enum { WARP = 32, THREADS_MAX = 1024, STACK = 128 << 10, SLOT = 32 };

enum state { RUNS, WAITS_WARP, WAITS_BLOCK, ENDED };

struct fiber {
    void *sp; /* where it goes on */
    char *stack;
    enum state state;
    unsigned char slot[2][SLOT]; /* what it shows in a shuffle, by turns: a lane is at
                                    most one shuffle ahead */
    unsigned shuffles;
    struct copy *copies; /* [copy_count] begun and not waited for, in order */
    unsigned copy_count, copy_cap, group; /* group: the one that is being gathered */
    dim3 thread;
};

/* An asynchronous copy of 16 bytes; from NULL: zeros. */
struct copy {
    void *to;
    const void *from;
    unsigned group;
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
    bool early;        /* CUDA_HOST_COPIES */
};
static struct block *the_block;
blocks_place blocks_here;
char *blocks_shared;
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
#if FIBERS_TOLD
    /* the frames of the thread that had it before, which never returned */
    ASAN_UNPOISON_MEMORY_REGION(f->stack, STACK);
#endif
    void **top = (void **)(f->stack + STACK - 64);
    *--top = NULL; /* where fiber_main would return to; aligns the stack, too */
    *--top = (void *)fiber_main;
    top -= 6; /* registers */
    memset(top, 0, 6 * sizeof *top);
    f->sp = top;
    f->thread = thread;
    f->shuffles = 0;
    f->copy_count = f->group = 0;
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
    for (unsigned i = 0; i < n; i++)
        if (b->fibers[i].copy_count > 0)
            die("a copy that nobody waited for");
}

/* So much shared memory, which ends where a page begins that must not be touched. */
static void shared_room(const char *kernel, size_t bytes)
{
    enum { PAGE = 4096, MOST = (BLOCKS_SHARED_MOST + PAGE - 1) / PAGE * PAGE };
    static char *room;
    if (bytes > BLOCKS_SHARED_MOST) {
        fprintf(stderr, "%s: no GPU has %zu bytes of shared memory\n", kernel, bytes);
        abort();
    }
    if (!room) {
        void *p = mmap(NULL, MOST + PAGE, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (p == MAP_FAILED || mprotect((char *)p + MOST, PAGE, PROT_NONE) != 0)
            abort();
        room = (char *)p;
    }
    blocks_shared = room + MOST - (bytes + 127) / 128 * 128;
}

void blocks_run_all(const struct blocks_launch *launch, void (*call)(const void *),
                    const void *with)
{
    const char *kernel = launch->kernel;
    dim3 grid = launch->grid, block = launch->block;
    size_t shared = launch->shared;
    pthread_mutex_lock(&one);
    if (!the_block && !(the_block = (struct block *)calloc(1, sizeof *the_block)))
        abort();
    the_block->kernel = kernel;
    the_block->order = getenv("CUDA_HOST_ORDER");
    const char *copies = getenv("CUDA_HOST_COPIES");
    the_block->early = copies && strcmp(copies, "early") == 0;
    the_block->call = call;
    the_block->with = with;
    if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 || grid.z > 65535 ||
        block.x * block.y * block.z == 0 || block.x * block.y * block.z > THREADS_MAX) {
        fprintf(stderr, "%s: no GPU starts %u %u %u blocks of %u %u %u threads\n", kernel,
                grid.x, grid.y, grid.z, block.x, block.y, block.z);
        abort();
    }
    shared_room(kernel, shared);
    blocks_here.grid_dim = grid;
    blocks_here.block_dim = block;
    if (getenv("CUDA_HOST_DRY"))
        grid.z = 0;
    for (unsigned z = 0; z < grid.z; z++)
        for (unsigned y = 0; y < grid.y; y++)
            for (unsigned x = 0; x < grid.x; x++) {
                blockIdx = dim3(x, y, z);
                memset(blocks_shared, 0xff, shared);
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

/* Show bytes to the warp and wait for what its other lanes show; the turn that they are
 * in. */
static unsigned show(const void *bytes, size_t size)
{
    struct block *b = the_block;
    struct fiber *f = &b->fibers[b->now];
    unsigned turn = f->shuffles++ % 2;
    memcpy(f->slot[turn], bytes, size);
    wait(WAITS_WARP);
    return turn;
}

/* What lane `from` of the warp shows. */
static const void *shown(unsigned turn, unsigned from)
{
    struct block *b = the_block;
    unsigned other = b->now / WARP * WARP + from;
    if (other >= b->count || b->fibers[other].shuffles < b->fibers[b->now].shuffles)
        die("a shuffle from a lane that is not there");
    return b->fibers[other].slot[turn];
}

void blocks_shuffle(void *value, size_t bytes, unsigned from)
{
    unsigned turn = show(value, bytes);
    memcpy(value, shown(turn, from), bytes);
}

/* -- Tensor cores (mma.h) ---------------------------------------------------------------
 */

/* Number `which` (0, 1) of a register of two bf16. */
static double half_of(uint32_t pair, unsigned which)
{
    uint32_t bits = (which ? pair >> 16 : pair & 0xffff) << 16;
    float f;
    memcpy(&f, &bits, sizeof f);
    return (double)f;
}

void blocks_mma_bf16(float d[4], const uint32_t a[4], const uint32_t b[2])
{
    uint32_t mine[6] = {a[0], a[1], a[2], a[3], b[0], b[1]}, from[6];
    unsigned lane = blocks_lane(), g = lane / 4, t = lane % 4;
    double rows[2][16], columns[2][16];
    unsigned turn = show(mine, sizeof mine);
    for (unsigned k = 0; k < 16; k++) {
        unsigned high = k / 8, of = k % 8 / 2; /* the lane of the four that has it */
        memcpy(from, shown(turn, g * 4 + of), sizeof from);
        rows[0][k] = half_of(from[high * 2], k % 2);
        rows[1][k] = half_of(from[high * 2 + 1], k % 2);
        for (unsigned c = 0; c < 2; c++) {
            memcpy(from, shown(turn, (2 * t + c) * 4 + of), sizeof from);
            columns[c][k] = half_of(from[4 + high], k % 2);
        }
    }
    for (unsigned i = 0; i < 4; i++) {
        double sum = (double)d[i];
        for (unsigned k = 0; k < 16; k++) sum += rows[i / 2][k] * columns[i % 2][k];
        d[i] = (float)sum;
    }
}

/* A lane's row is read as the lane comes to the instruction, which is no barrier: what
 * other lanes write is not there yet unless one is in between. */
static unsigned row_show(const void *row)
{
    if ((uintptr_t)row % 16)
        die("a row of ldmatrix that is not at a multiple of 16");
    return show(row, 16);
}

static const uint16_t *row_shown(unsigned turn, unsigned lane)
{
    return (const uint16_t *)shown(turn, lane);
}

void blocks_ldmatrix(uint32_t to[4], const void *row)
{
    unsigned lane = blocks_lane(), turn = row_show(row);
    for (unsigned i = 0; i < 4; i++)
        memcpy(&to[i], row_shown(turn, i * 8 + lane / 4) + lane % 4 * 2, sizeof to[i]);
}

void blocks_ldmatrix_trans(uint32_t to[4], const void *row)
{
    unsigned lane = blocks_lane(), turn = row_show(row);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t low = row_shown(turn, i * 8 + lane % 4 * 2)[lane / 4];
        uint32_t high = row_shown(turn, i * 8 + lane % 4 * 2 + 1)[lane / 4];
        to[i] = high << 16 | low;
    }
}

static void copy_make(const struct copy *c)
{
    if (c->from)
        memcpy(c->to, c->from, 16);
    else
        memset(c->to, 0, 16);
}

void blocks_copy16(void *to, const void *from, bool there)
{
    struct fiber *f = &the_block->fibers[the_block->now];
    const struct copy c = {to, there ? from : NULL, f->group};
    if ((uintptr_t)to % 16 || (there && (uintptr_t)from % 16))
        die("a copy of 16 bytes that is not at a multiple of 16");
    if (the_block->early) {
        copy_make(&c);
        return;
    }
    if (f->copy_count == f->copy_cap) {
        f->copy_cap = f->copy_cap ? 2 * f->copy_cap : 16;
        f->copies = (struct copy *)realloc(f->copies, f->copy_cap * sizeof *f->copies);
        if (!f->copies)
            abort();
    }
    f->copies[f->copy_count++] = c;
}

void blocks_copies_commit()
{
    the_block->fibers[the_block->now].group++;
}

void blocks_copies_wait(int left)
{
    struct fiber *f = &the_block->fibers[the_block->now];
    unsigned done = 0;
    for (; done < f->copy_count && f->copies[done].group + (unsigned)left < f->group;
         done++)
        copy_make(&f->copies[done]);
    f->copy_count -= done;
    memmove(f->copies, f->copies + done, f->copy_count * sizeof *f->copies);
}
