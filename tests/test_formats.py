"""Formats against an independent reader and writer: Debian's numpy, tifffile and PIL.

Files of every combination of sample type, channels, layout, byte order, codec, predictor and
orientation are written by tifffile, PIL or libtiff itself (`make`), decoded by pairmill
(`dump`) and compared pixel by pixel; what pairmill writes is read back here.
The two test programs do the C part when started with `serve`; their first comment has the commands.
Exit 0: all equal. 77: the tools are missing.
"""

import itertools
import os
import struct
import subprocess
import sys
import tempfile
import warnings
import zlib

try:
    import numpy as np
    import tifffile
    from PIL import Image
except ImportError as error:
    print("needs Debian's python3-numpy, python3-tifffile and python3-pil:", error)
    sys.exit(77)

BUILD = os.environ.get("BUILD", "build")
TIFF, PNG = (os.path.join(BUILD, "tests", name) for name in ("test_tiff", "test_png"))
DTYPES = {"u8": np.uint8, "u16": np.uint16, "f16": np.float16, "f32": np.float32}
RNG = np.random.default_rng(17)
done = failed = 0


class Helper:
    """A running `test_NAME serve`: a line in, a line out, with samples after either."""

    def __init__(self, program):
        self.process = subprocess.Popen([program, "serve"], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def ask(self, *words, payload=b""):
        self.process.stdin.write(" ".join(map(str, words)).encode() + b"\n" + payload)
        self.process.stdin.flush()
        return self.process.stdout.readline().decode().strip() or "error the helper died"

    def samples(self, n):
        return self.process.stdout.read(n)


HELPERS = {}


def helper(program):
    if program not in HELPERS:
        HELPERS[program] = Helper(program)
    return HELPERS[program]


def dump(program, path):
    """The pixels as pairmill reads them, [y][x][c], or its error as text; and the alpha flag."""
    line = helper(program).ask("dump", path)
    if line.startswith("error"):
        return line, None
    w, h, c, sample, alpha = line.split()
    shape, dtype = (int(h), int(w), int(c)), np.dtype(DTYPES[sample])
    raw = helper(program).samples(dtype.itemsize * shape[0] * shape[1] * shape[2])
    return np.frombuffer(raw, dtype).reshape(shape), int(alpha)


def bits(a):
    """Compared as bits: NaN payloads count too."""
    return np.ascontiguousarray(a).view(np.uint8)


def check(what, got, want, alpha=None, want_alpha=0):
    global done, failed
    done += 1
    if isinstance(got, str):
        why = got
    elif got.dtype != want.dtype or got.shape != want.shape:
        why = f"{got.dtype} {got.shape} instead of {want.dtype} {want.shape}"
    elif not np.array_equal(bits(got), bits(want)):
        why = f"{np.count_nonzero(bits(got) != bits(want))} bytes differ"
    elif alpha is not None and alpha != want_alpha:
        why = f"alpha_dropped {alpha} instead of {want_alpha}"
    else:
        return
    failed += 1
    print(f"FAIL {what}: {why}")


def noise(h, w, c, dtype):
    size = np.dtype(dtype).itemsize
    return RNG.integers(0, 256, (h, w, c * size), np.uint8).view(dtype)


def orient(a, orientation):
    """As TIFF 6.0 has it: what a viewer shows."""
    return {
        1: lambda: a,
        2: lambda: a[:, ::-1],
        3: lambda: a[::-1, ::-1],
        4: lambda: a[::-1],
        5: lambda: a.transpose(1, 0, 2),
        6: lambda: a.transpose(1, 0, 2)[:, ::-1],
        7: lambda: a.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda: a.transpose(1, 0, 2)[::-1],
    }[orientation]()


def channels_kept(samples):
    return samples if samples in (1, 3) else samples - 1


def by_tifffile(path):
    layouts = ({"rowsperstrip": 1}, {"rowsperstrip": 10}, {"rowsperstrip": 1000},
               {"tile": (16, 32)}, {"tile": (64, 64)})
    for dtype, samples, layout, planar, order, big, codec in itertools.product(
            DTYPES.values(), (1, 2, 3, 4), layouts, ("contig", "separate"), "<>", (False, True),
            (None, "zlib")):
        if samples == 1 and planar == "separate":
            continue
        if codec and "tile" not in layout and layout["rowsperstrip"] == 1:
            continue
        a = noise(45, 52, samples, dtype)
        predictor = codec is not None and dtype in (np.uint8, np.uint16) and order == "<"
        data = a if planar == "contig" else a.transpose(2, 0, 1)
        if samples == 1:
            data = a[..., 0]
        tifffile.imwrite(
            path, data, bigtiff=big, byteorder=order, compression=codec, predictor=predictor or None,
            photometric="rgb" if samples >= 3 else "minisblack", metadata=None,
            planarconfig=planar if samples > 1 else None,
            extrasamples=["unassalpha"] if samples in (2, 4) else None, **layout)
        what = f"tifffile {dtype.__name__} x{samples} {layout} {planar} {order} big={big} {codec}"
        got, alpha = dump(TIFF, path)
        check(what, got, a[..., :channels_kept(samples)], alpha, samples in (2, 4))


def make(path, a, **options):
    """A file by libtiff; a is [y][x][sample] as stored."""
    kinds = {"u": 1, "f": 3}
    h, w, spp = a.shape
    args = dict(w=w, h=h, spp=spp, bits=8 * a.dtype.itemsize, format=kinds[a.dtype.kind],
                photometric=2 if spp >= 3 else 1, extras=1 if spp in (2, 4) else 0)
    args.update(options)
    data = a.transpose(2, 0, 1) if args.get("planar") == 2 else a
    answer = helper(TIFF).ask("make", path, *(f"{k}={v}" for k, v in args.items()),
                              payload=np.ascontiguousarray(data).tobytes())
    assert answer == "ok", (answer, args)


CODECS = {"none": 1, "lzw": 5, "deflate": 8, "old-deflate": 32946, "packbits": 32773, "zstd": 50000}


def by_libtiff(path):
    layouts = ({"rps": 10}, {"rps": 45}, {"tile_w": 32, "tile_h": 16})
    for (codec, number), dtype, samples, layout, planar, bigendian in itertools.product(
            CODECS.items(), DTYPES.values(), (1, 3, 4), layouts, (1, 2), (0, 1)):
        if samples == 1 and planar == 2:
            continue
        predictors = [1]
        if codec not in ("none", "packbits"):
            predictors.append(3 if np.dtype(dtype).kind == "f" else 2)
        for predictor in predictors:
            if predictor == 3 and bigendian:
                continue  # see float_predictor()
            a = noise(45, 52, samples, dtype)
            make(path, a, compression=number, predictor=predictor, planar=planar,
                 bigendian=bigendian, big=bigendian, **layout)
            what = f"libtiff {codec} {dtype.__name__} x{samples} {layout} planar={planar} " \
                   f"predictor={predictor} bigendian={bigendian}"
            got, alpha = dump(TIFF, path)
            check(what, got, a[..., :channels_kept(samples)], alpha, samples == 4)


def orientations(path):
    for orientation, dtype, samples, planar, layout, number in itertools.product(
            range(1, 9), (np.uint8, np.uint16, np.float32), (1, 3, 4), (1, 2),
            ({"rps": 9}, {"tile_w": 16, "tile_h": 16}), (1, 5)):
        if samples == 1 and planar == 2:
            continue
        a = noise(37, 51, samples, dtype)
        make(path, a, orientation=orientation, planar=planar, compression=number, **layout)
        want = orient(a[..., :channels_kept(samples)], orientation)
        got, _ = dump(TIFF, path)
        check(f"orientation {orientation} {dtype.__name__} x{samples} {planar} {layout} {number}",
              got, want)


def odd_kinds(path):
    for dtype, samples, number, bigendian in itertools.product(
            (np.uint8, np.uint16), (1, 2), (1, 5), (0, 1)):
        a = noise(33, 70, samples, dtype)
        make(path, a, photometric=0, compression=number, bigendian=bigendian)
        check(f"white is zero {dtype.__name__} x{samples} {number}", dump(TIFF, path)[0],
              np.iinfo(dtype).max - a[..., :1])
    for samples in (5, 6, 16):
        a = noise(33, 40, samples, np.uint16)
        make(path, a, extras=samples - 3)
        got, alpha = dump(TIFF, path)
        check(f"{samples} samples", got, a[..., :3], alpha, 1)
    a = noise(33, 40, 3, np.uint8)
    for number in (1, 5, 8):  # bits of every byte reversed in the file
        make(path, a, fillorder=2, compression=number)
        check(f"fill order 2, codec {number}", dump(TIFF, path)[0], a)
    a = noise(3000, 1, 1, np.uint8)  # as narrow as can be
    make(path, a, rps=1)
    check("one column", dump(TIFF, path)[0], a)
    a = noise(1, 30000, 3, np.float32)  # a chunk of one row
    make(path, a, bigendian=1)
    check("one row", dump(TIFF, path)[0], a)
    pages = noise(2 * 20, 30, 3, np.uint16).reshape(2, 20, 30, 3)
    tifffile.imwrite(path, pages, photometric="rgb")
    check("two pages: the first", dump(TIFF, path)[0], pages[0])


def jpeg(path):
    """JPEG decoders agree to the bit only within one library: PIL uses the same one."""
    y, x = np.mgrid[0:64, 0:80]
    a = np.stack([(x * 3) % 256, (y * 4) % 256, (x + y) % 256], -1).astype(np.uint8)
    for layout, subsampling in itertools.product(
            ({"rps": 16}, {"rps": 64}, {"tile_w": 32, "tile_h": 32}), (1, 2)):
        make(path, a, compression=7, photometric=6, subsampling=subsampling, **layout)
        with Image.open(path) as image:
            want = np.asarray(image.convert("RGB"))
        check(f"JPEG YCbCr {layout} {subsampling}x", dump(TIFF, path)[0], want)
    make(path, a[..., :1], compression=7, rps=16)
    with Image.open(path) as image:
        want = np.asarray(image)[..., None]
    check("JPEG grey", dump(TIFF, path)[0], want)
    make(path, a, compression=7, rps=16)
    raw = open(path, "rb").read()
    with Image.open(path) as image:
        check("JPEG RGB", dump(TIFF, path)[0], np.asarray(image))
    middle = raw.index(b"\xff\xda") + 40  # inside the first scan
    open(path, "wb").write(raw[:middle] + b"\xff\xd9" * 20 + raw[middle + 40:])
    refused = dump(TIFF, path)[0]
    check("JPEG damaged inside", a if str(refused).startswith("error EFORMAT ") else "read", a)


def predict_float(a):
    """TIFF Technical Note 3, by its text: planes of bytes, most significant first, then differences."""
    h, w, c = a.shape
    size = a.dtype.itemsize
    planes = a.astype(a.dtype.newbyteorder(">")).view(np.uint8).reshape(h, w * c, size)
    rows = np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(h, w * c * size)
    rows[:, c:] -= rows[:, :-c].copy()
    return rows.tobytes()


def float_predictor(path):
    """Both byte orders, since libtiff 4.5 writes the big-endian one wrongly (but reads it rightly)."""
    for dtype, c, order in itertools.product((np.float16, np.float32), (1, 3), "<>"):
        a = noise(45, 52, c, dtype)
        strips = [zlib.compress(predict_float(a[y:y + 10])) for y in range(0, 45, 10)]
        tifffile.imwrite(path, iter(strips), shape=a.shape if c == 3 else a.shape[:2], dtype=dtype,
                         compression="zlib", byteorder=order, rowsperstrip=10, software=False,
                         photometric="rgb" if c == 3 else "minisblack", metadata=None)
        with tifffile.TiffFile(path) as file:
            at = file.pages[0].tags["ResolutionUnit"].offset
        with open(path, "r+b") as file:  # becomes Predictor 3, which tifffile cannot write alone
            file.seek(at)
            file.write(struct.pack(order + "HHIH", 317, 3, 1, 3))
        check(f"predictor 3 {order} {dtype.__name__} x{c}", dump(TIFF, path)[0], a)


def unpredict_float(raw, h, w, c, size):
    """TIFF Technical Note 3, undone by its text."""
    rows = np.frombuffer(raw, np.uint8).reshape(h, w * c * size).copy()
    for k in range(c, rows.shape[1]):
        rows[:, k] += rows[:, k - c]
    planes = rows.reshape(h, size, w * c)[:, ::-1]  # most significant byte first
    return np.ascontiguousarray(planes.transpose(0, 2, 1)).reshape(h, w, c * size)


def our_writer(path, out):
    for dtype, c, codec in itertools.product(DTYPES.values(), (1, 3), ("none", "deflate", "zstd")):
        a = noise(500, 900, c, dtype)
        tifffile.imwrite(path, a[..., 0] if c == 1 else a,
                         photometric="rgb" if c == 3 else "minisblack")
        x, y, w, h = 13, 7, 801, 490
        answer = helper(TIFF).ask("crop", path, x, y, w, h, codec, out)
        assert answer == "ok", answer
        want = a[y:y + h, x:x + w]
        what = f"written {codec} {dtype.__name__} x{c}"
        with tifffile.TiffFile(out) as file:
            page, size = file.pages[0], want.dtype.itemsize
            tags = (page.photometric.name, page.planarconfig.name, page.predictor)
            predictor = 1 if codec == "none" else 3 if want.dtype.kind == "f" else 2
            if tags != ("RGB" if c == 3 else "MINISBLACK", "CONTIG", predictor):
                check(what, f"tags {tags}", want)
            rows = page.rowsperstrip
            if codec == "none":
                got = page.asarray().reshape(h, w, c)
            elif codec == "deflate" and predictor == 3:
                blobs = [zlib.decompress(open(out, "rb").read()[o:o + n])
                         for o, n in zip(page.dataoffsets, page.databytecounts)]
                got = np.concatenate([
                    unpredict_float(blob, min(rows, h - i * rows), w, c, size)
                    for i, blob in enumerate(blobs)]).view(want.dtype)
            elif codec == "deflate":
                got = page.asarray().reshape(h, w, c)
            elif dtype == np.uint8 or (dtype == np.uint16 and c == 1):  # what PIL can read
                with Image.open(out) as image:
                    got = np.asarray(image).astype(want.dtype).reshape(h, w, c)
            else:
                got = dump(TIFF, out)[0]
            check(what, got, want)


def png_chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def write_png(path, a, color, depth=8, extra=b""):
    """Not interlaced, filter none; a: rows of bytes as stored."""
    h, w = a.shape[:2]
    rows = b"".join(b"\0" + np.ascontiguousarray(row).tobytes() for row in a)
    w = w if depth >= 8 else w * 8 // depth
    with open(path, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\n" + png_chunk(
            b"IHDR", struct.pack(">IIBBBBB", w, h, depth, color, 0, 0, 0)) + extra + png_chunk(
            b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))


