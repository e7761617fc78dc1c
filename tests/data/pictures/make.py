"""Makes the pictures of this folder, and beside each NAME the file NAME.ppm: what Pillow's
exif_transpose() and convert("RGB") give for it, a transparent colour that is then left
laid over white (as transformers' convert_to_rgb() does). Run with Pillow 11.3; the results are
kept, so this is only needed to add a picture."""
import io, struct, zlib
import numpy as np
from PIL import Image, ImageOps

W, H = 29, 19
y, x = np.mgrid[0:H, 0:W].astype(float)
photo = np.stack([128 + 100 * np.sin(x / 4 + y / 7), 255 * x / W, 255 * y / H * (1 - x / W / 2)], 2)
photo[4:9, 5:14] = [250, 20, 30]
photo[10:14, 16:25] = [10, 200, 250]
photo = photo.clip(0, 255).astype(np.uint8)
rgb = Image.fromarray(photo)
gray = rgb.convert("L")
p = rgb.quantize(60)
alpha = rgb.copy()
alpha.putalpha(Image.fromarray((x * 255 / W).astype(np.uint8)))


def keep(name, data, expect=None):
    open(name, "wb").write(data)
    im = expect or ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    if "transparency" in im.info:
        im = im.convert("RGBA")
        im = Image.alpha_composite(Image.new("RGBA", im.size, "white"), im).convert("RGB")
    im.save(name + ".ppm")


def save(name, im, fmt, **options):
    out = io.BytesIO()
    im.save(out, fmt, **options)
    keep(name, out.getvalue())
    return out.getvalue()


def orientation(n, big=False):
    e = ">" if big else "<"
    return b"Exif\0\0" + (b"MM\0*" if big else b"II*\0") + struct.pack(
        e + "IHHHIHHI", 8, 1, 0x112, 3, 1, n, 0, 0)


# JPEG
for n in range(1, 9):
    save(f"exif{n}.jpg", rgb, "JPEG", quality=85, exif=orientation(n, n % 2 == 0))
save("exif9.jpg", rgb, "JPEG", exif=orientation(9))
for name, sub in (("444", 0), ("422", 1), ("420", 2), ("411", "4:1:1")):
    save(f"j{name}.jpg", rgb, "JPEG", quality=90, subsampling=sub)
save("progressive.jpg", rgb, "JPEG", progressive=True)
save("restart.jpg", rgb, "JPEG", restart_marker_blocks=1)
save("keep_rgb.jpg", rgb, "JPEG", keep_rgb=True)
save("cmyk.jpg", rgb.convert("CMYK"), "JPEG")
save("gray.jpg", gray, "JPEG")
xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="6"/></x:xmpmeta>'
save("xmp6.jpg", rgb, "JPEG", xmp=xmp)
# stray bytes before a marker: libjpeg warns, nothing is lost
j = save("plain.jpg", rgb, "JPEG")
cut = j.index(b"\xff\xda")
keep("stray.jpg", j[:cut] + b"\x11\x22\x33" + j[cut:], Image.open("plain.jpg").convert("RGB"))
keep("tail.jpg", j + b"something behind the end")

# What Pillow cannot write comes from libjpeg itself and lies here: YCCK, arithmetic coding,
# odd sampling factors
for name in ("ycck.jpg", "arithmetic.jpg", "j440.jpg", "j421.jpg"):
    keep(name, open(name, "rb").read())

# PNG
def chunk(t, d):
    return struct.pack(">I", len(d)) + t + d + struct.pack(">I", zlib.crc32(t + d))

def png(w, h, depth, colour, rows, *more, split=0, interlace=0):
    z = zlib.compress(rows)
    parts = [z[i:i + split] for i in range(0, len(z), split)] if split else [z]
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, depth, colour, 0, 0, interlace))
            + b"".join(more) + b"".join(chunk(b"IDAT", c) for c in parts) + chunk(b"IEND", b""))

def pack(a, depth):
    rows = []
    for row in a:
        bits = "".join(format(int(v), f"0{depth}b") for v in row)
        bits += "0" * (-len(bits) % 8)
        rows.append(b"\0" + bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8)))
    return b"".join(rows)

g = np.asarray(gray)
for depth in (1, 2, 4, 8):
    keep(f"gray{depth}.png", png(W, H, depth, 0, pack(g >> (8 - depth), depth), split=7))
