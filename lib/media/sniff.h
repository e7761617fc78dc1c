/* sniff.h: what a file is, by its first bytes. */
#ifndef SNIFF_H
#define SNIFF_H
#include <stddef.h>
#include <stdint.h>

/* The formats that are read; SNIFF_OTHER is everything else. */
enum sniff { SNIFF_OTHER, SNIFF_JPEG, SNIFF_PNG, SNIFF_BMP, SNIFF_GIF, SNIFF_WEBP };

enum sniff sniff(const uint8_t *data, size_t n);

/* For SNIFF_OTHER: what it is instead: "HTML, not a picture"; "empty file". */
const char *sniff_reason(const uint8_t *data, size_t n);
#endif
