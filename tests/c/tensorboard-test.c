/* tensorboard-test.c: event files read back, byte by byte, by rules of this file's own.
 */
#include "check.h"
#include "folder.h"
#include "train/tensorboard.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* By the polynomial's table, other than the module's loop over bits. */
static uint32_t masked_crc(const unsigned char *p, size_t n)
{
    uint32_t table[256], crc = 0xFFFFFFFFu;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int k = 0; k < 8; k++)
            table[i] = table[i] & 1 ? table[i] >> 1 ^ 0x82F63B78u : table[i] >> 1;
    }
    for (size_t i = 0; i < n; i++) crc = table[(crc ^ p[i]) & 255] ^ crc >> 8;
    crc = ~crc;
    return ((crc >> 15) | (crc << 17)) + 0xa282ead8u;
}

static uint64_t little(const unsigned char *p, int n)
{
    uint64_t x = 0;
    for (int i = n; i-- > 0;) x = x << 8 | p[i];
    return x;
}

/* The only event file of a folder. */
static unsigned char *events_of(const char *dir, size_t *n)
{
    char path[1024] = "";
    DIR *d = opendir(dir);
    struct dirent *e;
    while (d && (e = readdir(d)))
        if (strncmp(e->d_name, "events.out.tfevents.", 20) == 0)
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
    if (d)
        closedir(d);
    FILE *f = fopen(path, "rb");
    unsigned char *bytes = malloc(4096);
    *n = f ? fread(bytes, 1, 4096, f) : 0;
    if (f)
        fclose(f);
    return bytes;
}

/* The CRC of RFC 3720, B.4: 32 bytes of zeros are 0x8a9136aa, of ones 0x62a8ab43. */
static void the_check_itself_is_right(void)
{
    unsigned char zeros[32] = {0};
    uint32_t crc = 0x8a9136aau;
    CHECK(masked_crc(zeros, 32) == ((crc >> 15) | (crc << 17)) + 0xa282ead8u, "crc");
}

static void events_read_back(void)
{
    const char *dir = folder;
    struct tensorboard *t = tensorboard_open(dir);
    NEED(t, "no file");
    tensorboard_add(t, "loss", 0.5);
    tensorboard_add(t, "rewards/chosen", -2.25);
    CHECK(tensorboard_step(t, 300) == 0, "step");
    tensorboard_add(t, "loss", 0.25);
    CHECK(tensorboard_step(t, 301) == 0 && tensorboard_close(t) == 0, "step, close");
    size_t n, at = 0, records = 0;
    unsigned char *p = events_of(dir, &n);
    for (; at + 16 <= n; records++) {
        size_t len = (size_t)little(p + at, 8);
        NEED(at + 16 + len <= n, "record %zu is cut off", records);
        const unsigned char *event = p + at + 12;
        CHECK(little(p + at + 8, 4) == masked_crc(p + at, 8), "length's crc");
        CHECK(little(event + len, 4) == masked_crc(event, len), "payload's crc");
        CHECK(event[0] == 0x09, "no wall time");
        if (records == 0)
            CHECK(len == 24 && memcmp(event + 9,
                                      "\x1a\x0d"
                                      "brain.Event:2",
                                      15) == 0,
                  "version");
        if (records == 1) /* step 300 is 0xAC 0x02 */
            CHECK(len == 9 + 3 + 2 + 13 + 23 &&
                      memcmp(event + 9,
                             "\x10\xac\x02\x2a\x24"
                             "\x0a\x0b\x0a\x04loss\x15\x00\x00\x00\x3f"
                             "\x0a\x15\x0a\x0erewards/chosen\x15\x00\x00\x10\xc0",
                             41) == 0,
                  "event, %zu bytes", len);
        if (records == 2)
            CHECK(len == 9 + 3 + 2 + 13 && event[10] == 0xad, "next event");
        at += 16 + len;
    }
    CHECK(at == n && records == 3, "%zu records, %zu of %zu bytes", records, at, n);
    free(p);
}

static void a_folder_that_cannot_be_made_is_refused(void)
{
    CHECK(tensorboard_open("/dev/null/x") == NULL, "opened");
}

int main(void)
{
    if (folder_make() < 0)
        return 1;
    CASE(the_check_itself_is_right);
    CASE(events_read_back);
    CASE(a_folder_that_cannot_be_made_is_refused);
    return folder_remove(check_end());
}
