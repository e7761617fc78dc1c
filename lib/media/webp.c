/* webp.c: WebP files (RFC 9649) by libwebp: still pictures, and the first frame of
 * animations on their canvas. Alpha is dropped: colours come as stored. */
#include "base/fail.h"
#include "media/bytes.h"
#include "media/decode.h"
#include "media/exif.h"

#include <stdbool.h>
#include <string.h>
#include <webp/decode.h>
#include <webp/demux.h>

/* Orientation by EXIF, else by XMP; 0: neither. */
static int read_orientation(const WebPDemuxer *demux)
{
    WebPChunkIterator chunk;
    int found = 0;
    if (WebPDemuxGetChunk(demux, "EXIF", 1, &chunk)) {
        found = exif_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    if (!found && WebPDemuxGetChunk(demux, "XMP ", 1, &chunk)) {
        found = exif_xmp_orientation(chunk.chunk.bytes, chunk.chunk.size);
        WebPDemuxReleaseChunkIterator(&chunk);
    }
    return found;
}

/* Decode the frame onto the canvas (black where it does not reach). NULL, or what is
 * wrong. */
static const char *decode_frame(struct image *im, const WebPIterator *frame)
{
    WebPBitstreamFeatures features;
    const WebPData *data = &frame->fragment;
    if (WebPGetFeatures(data->bytes, data->size, &features) != VP8_STATUS_OK ||
        features.width != frame->width || features.height != frame->height ||
        frame->x_offset < 0 || frame->y_offset < 0 ||
        frame->width > im->width - frame->x_offset ||
        frame->height > im->height - frame->y_offset)
        return "damaged: a frame's size";
    int stride = 3 * im->width;
    size_t at = (size_t)frame->y_offset * (size_t)stride + 3 * (size_t)frame->x_offset;
    size_t size = (size_t)im->height * (size_t)stride;
    if (frame->width < im->width || frame->height < im->height)
        memset(im->rgb, 0, size);
    if (!WebPDecodeRGBInto(data->bytes, data->size, im->rgb + at, size - at, stride))
        return "truncated or damaged";
    return NULL;
}

/* A size that the first chunk says, before the rest is looked at: 0, or -1. */
static int check_size(const struct picture *file)
{
    WebPBitstreamFeatures features;
    bool extended = file->n >= 16 && memcmp(file->data + 12, "VP8X", 4) == 0;
    if (file->n < (extended ? 30 : 16))
        return picture_bad(file, "WebP", "truncated");
    if (WebPGetFeatures(file->data, file->n, &features) != VP8_STATUS_OK)
        return picture_bad(file, "WebP", "truncated or damaged header");
    if (extended)
        return picture_size(file, (int64_t)bytes_le24(file->data + 27) + 1,
                            (int64_t)bytes_le24(file->data + 24) + 1);
    return picture_size(file, features.height, features.width);
}

int webp_decode(struct image *im, int *orientation, const struct picture *file)
{
    if (check_size(file) < 0)
        return -1;
    if ((size_t)bytes_le32(file->data + 4) + 8 > file->n)
        return picture_bad(file, "WebP", "truncated");
    WebPData data = {file->data, file->n};
    WebPIterator frame;
    WebPDemuxer *demux = WebPDemux(&data);
    if (!demux)
        return picture_bad(file, "WebP", "truncated or damaged");
    int status = picture_new(im, file, WebPDemuxGetI(demux, WEBP_FF_CANVAS_HEIGHT),
                             WebPDemuxGetI(demux, WEBP_FF_CANVAS_WIDTH));
    if (status == 0) {
        const char *why = "no picture in it";
        if (WebPDemuxGetFrame(demux, 1, &frame)) {
            why = decode_frame(im, &frame);
            WebPDemuxReleaseIterator(&frame);
        }
        if (why)
            status = picture_bad(file, "WebP", why);
    }
    int found = read_orientation(demux);
    if (found)
        *orientation = found;
    WebPDemuxDelete(demux);
    return status;
}
