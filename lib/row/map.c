/* map.c: cli_map(): rows in flight on several threads, written in input order.
 *
 * The calling thread reads rows into a ring of slots; workers take the oldest that waits;
 * whoever finishes the row whose turn it is writes it and those behind it.
 */
#include "row/cli_own.h"

#include <stdlib.h>

enum slot_state {
    SLOT_FREE,
    SLOT_READY,
    SLOT_BUSY,
    SLOT_DONE,
    SLOT_DROPPED, /* done, nothing to write */
    SLOT_ABANDONED,
};

struct slot {
    enum slot_state state;
    int64_t turn; /* the row's place in the input of this run */
    struct row row;
};

struct map {
    struct cli *cli;
    int (*work)(void *context, struct row *row);
    void *context;
    struct slot *slots;
    int count;
    int64_t turns;      /* given out so far */
    int64_t next;       /* the turn to be written next */
    bool writing;       /* somebody is */
    bool cut;           /* a row before was left undone: what follows is not written */
    bool over;          /* no more rows come */
    int free, ready;    /* slots in these states */
    int idle;           /* workers that wait for a row */
    pthread_t *threads; /* [workers], of which [started] run */
    int workers, started;
    pthread_mutex_t lock;
    pthread_cond_t more, freed;
};

/* A slot to be written now, or NULL. */
static struct slot *find_written(struct map *m)
{
    for (int i = 0; i < m->count; i++) {
        struct slot *s = &m->slots[i];
        if (s->state >= SLOT_DONE && (m->cli->own->unordered || s->turn == m->next))
            return s;
    }
    return NULL;
}

/* Write what is due. Called and returns with the lock held. */
static void write_due(struct map *m)
{
    struct cli_private *own = m->cli->own;
    struct slot *s;
    if (m->writing)
        return;
    m->writing = true;
    while ((s = find_written(m))) {
        if (s->state == SLOT_ABANDONED) {
            own->abandoned = true;
            m->cut = !own->unordered; /* a resumed run keeps input order */
        }
        if (s->state == SLOT_ABANDONED || m->cut) {
            row_free(&s->row);
        } else {
            pthread_mutex_unlock(&m->lock);
            rows_deliver(m->cli, &s->row, s->state == SLOT_DROPPED);
            pthread_mutex_lock(&m->lock);
        }
        s->state = SLOT_FREE;
        m->free++;
        m->next++;
    }
    /* Waking the reader for each slot would cost more than a short row's work: it sleeps
     * until it can fill half of the ring, or until a worker has nothing to do. */
    if (m->free >= m->count / 2 || m->ready == 0)
        pthread_cond_signal(&m->freed);
    m->writing = false;
}

/* The slot that waits longest for a worker, or NULL. */
static struct slot *find_ready(struct map *m)
{
    struct slot *oldest = NULL;
    for (int i = 0; i < m->count; i++) {
        struct slot *s = &m->slots[i];
        if (s->state == SLOT_READY && (!oldest || s->turn < oldest->turn))
            oldest = s;
    }
    return oldest;
}

static enum slot_state do_work(struct map *m, struct row *row)
{
    if (m->cli->own->stop != STOP_NOT)
        return SLOT_ABANDONED;
    int rc = m->work(m->context, row);
    if (rc == CLI_ABANDON)
        return SLOT_ABANDONED;
    if (rc < 0)
        row_fail(row);
    return rc == CLI_DROP ? SLOT_DROPPED : SLOT_DONE;
}

static void *worker(void *context)
{
    struct map *m = context;
    pthread_mutex_lock(&m->lock);
    for (;;) {
        struct slot *s = find_ready(m);
        if (!s) {
            if (m->over)
                break;
            m->idle++;
            pthread_cond_wait(&m->more, &m->lock);
            m->idle--;
            continue;
        }
        s->state = SLOT_BUSY;
        m->ready--;
        pthread_mutex_unlock(&m->lock);
        enum slot_state state = do_work(m, &s->row);
        pthread_mutex_lock(&m->lock);
        s->state = state;
        write_due(m);
    }
    pthread_mutex_unlock(&m->lock);
    return NULL;
}

/* An empty slot for the row to come; waits for one. */
static struct slot *wait_free(struct map *m)
{
    for (;;) {
        for (int i = 0; i < m->count; i++)
            if (m->slots[i].state == SLOT_FREE)
                return &m->slots[i];
        pthread_cond_wait(&m->freed, &m->lock);
    }
}

/* One more worker, if a row waits that none of those there will take soon. Most runs ask
 * for few rows, and a worker costs a thread. */
static void start_worker(struct map *m)
{
    if (m->ready > m->idle && m->started < m->workers &&
        pthread_create(&m->threads[m->started], NULL, worker, m) == 0)
        m->started++;
}

/* Read all rows into slots. */
static void feed_slots(struct map *m)
{
    int rc = 1;
    while (rc != 0) {
        pthread_mutex_lock(&m->lock);
        struct slot *s = wait_free(m);
        pthread_mutex_unlock(&m->lock);
        rc = rows_take(m->cli, &s->row); /* workers leave a free slot alone */
        pthread_mutex_lock(&m->lock);
        if (rc != 0) {
            s->turn = m->turns++;
            s->state = rc == 1 ? SLOT_READY : SLOT_DONE;
            m->free--;
            m->ready += rc == 1;
            if (rc != 1)
                write_due(m);
            else if (m->idle > 0)
                pthread_cond_signal(&m->more);
            start_worker(m);
        }
        pthread_mutex_unlock(&m->lock);
    }
}

/* One after the other, on this thread. */
static void map_here(struct map *m)
{
    struct row row;
    while (rows_next(m->cli, &row)) {
        enum slot_state state = do_work(m, &row);
        if (state != SLOT_ABANDONED) {
            rows_deliver(m->cli, &row, state == SLOT_DROPPED);
        } else {
            m->cli->own->abandoned = true;
            row_free(&row);
            break;
        }
    }
}

void cli_map(struct cli *cli, int workers, int (*work)(void *context, struct row *row),
             void *context)
{
    struct map m = {.cli = cli,
                    .work = work,
                    .context = context,
                    .count = 2 * workers,
                    .workers = workers};
    m.free = m.count;
    m.threads = workers > 1 ? calloc((size_t)workers, sizeof *m.threads) : NULL;
    m.slots = m.threads ? calloc((size_t)m.count, sizeof *m.slots) : NULL;
    pthread_mutex_init(&m.lock, NULL);
    pthread_cond_init(&m.more, NULL);
    pthread_cond_init(&m.freed, NULL);
    if (m.slots && pthread_create(&m.threads[0], NULL, worker, &m) == 0)
        m.started = 1;
    if (m.started > 0)
        feed_slots(&m);
    else
        map_here(&m); /* also where no thread can be had */
    pthread_mutex_lock(&m.lock);
    m.over = true;
    pthread_cond_broadcast(&m.more);
    pthread_mutex_unlock(&m.lock);
    for (int i = 0; i < m.started; i++) pthread_join(m.threads[i], NULL);
    pthread_mutex_destroy(&m.lock);
    pthread_cond_destroy(&m.more);
    pthread_cond_destroy(&m.freed);
    free(m.slots);
    free(m.threads);
}