g16 = (g.astype(int) * 3)
keep("gray16.png", png(W, H, 16, 0, b"".join(b"\0" + r.astype(">u2").tobytes() for r in g16)))
rgb16 = photo.astype(np.uint16) * 257 ^ 0x55
keep("rgb16.png", png(W, H, 16, 2, b"".join(b"\0" + r.astype(">u2").tobytes() for r in rgb16)))
ga16 = np.stack([g, 255 - g], 2).astype(np.uint16) * 257 ^ 0x33
keep("gray_alpha16.png", png(W, H, 16, 4, b"".join(b"\0" + r.astype(">u2").tobytes() for r in ga16)))
rgba16 = np.dstack([photo, g]).astype(np.uint16) * 257 ^ 0x0f
keep("rgba16.png", png(W, H, 16, 6, b"".join(b"\0" + r.astype(">u2").tobytes() for r in rgba16)))
keep("key.png", png(W, H, 8, 2, b"".join(b"\0" + r.tobytes() for r in photo),
                    chunk(b"tRNS", struct.pack(">HHH", 250, 20, 30))))
save("rgba.png", alpha, "PNG")
save("palette.png", p, "PNG")
pal = np.asarray(p)
table = bytes(p.getpalette()[:180])
for depth in (1, 2, 4):
    keep(f"palette{depth}.png", png(W, H, depth, 3, pack(pal % (1 << depth), depth), chunk(b"PLTE", table[:3 << depth])))
# graded transparency of a palette is dropped
keep("palette_alpha.png", png(W, H, 8, 3, pack(pal, 8), chunk(b"PLTE", table), chunk(b"tRNS", bytes(range(0, 240, 5)))))
keep("palette_short.png", png(W, H, 8, 3, pack(pal, 8), chunk(b"PLTE", table[:60])))
save("exif6.png", rgb, "PNG", exif=orientation(6))
late = save("plain.png", rgb, "PNG")
keep("exif_late.png", late[:-12] + chunk(b"eXIf", orientation(8)[6:]) + late[-12:])


def profile(n):  # EXIF as ImageMagick writes it
    block = orientation(n)
    digits = block.hex()
    lines = "\n".join(digits[i:i + 72] for i in range(0, len(digits), 72))
    return f"\nexif\n{len(block):8}\n{lines}\n".encode()

head = late[:33]  # signature and IHDR
keyword = b"Raw profile type exif\0"
keep("exif_text.png", head + chunk(b"tEXt", keyword + profile(6)) + late[33:])
keep("exif_ztext.png", head + chunk(b"tEXt", b"Comment\0x") + late[33:-12] +
     chunk(b"zTXt", keyword + b"\0" + zlib.compress(profile(5))) + late[-12:])

def interlaced(a, depth, colour):
    rows = b""
    for y0, x0, dy, dx in ((0,0,8,8),(0,4,8,8),(4,0,8,4),(0,2,4,4),(2,0,4,2),(0,1,2,2),(1,0,2,1)):
        part = a[y0::dy, x0::dx]
        if part.size:
            rows += pack(part, depth) if a.ndim == 2 else b"".join(b"\0" + r.tobytes() for r in part)
    return png(a.shape[1], a.shape[0], depth, colour, rows, interlace=1)

keep("interlaced.png", interlaced(photo, 8, 2))
keep("interlaced1.png", interlaced(g >> 7, 1, 0))
keep("interlaced_thin.png", interlaced((g >> 7)[:, :8], 1, 0))
frames = [rgb, rgb.transpose(Image.Transpose.ROTATE_180)]
save("animated.png", frames[0], "PNG", save_all=True, append_images=frames[1:])

# BMP
save("rgb.bmp", rgb, "BMP")
save("gray.bmp", gray, "BMP")
save("palette.bmp", p, "BMP")
save("one_bit.bmp", gray.convert("1"), "BMP")
save("rgba.bmp", alpha, "BMP")

def bmp(bits, rows, height=H, compression=0, extra=b"", head=40, stride=True, used=0):
    data = b"".join(r + b"\0" * (-len(r) % 4) for r in rows) if stride else rows
    at = 14 + head + len(extra)
    return (b"BM" + struct.pack("<IHHI", at + len(data), 0, 0, at)
            + struct.pack("<IiiHHIIiiII", head, W, height, 1, bits, compression, len(data), 2835, 2835, used, 0)
            + b"\0" * (head - 40) + extra + data)

