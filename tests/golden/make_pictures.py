"""Makes the small pictures in tests/corpora/{jpeg,png,bmp} and the values that MindSpore computes of them.

    python3 tests/golden/make_pictures.py        (with mindspore and pillow)

tests/golden/pictures/decoded.txt: path, height, width, CRC-32 of MindSpore's Decode as bytes [h,w,3], or "refused".
tests/golden/pictures/resized.txt: transforms, height, width, channels of a picture whose bytes are a formula (see
picture()), shape and CRC-32 of the result.
"""

import io
import pathlib
import struct
import zlib

import mindspore.dataset.vision as vision
import numpy as np
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parent.parent
CORPORA = ROOT / "corpora"


def picture(height, width, channels):
    i = np.arange(height * width * channels, dtype=np.uint64)
    return ((i * i * 31 + i * 7 + 13) // 8).astype(np.uint8).reshape(height, width, channels)


def smooth(height, width, channels, seed):
    noise = np.random.default_rng(seed).integers(0, 256, (5, 6, channels)).astype(np.uint8)
    planes = [Image.fromarray(noise[..., c]).resize((width, height), Image.BICUBIC) for c in range(channels)]
    return np.dstack([np.array(p) for p in planes])


def save(folder, name, content):
    (CORPORA / folder).mkdir(exist_ok=True)
    (CORPORA / folder / name).write_bytes(content)


def encoded(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def jpegs():
    rgb = Image.fromarray(smooth(19, 27, 3, 1))
    save("jpeg", "plain.jpg", encoded(rgb, "JPEG", quality=90))
    for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
        save("jpeg", f"sampling_{name}.jpg", encoded(rgb, "JPEG", subsampling=sampling))
    save("jpeg", "progressive.jpg", encoded(rgb, "JPEG", progressive=True))
    save("jpeg", "optimized.jpg", encoded(rgb, "JPEG", optimize=True))
    save("jpeg", "restarts.jpg", encoded(rgb, "JPEG", restart_marker_blocks=2))
    save("jpeg", "grey.jpg", encoded(rgb.convert("L"), "JPEG"))
    save("jpeg", "one_pixel.jpg", encoded(rgb.crop((3, 3, 4, 4)), "JPEG"))
    exif = Image.Exif()
    exif[274] = 6  # turn by 90 degrees
    save("jpeg", "turned.jpg", encoded(rgb, "JPEG", exif=exif))
    cmyk = encoded(Image.fromarray(smooth(19, 27, 4, 2), "CMYK"), "JPEG", quality=95)
    adobe = cmyk.find(b"Adobe")
    save("jpeg", "cmyk.jpg", cmyk)
    save("jpeg", "cmyk_not_inverted.jpg", cmyk[: adobe - 4] + cmyk[adobe + 12 :])
    save("jpeg", "ycck.jpg", cmyk[: adobe + 11] + b"\2" + cmyk[adobe + 12 :])
    plain = encoded(rgb, "JPEG", quality=90)
    save("jpeg", "no_end.jpg", plain[:-2])
    save("jpeg", "more_behind.jpg", plain + b"more")
    save("jpeg", "zeros_before_end.jpg", plain[:-2] + bytes(30) + plain[-2:])


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(values, colour, depth, extra=b""):
    """values: [h, w or w*channels] of integers; depth 8 or 16."""
    height, width = values.shape[0], values.shape[1] // {0: 1, 2: 3, 4: 2, 6: 4}[colour]
    kind = ">u2" if depth == 16 else "u1"
    lines = b"".join(b"\0" + line.astype(kind).tobytes() for line in values)
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + extra + chunk(b"IDAT", zlib.compress(lines))
            + chunk(b"IEND", b""))


def interlaced(pixels):
    """8-bit RGB in the seven passes of Adam7."""
    height, width = pixels.shape[:2]
    lines = b""
    for y0, x0, dy, dx in ((0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)):
        part = pixels[y0::dy, x0::dx]
        if part.size:
            lines += b"".join(b"\0" + line.tobytes() for line in part)
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")


def pngs():
    rng = np.random.default_rng(3)
    rgb = smooth(11, 13, 3, 4)
    image = Image.fromarray(rgb)
    alpha = rng.integers(0, 256, (11, 13, 1)).astype(np.uint8)
    save("png", "rgb.png", encoded(image, "PNG"))
    save("png", "grey.png", encoded(image.convert("L"), "PNG"))
    save("png", "rgba.png", encoded(Image.fromarray(np.dstack([rgb, alpha])), "PNG"))
    save("png", "grey_alpha.png", encoded(Image.fromarray(np.dstack([rgb[..., :1], alpha]), "LA"), "PNG"))
    save("png", "one_bit.png", encoded(image.convert("1"), "PNG"))
    save("png", "palette.png", encoded(image.quantize(40), "PNG"))
    save("png", "palette_2bit.png", encoded(image.quantize(4), "PNG", bits=2))
    save("png", "palette_transparent.png", encoded(image.quantize(40), "PNG", transparency=5))
    deep = rng.integers(0, 65536, (11, 39)).astype(np.uint16)
    save("png", "rgb_16bit.png", png(deep, 2, 16))
    save("png", "grey_16bit.png", png(deep, 0, 16))
    save("png", "rgba_16bit.png", png(deep[:, :36], 6, 16))
    save("png", "gamma.png", png(deep >> 8, 2, 8, chunk(b"gAMA", struct.pack(">I", 100000))))
    save("png", "interlaced.png", interlaced(rgb))
    save("png", "one_pixel.png", encoded(image.crop((0, 0, 1, 1)), "PNG"))


def bmps():
    rgb = smooth(11, 13, 3, 5)
    image = Image.fromarray(rgb)
    save("bmp", "rgb.bmp", encoded(image, "BMP"))
    save("bmp", "grey.bmp", encoded(image.convert("L"), "BMP"))
    save("bmp", "palette.bmp", encoded(image.quantize(200), "BMP"))
    save("bmp", "one_bit.bmp", encoded(image.convert("1"), "BMP"))
    save("bmp", "rgba.bmp", encoded(image.convert("RGBA"), "BMP"))
    bottom_up = bytearray(encoded(image, "BMP"))
    bottom_up[22:26] = struct.pack("<i", -11)
    save("bmp", "top_down.bmp", bytes(bottom_up))

    def bmp(bits, lines, width, palette=b"", compression=0, masks=b""):
        content = b"".join(line + bytes(-len(line) % 4) for line in lines)
        head = struct.pack("<IiiHHIIiiII", 40, width, len(lines), 1, bits, compression, len(content), 0, 0,
                           len(palette) // 4, 0) + masks + palette
        return b"BM" + struct.pack("<IHHI", 14 + len(head) + len(content), 0, 0, 14 + len(head)) + head + content

    rng = np.random.default_rng(6)
    palette = rng.integers(0, 256, 64).astype(np.uint8).tobytes()
    save("bmp", "palette_4bit.bmp", bmp(4, [rng.integers(0, 256, 4).astype(np.uint8).tobytes() for _ in range(5)], 7, palette))
    words = [rng.integers(0, 65536, 7).astype("<u2").tobytes() for _ in range(5)]
    save("bmp", "rgb_555.bmp", bmp(16, words, 7))
    save("bmp", "rgb_565.bmp", bmp(16, words, 7, compression=3, masks=struct.pack("<III", 0xF800, 0x7E0, 0x1F)))
    lines = [rng.integers(0, 256, 21).astype(np.uint8).tobytes() for _ in range(5)]
    content = b"".join(line + bytes(-len(line) % 4) for line in lines)
    save("bmp", "os2.bmp", b"BM" + struct.pack("<IHHIIHHHH", 26 + len(content), 0, 0, 26, 12, 7, 5, 1, 24) + content)
    save("bmp", "rle8.bmp", bmp(8, [b"\5\1\0\0\0\1"], 5, palette, compression=1))


def decoded():
    lines = []
    for folder in ("jpeg", "png", "bmp"):
        for path in sorted((CORPORA / folder).iterdir()):
            try:
                out = vision.Decode()(np.fromfile(path, dtype=np.uint8))
            except RuntimeError:
                lines.append(f"{folder}/{path.name} refused")
                continue
            lines.append(f"{folder}/{path.name} {out.shape[0]} {out.shape[1]} {zlib.crc32(out.tobytes()):08x}")
    return lines


def resized():
    lines = []

    def add(text, op, shape):
        out = op(picture(*shape))
        out = out if out.ndim == 3 else out[..., None]
        size = " ".join(map(str, out.shape))
        lines.append(f"{text} {' '.join(map(str, shape))} {size} {zlib.crc32(np.ascontiguousarray(out).tobytes()):08x}")

    modes = {"linear": vision.Inter.LINEAR, "nearest": vision.Inter.NEAREST, "cubic": vision.Inter.CUBIC,
             "area": vision.Inter.AREA}
    shapes = [(28, 28, 1), (32, 32, 3), (37, 53, 3), (64, 48, 1), (100, 77, 3), (1, 1, 3), (1, 9, 3), (7, 1, 1),
              (120, 160, 3), (33, 33, 1), (41, 59, 3), (60, 40, 4)]
    sizes = [(14, 14), (16, 16), (32, 32), (20, 40), (60, 60), (13, 17), (224, 224), (1, 1), (64, 24), (30, 20), 20, 57]
    for shape in shapes:
        for size in sizes:
            for name, mode in modes.items():
                text = f"{size[0]},{size[1]}" if isinstance(size, tuple) else str(size)
                if isinstance(size, int) and max(shape[:2]) / min(shape[:2]) * size > 900:
                    continue
                add(f"resize({text},{name})", vision.Resize(size, mode), shape)
        for size in (1, 2, 5, 28, 31, (40, 20), (20, 40), (33, 34)):
            text = f"{size[0]},{size[1]}" if isinstance(size, tuple) else str(size)
            try:
                add(f"center_crop({text})", vision.CenterCrop(size), shape)
            except RuntimeError:
                pass  # MindSpore refuses to pad a picture by more than its threefold
    # The longer side in float, cut.
    rng = np.random.default_rng(7)
    for _ in range(300):
        height, width = (int(v) for v in rng.integers(1, 400, 2))
        size = int(min(height, width) * rng.integers(1, 3))
        if height != width and max(height, width) * size / min(height, width) < 900:
            add(f"resize({size},nearest)", vision.Resize(size, vision.Inter.NEAREST), (height, width, 1))
    return lines


if __name__ == "__main__":
    jpegs()
    pngs()
    bmps()
    folder = ROOT / "golden" / "pictures"
    folder.mkdir(exist_ok=True)
    (folder / "decoded.txt").write_text("\n".join(decoded()) + "\n")
    (folder / "resized.txt").write_text("\n".join(resized()) + "\n")