def png(path):
    colors = {1: 0, 2: 4, 3: 2, 4: 6}
    for samples, dtype in itertools.product((1, 2, 3, 4), (np.uint8, np.uint16)):
        a = noise(45, 53, samples, dtype)
        write_png(path, a.astype(a.dtype.newbyteorder(">")), colors[samples], 8 * a.dtype.itemsize,
                  png_chunk(b"gAMA", struct.pack(">I", 45455)) + png_chunk(b"sRGB", b"\0"))
        got, alpha = dump(PNG, path)
        check(f"PNG {dtype.__name__} x{samples}", got, a[..., :channels_kept(samples)], alpha,
              samples in (2, 4))
    for depth in (1, 2, 4):
        a = noise(20, 12, 1, np.uint8)[..., 0]
        write_png(path, a, 0, depth)
        values = np.unpackbits(a, axis=1).reshape(20, -1, depth) @ (1 << np.arange(depth)[::-1])
        want = (values * 255 // (2**depth - 1)).astype(np.uint8)[..., None]
        check(f"PNG {depth}-bit grey", dump(PNG, path)[0], want)
    palette = noise(1, 200, 3, np.uint8)[0]
    index = RNG.integers(0, 200, (31, 47), np.uint8)
    for transparent in (b"", png_chunk(b"tRNS", bytes(range(100)))):
        write_png(path, index, 3, 8, png_chunk(b"PLTE", palette.tobytes()) + transparent)
        got, alpha = dump(PNG, path)
        check("PNG palette", got, palette[index], alpha, transparent != b"")
    a = noise(31, 47, 1, np.uint16)
    write_png(path, a.astype(">u2"), 0, 16, png_chunk(b"tRNS", b"\x12\x34"))
    check("PNG grey with a clear colour", dump(PNG, path)[0], a)


def png_interlaced(path):
    """Adam7, put together by hand, since PIL does not write it."""
    passes = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
              (0, 1, 1, 2))
    for (h, w), samples in itertools.product(((45, 53), (1, 1), (3, 2), (200, 300)), (1, 3, 4)):
        a = noise(h, w, samples, np.uint16)
        stored = a.astype(">u2")
        rows = b"".join(b"\0" + np.ascontiguousarray(row).tobytes()
                        for x, y, dx, dy in passes if x < w for row in stored[y::dy, x::dx])
        with open(path, "wb") as file:
            color = {1: 0, 3: 2, 4: 6}[samples]
            file.write(b"\x89PNG\r\n\x1a\n" + png_chunk(
                b"IHDR", struct.pack(">IIBBBBB", w, h, 16, color, 0, 0, 1)) + png_chunk(
                b"IDAT", zlib.compress(rows)) + png_chunk(b"IEND", b""))
        got, alpha = dump(PNG, path)
        check(f"PNG interlaced {w}x{h} x{samples}", got, a[..., :channels_kept(samples)], alpha,
              samples == 4)


def masks(path):
    for w, h, x0 in ((1, 1, 0), (64, 3, 0), (65, 3, 63), (500, 40, 0), (501, 40, 37), (70, 9, 5)):
        bits_ = RNG.integers(0, 2, (h, w), np.uint8)
        words = np.zeros((h, (x0 + w + 63) // 64 * 64), np.uint8)
        words[:, x0:x0 + w] = bits_
        packed = np.packbits(words, axis=1, bitorder="little").tobytes()
        answer = helper(PNG).ask("mask", path, x0, w, h, payload=packed)
        assert answer == "ok", answer
        with Image.open(path) as image:
            got = np.asarray(image)[..., None]
            mode = image.mode
        check(f"mask {w}x{h}+{x0} {mode}", got, (bits_ * 255)[..., None])


def main():
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="pm-test-formats-") as folder:
        tif, png_path = os.path.join(folder, "a.tif"), os.path.join(folder, "a.png")
        for part in (by_tifffile, by_libtiff, float_predictor, orientations, odd_kinds, jpeg):
            part(tif)
        our_writer(tif, os.path.join(folder, "b.tif"))
        for part in (png, png_interlaced, masks):
            part(png_path)
    print(f"{done} compared, {failed} differ")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
