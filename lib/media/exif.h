/* exif.h: the one thing that we ask of a picture's EXIF and XMP data. */
#ifndef EXIF_H
#define EXIF_H
#include <stddef.h>
#include <stdint.h>

/* The orientation (1..8) that an EXIF block says, with or without "Exif\0\0" before its
 * TIFF header; 0 if it says none or is damaged. Reads data[0..n) only. */
int exif_orientation(const uint8_t *data, size_t n);

/* The same of an EXIF block in ImageMagick's text form: three line ends, among them the
 * block's name and length, then its bytes in hexadecimal digits. -1: memory. */
int exif_text_orientation(const char *text, size_t n);

/* The same of an XMP packet: its first tiff:Orientation. */
int exif_xmp_orientation(const uint8_t *data, size_t n);
#endif
