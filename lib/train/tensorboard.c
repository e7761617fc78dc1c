/* tensorboard.c: see tensorboard.h. A file is a list of TFRecords: u64 length, u32 masked
 * CRC32C of these 8 bytes, payload, u32 masked CRC32C of the payload, all little-endian;
 * the mask rotates right by 15 and adds 0xa282ead8
 * (tensorflow/core/lib/io/record_writer.h and lib/hash/crc32c.h). The payload is a
 * protobuf message, tensorflow.Event:
 *
 *     1 double wall_time, 2 int64 step, 3 string file_version (in the first record only),
 *     5 Summary { 1 Value { 1 string tag, 2 float simple_value } ... }
 */
#include "train/tensorboard.h"
#include "base/buf.h"
#include "base/fail.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct tensorboard {
    FILE *file;
    char path[PATH_MAX];
    struct buf values; /* of the step to come: fields of a Summary */
};

/* Castagnoli's polynomial, reflected. */
static uint32_t crc32c(const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    uint32_t crc = ~(uint32_t)0;
    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
    }
    return ~crc;
}

static void put_le(struct buf *b, uint64_t x, int bytes)
{
    for (int i = 0; i < bytes; i++) buf_char(b, (char)(x >> 8 * i & 0xFF));
}

static void put_crc(struct buf *b, const void *bytes, size_t n)
{
    uint32_t crc = crc32c(bytes, n);
    put_le(b, (crc >> 15 | crc << 17) + 0xa282ead8u, 4);
}

/* Protobuf: tag and length or value. */
static void put_varint(struct buf *b, uint64_t x)
{
    for (; x > 127; x >>= 7) buf_char(b, (char)((x & 127) | 128));
    buf_char(b, (char)x);
}

static void put_bytes(struct buf *b, int field, const void *bytes, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | 2);
    put_varint(b, n);
    buf_add(b, bytes, n);
}

static void put_double(struct buf *b, int field, double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_varint(b, (uint64_t)field << 3 | 1);
    put_le(b, bits, 8);
}

static void put_float(struct buf *b, int field, float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    put_varint(b, (uint64_t)field << 3 | 5);
    put_le(b, bits, 4);
}

static int failed(const struct tensorboard *t)
{
    return fail(FAIL_REFUSED, "%s: %s", t->path, strerror(errno));
}

static int record_write(struct tensorboard *t, const struct buf *event)
{
    struct buf b = {0};
    put_le(&b, event->len, 8);
    if (!b.bad)
        put_crc(&b, b.data, 8);
    buf_add(&b, event->data, event->len);
    put_crc(&b, event->data, event->len);
    int status = buf_ok(&b);
    if (status == 0 &&
        (fwrite(b.data, 1, b.len, t->file) != b.len || fflush(t->file) != 0))
        status = failed(t);
    buf_free(&b);
    return status;
}

static void event_begin(struct buf *event)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    put_double(event, 1, (double)now.tv_sec + 1e-9 * (double)now.tv_nsec);
}

static int begin(struct tensorboard *t, const char *dir)
{
    static const char version[] = "brain.Event:2";
    char host[256] = "localhost";
    struct buf event = {0};
    if (gethostname(host, sizeof host - 1) < 0)
        host[0] = '\0';
    if (snprintf(t->path, sizeof t->path, "%s/events.out.tfevents.%010lld.%s.%d", dir,
                 (long long)time(NULL), host, (int)getpid()) >= (int)sizeof t->path)
        return fail(FAIL_REFUSED, "%s: path too long", dir);
    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        return fail(FAIL_REFUSED, "%s: %s", dir, strerror(errno));
    if (!(t->file = fopen(t->path, "we")))
        return failed(t);
    event_begin(&event);
    put_bytes(&event, 3, version, sizeof version - 1);
    int status = buf_ok(&event);
    if (status == 0)
        status = record_write(t, &event);
    buf_free(&event);
    return status;
}

struct tensorboard *tensorboard_open(const char *dir)
{
    struct tensorboard *t = calloc(1, sizeof *t);
    if (!t) {
        fail_memory();
        return NULL;
    }
    if (begin(t, dir) < 0) {
        if (t->file)
            fclose(t->file);
        free(t);
        return NULL;
    }
    return t;
}

int tensorboard_add(struct tensorboard *t, const char *tag, double value)
{
    struct buf one = {0};
    put_bytes(&one, 1, tag, strlen(tag));
    put_float(&one, 2, (float)value);
    if (buf_ok(&one) == 0)
        put_bytes(&t->values, 1, one.data, one.len);
    buf_free(&one);
    return buf_ok(&t->values);
}

int tensorboard_step(struct tensorboard *t, int64_t step)
{
    struct buf event = {0};
    event_begin(&event);
    put_varint(&event, 2 << 3);
    put_varint(&event, (uint64_t)step);
    put_bytes(&event, 5, t->values.data, t->values.len);
    int status = buf_ok(&event);
    if (status == 0)
        status = record_write(t, &event);
    buf_free(&event);
    buf_clear(&t->values);
    return status;
}

int tensorboard_close(struct tensorboard *t)
{
    if (!t)
        return 0;
    int status = fclose(t->file) != 0 ? failed(t) : 0;
    buf_free(&t->values);
    free(t);
    return status;
}