bgr = photo[..., ::-1]
keep("top_down.bmp", bmp(24, [r.tobytes() for r in bgr], -H))
v = photo.astype(np.uint16) >> 3
five = (v[..., 0] << 10 | v[..., 1] << 5 | v[..., 2]).astype("<u2")
keep("rgb555.bmp", bmp(16, [r.tobytes() for r in five[::-1]]))
six = ((v[..., 0] << 11) | ((photo[..., 1].astype(np.uint16) >> 2) << 5) | v[..., 2]).astype("<u2")
keep("rgb565.bmp", bmp(16, [r.tobytes() for r in six[::-1]], compression=3, extra=struct.pack("<III", 0xF800, 0x7E0, 0x1F)))
bgrx = np.dstack([bgr, g])
keep("rgbx.bmp", bmp(32, [r.tobytes() for r in bgrx[::-1]]))
four = b"".join(table[3 * i:3 * i + 3][::-1] + b"\0" for i in range(16))
nib = pal % 16
keep("four_bits.bmp", bmp(4, [pack(r[None], 4)[1:] for r in nib[::-1]], extra=four))

def rle(a, four_bits):
    out = b""
    for row in a:
        i = 0
        while i < len(row):
            n = 1
            while i + n < len(row) and row[i + n] == row[i] and n < 255:
                n += 1
            if n == 1 and i + 3 <= len(row):  # three as they are
                r = [int(v) for v in row[i:i + 3]]
                out += b"\0\3" + (bytes([r[0] << 4 | r[1], r[2] << 4]) if four_bits else bytes(r) + b"\0")
                i += 3
                continue
            out += bytes([n, int(row[i]) * 17 if four_bits else int(row[i])])
            i += n
        out += b"\0\0"
    return out + b"\0\1"

full = b"".join(table[3 * i:3 * i + 3][::-1] + b"\0" for i in range(60)) + b"\0" * 196 * 4
keep("short_palette.bmp", bmp(8, [r.tobytes() for r in pal[::-1]], extra=full[:80], used=20))
keep("rle8.bmp", bmp(8, rle(pal[::-1], False), compression=1, extra=full, stride=False))
# (Pillow's reader loses the last of an odd count of pixels here)
keep("rle4.bmp", bmp(4, rle(nib[::-1], True), compression=2, extra=four, stride=False),
     Image.open("four_bits.bmp").convert("RGB"))
os2 = struct.pack("<IHHHH", 12, W, H, 1, 24)
data = b"".join(r.tobytes() + b"\0" * (-3 * W % 4) for r in bgr[::-1])
keep("os2.bmp", b"BM" + struct.pack("<IHHI", 26 + len(data), 0, 0, 26) + os2 + data)

# GIF
save("palette.gif", p, "GIF", interlace=0)
save("interlaced.gif", p, "GIF", interlace=1)
save("transparent.gif", p, "GIF", transparency=3)
save("animated.gif", p, "GIF", save_all=True, append_images=[p.transpose(Image.Transpose.ROTATE_180)], duration=100)
one = save("plain.gif", p, "GIF")
bare = one[:10] + b"\0\0\0" + one[13 + 3 * 64:]  # without its palette
keep("no_palette.gif", bare)
keep("short_palette.gif", one[:10] + b"\x84" + one[11:13 + 3 * 32] + one[13 + 3 * 64:])
i = one.index(b"\x2c", 13 + 3 * 64)
keep("inset.gif", one[:6] + struct.pack("<HH", W + 9, H + 4) + one[10:i] + b"\x2c" + struct.pack("<HH", 6, 3) + one[i + 5:])
keep("outgrown.gif", one[:6] + struct.pack("<HH", 5, 4) + one[10:])

# WebP
save("lossy.webp", rgb, "WEBP", quality=80)
save("lossless.webp", rgb, "WEBP", lossless=True)
save("alpha.webp", alpha, "WEBP", lossless=True, exact=True)
save("alpha_lossy.webp", alpha, "WEBP", quality=70)
save("exif6.webp", rgb, "WEBP", exif=orientation(6))
save("exif3_bare.webp", rgb, "WEBP", exif=orientation(3)[6:])
save("xmp8.webp", rgb, "WEBP", xmp=xmp.replace(b'"6"', b'"8"'))
save("animated.webp", frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
