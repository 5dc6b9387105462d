"""Hard pairs with a known shift, made from real photographs, for tests/bench/hard_suite.py,
tests/test_hard.py and tests/test_align_properties.py.

A pair is wholly given by (case, noise, photograph, seed): make() draws everything else from these
four, so any pair of a report can be made again alone.

Sign: gt[y+dy, x+dx] = gain * (clean target)[y, x]. See make_pairs.py for light and noise.
"""

import io
import os
import zlib

import make_pairs
import numpy as np

# Photographs of Debian packages; the folder is theirs below /usr/share/backgrounds. Not listed:
# drawings, rendered curves and flat shapes (every picture of ukui-wallpapers is one, and so are
# Fossa, Infinite-Sea, Painting-Colors and umang), mate/abstract, and all .png.
PHOTOS = {
    "lomiri-wallpapers-16.04, -20.04": make_pairs.PHOTOS + make_pairs.WEAK,
    "mate-backgrounds": tuple(
        "mate/nature/%s.jpg" % name
        for name in (
            "Aqua",
            "Blinds",
            "Dune",
            "FreshFlower",
            "Garden",
            "GreenMeadow",
            "LadyBird",
            "RainDrops",
            "Storm",
            "TwoWings",
            "Wood",
            "YellowFlower",
        )
    ),
}
# Small ones of other packages, for a last judgement on photographs that nobody has set a threshold by
# or looked at before: too small for the large pairs of the usual run. Absolute paths.
SKIMAGE = "/usr/lib/python3/dist-packages/skimage/data/"
BACKSTRETCH = "/usr/share/doc/libjs-jquery-backstretch/examples/"
FRESH = {
    "python3-skimage": tuple(
        SKIMAGE + name
        for name in ("astronaut.png", "brick.png", "camera.png", "cell.png", "grass.png",
                     "gravel.png", "hubble_deep_field.jpg", "ihc.png", "moon.png",
                     "motorcycle_left.png", "retina.jpg", "rocket.jpg")
    ),
    "libjs-jquery-backstretch": tuple(
        BACKSTRETCH + name
        for name in ("coffee.jpg", "dome.jpg", "pot-holder.jpg", "sample1_1920.jpg",
                     "sample2_1920.jpg")
    ),
}
# Boards, mesh, ribs, blades of grass, cables: photographs that repeat themselves.
REPEATING = ("friends_", "greentock_", "Blinds", "Wood", "GreenMeadow", "Bridge_", "brick.", "grass.",
             "gravel.", "pot-holder.", "sample2_")
# Much sky, wall or blur.
SKY = ("Bridge_", "free_", "Storm", "Dune", "aitzgorri_", "sunset_", "Aqua", "seeding_", "TwoWings",
       "retina.", "rocket.", "moon.", "camera.", "hubble_", "dome.", "coffee.")

NOISES = ("none", "medium", "heavy", "veryheavy")
SIZE = (640, 480)  # w, h; 0.3 MP, so that a full-range brute force stays affordable
PRIMES = (617, 601, 521, 463, 431, 409, 379, 353, 317, 281, 251, 211, 199, 181, 163, 149)
BLUR_PX = 64  # margin around a scene for what filters and rotations reach
PEDESTAL = 0.1  # keeps a pattern's dark side off 0
SUB_PX = 0.45  # beyond half a pixel the next whole shift would be the nearest


def photos(chosen="usual"):
    """Installed ones, as paths, in the order of PHOTOS: all of these ("usual"), one half of them
    ("tuned", "heldout"), or the FRESH ones."""
    folder = os.environ.get("PAIRMILL_FRESH_PHOTOS")
    if chosen == "fresh":
        found = [p for names in FRESH.values() for p in names]
        if folder:
            found = [os.path.join(folder, os.path.basename(p)) for p in found]
    else:
        found = [os.path.join(make_pairs.PHOTO_DIR, n) for names in PHOTOS.values() for n in names]
    if chosen in ("tuned", "heldout"):
        found = [p for p in found if held_out(p) == (chosen == "heldout")]
    return [path for path in found if os.path.exists(path)]


def short_name(path):
    return os.path.splitext(os.path.basename(path))[0].split("_by_")[0]


def held_out(path):
    """Half of the photographs, by a hash of the name: thresholds are never set on these."""
    return zlib.crc32(short_name(path).encode()) & 1 == 1


def matches(path, parts):
    return any(os.path.basename(path).startswith(part) for part in parts)


def window(path, w, h, rng, want="most", tries=6):
    """A w x h piece of a photograph, linear light: of some random ones that with the most (or the
    least) texture."""
    pixels = make_pairs.load_photo(path)
    room_y, room_x = pixels.shape[0] - h, pixels.shape[1] - w
    if room_y < 0 or room_x < 0:
        raise ValueError("%s is smaller than %dx%d" % (path, w, h))
    spots = [(int(rng.integers(room_y + 1)), int(rng.integers(room_x + 1))) for _ in range(tries)]
    pieces = [pixels[y : y + h, x : x + w] for y, x in spots]
    pick = max if want == "most" else min
    return make_pairs.linear(pick(pieces, key=make_pairs.texture))


class Draft:
    """A pair being made: two windows of one scene as float light, and how to finish them."""

    def __init__(self, path, seed_parts, max_shift, size):
        self.rng = np.random.default_rng(seed_parts)
        self.path, self.max_shift = path, max_shift
        self.w, self.h = size
        self.dy, self.dx = (int(v) for v in self.rng.integers(-max_shift, max_shift + 1, 2))
        self.gain = float(2.0 ** self.rng.uniform(-2, 2))
        self.dtype, self.grey, self.mosaic, self.jpeg = "u16", False, False, False
        self.want = "most"
        self.scene = self.gt = self.target = None
        self.clip_at = None  # light at which both sensors saturate
        self.pattern = None  # what the sensor adds to both
        self.broken = False  # some samples are not finite
        self.answerless = False
        self.whole = True  # the target is the gt moved by whole pixels, and nothing else moved

    def margin(self):
        return self.max_shift + BLUR_PX

    def load(self):
        m = self.margin()
        self.scene = window(self.path, self.w + 2 * m, self.h + 2 * m, self.rng, self.want)

    def cut(self, scene, dy=0, dx=0):
        m = self.margin()
        return scene[m + dy : m + dy + self.h, m + dx : m + dx + self.w].copy()

    def cut_both(self, target_scene=None):
        self.gt = self.cut(self.scene)
        self.target = self.cut(
            self.scene if target_scene is None else target_scene, self.dy, self.dx
        )


# --- cases: each takes a draft and leaves gt and target in it -------------------------------------


def plain(d):
    d.load()
    d.cut_both()


def large(d):
    low = d.max_shift * 3 // 4
    d.dy, d.dx = (
        int(s * v)
        for s, v in zip(d.rng.choice([-1, 1], 2), d.rng.integers(low, d.max_shift + 1, 2))
    )
    plain(d)


def tiny(d):
    d.dy, d.dx = (int(v) for v in d.rng.integers(-1, 2, 2))
    plain(d)


def sky(d):
    """The least textured of some windows."""
    d.want = "least"
    plain(d)


def tiled(d):
    """Bricks: a piece of the photograph repeated, which only weak shading tells apart."""
    d.load()
    py, px = (int(v) for v in d.rng.integers(24, 97, 2))
    brick = window(d.path, px, py, d.rng)
    H, W = d.scene.shape[:2]
    shade = smooth(d.scene.mean(axis=2), 30)
    shade = 1 + 0.12 * (shade - shade.mean()) / (np.abs(shade - shade.mean()).max() + 1e-6)
    wall = np.tile(brick, (H // py + 1, W // px + 1, 1))[:H, :W]
    d.scene = (wall * shade[:, :, None] / 1.12).astype(np.float32)
    d.cut_both()


def moving(d):
    """30% of the frame is an object that moved on its own between the exposures."""
    d.whole = False
    plain(d)
    oh, ow = (int(round(n * 0.3**0.5)) for n in (d.h, d.w))
    other = window(d.path, ow, oh, d.rng)
    y, x = (int(d.rng.integers(n - o + 1)) for n, o in ((d.h, oh), (d.w, ow)))
    reach = min(50, d.h // 6, d.w // 6)
    my, mx = (int(v) for v in d.rng.integers(-reach, reach + 1, 2))
    paste(d.gt, other, y, x)
    paste(d.target, other, y - d.dy + my, x - d.dx + mx)


def rotation(d):
    """0.2 degrees about the middle of the frame, resampled by cubic splines."""
    d.whole = False
    d.load()
    d.cut_both(turned(d, 0.2 * float(d.rng.choice([-1, 1]))))


def gradient(d):
    """The target's brightness falls by up to 40% across the frame."""
    plain(d)
    a = d.rng.uniform(0, 2 * np.pi)
    y, x = np.mgrid[-1 : 1 : d.h * 1j, -1 : 1 : d.w * 1j]
    ramp = np.cos(a) * x + np.sin(a) * y
    ramp = (1 + 0.2 * ramp / np.abs(ramp).max()).astype(np.float32)
    d.target *= ramp[:, :, None]


def clipped(d):
    """A tenth of the highlights is cut off in the gt, another share in the target."""
    plain(d)
    d.gain = float(d.rng.uniform(0.75, 1.4))
    d.clip_at = float(np.quantile(d.gt.max(axis=2), 0.9))


def subpixel(d):
    """The target lies up to SUB_PX off the whole pixel, by Fourier (band-limited) resampling; the
    nearest whole shift is the right one."""
    d.load()
    fy, fx = d.rng.uniform(-SUB_PX, SUB_PX, 2)
    d.cut_both(fourier_moved(d.scene, fy, fx))


def soft(d):
    """The target is less sharp: focus, or a longer exposure."""
    d.load()
    d.cut_both(smooth(d.scene, float(d.rng.uniform(0.8, 2.5))))


def jpeg(d):
    """Both are 8-bit JPEGs of their own, gamma-encoded samples."""
    d.jpeg, d.dtype = True, "u8"
    d.gain = float(2.0 ** d.rng.uniform(-1, 1))
    plain(d)


def pattern_of(d, strength):
    """The sensor's own pattern, equal in both images: lines and pixels. strength 1: as much
    difference at the right shift as the scene makes at (0,0)."""
    plain(d)
    d.gain = 1.0
    moved = float(np.abs(d.gt - d.target).mean())
    p = d.rng.standard_normal(d.gt.shape, dtype=np.float32)
    p += d.rng.standard_normal((d.h, 1, 1), dtype=np.float32)
    p += d.rng.standard_normal((1, d.w, 1), dtype=np.float32)
    p *= np.float32(strength * moved / float(np.abs(p[4:, 4:] - p[:-4, :-4]).mean()))
    d.pattern = p + np.float32(PEDESTAL)


def pattern(d):
    """Both shifts are 8 px or more, so that the scene outweighs the pattern; see pattern_axis."""
    while min(abs(d.dy), abs(d.dx)) < 8:
        d.dy, d.dx = (int(v) for v in d.rng.integers(-d.max_shift, d.max_shift + 1, 2))
    pattern_of(d, 0.4)


def pattern_axis(d):
    """One of the shifts is under 8 px: along that axis the scene may differ less than the lines of
    the pattern, and L1 is then smallest where these meet."""
    if d.rng.integers(2):
        d.dy = int(d.rng.integers(-7, 8))
    else:
        d.dx = int(d.rng.integers(-7, 8))
    pattern_of(d, 0.4)


def pattern_strong(d):
    """The pattern outweighs the scene: L1 is smallest near (0,0), whatever the scene does."""
    pattern_of(d, 1.5)


def grey(d):
    d.grey = True
    plain(d)


def half(d):
    d.dtype = "f16"
    plain(d)


def float32(d):
    d.dtype = "f32"
    plain(d)


def bayer(d):
    """An RGGB mosaic taken as a grey image, moved by whole 2x2 cells."""
    d.dy, d.dx = d.dy // 2 * 2, d.dx // 2 * 2
    d.mosaic = True
    plain(d)


def bayer_odd(d):
    """The same moved by an odd number of pixels: colours meet other colours."""
    d.dy = min(d.dy // 2 * 2 + 1, d.max_shift - 1)
    d.mosaic, d.whole = True, False
    plain(d)


def prime(d):
    fits = [p for p in PRIMES if p <= min(d.w, d.h) * 1.05]
    d.w, d.h = (int(v) for v in d.rng.choice(fits[:5], 2))
    plain(d)


def small(d):
    """40 to 200 px a side, of any kind below: little to average over."""
    d.w, d.h = (int(v) for v in d.rng.integers(40, 201, 2))
    d.max_shift = min(d.max_shift, 40, d.w // 3, d.h // 3)
    d.dy, d.dx = (int(v) for v in d.rng.integers(-d.max_shift, d.max_shift + 1, 2))
    (plain, soft, moving, subpixel, sky)[int(d.rng.integers(5))](d)


def small_soft(d):
    """A band under 100 px high and a blurred target."""
    d.w, d.h = int(d.rng.integers(60, min(400, d.w + 1))), int(d.rng.integers(40, 100))
    d.max_shift = min(d.max_shift, 40, d.w // 3, d.h // 3)
    d.dy, d.dx = (int(v) for v in d.rng.integers(-d.max_shift, d.max_shift + 1, 2))
    soft(d)


def banding(d):
    """Lines only, all rows or all columns: half as strong as the scene, the same in both."""
    while min(abs(d.dy), abs(d.dx)) < 8:
        d.dy, d.dx = (int(v) for v in d.rng.integers(-d.max_shift, d.max_shift + 1, 2))
    plain(d)
    d.gain = 1.0
    moved = float(np.abs(d.gt - d.target).mean())
    shape = (d.h, 1, 1) if d.rng.integers(2) else (1, d.w, 1)
    d.pattern = PEDESTAL + np.float32(0.4 * moved) * d.rng.standard_normal(shape, dtype=np.float32)


def at_limit(d):
    """One or both shifts are as large as the range allows."""
    limits = [int(s) * d.max_shift for s in d.rng.choice([-1, 1], 2)]
    which = int(d.rng.integers(3))
    d.dy = limits[0] if which != 1 else d.dy
    d.dx = limits[1] if which != 0 else d.dx
    plain(d)


def nonfinite(d):
    """Floats of which some are NaN or infinite: single samples, and a dead column."""
    d.dtype, d.broken = "f32", True
    plain(d)


# Pairs without a right answer: any that is relied on is wrong.


def beyond(d):
    """The scene lies outside the range that is searched, by 10 px or more."""
    plain(d)
    reach = d.max_shift
    d.max_shift = int(0.4 * reach)
    while max(abs(d.dy), abs(d.dx)) < d.max_shift + 10:
        d.dy, d.dx = (int(v) for v in d.rng.integers(-reach, reach + 1, 2))
    m = reach + BLUR_PX
    d.target = d.scene[m + d.dy : m + d.dy + d.h, m + d.dx : m + d.dx + d.w].copy()
    d.answerless = True


def different(d):
    """Two scenes that have nothing in common: one piece of a photograph, and another upside down."""
    plain(d)
    d.target = window(d.path, d.w, d.h, d.rng)[::-1, ::-1].copy()
    d.answerless = True


def constant(d):
    """No scene at all: even light, and noise in the target."""
    plain(d)
    d.gt[:] = d.target[:] = np.float32(d.rng.uniform(0.1, 0.9))
    d.answerless = True


CASES = {
    case.__name__: case
    for case in (plain, large, tiny, sky, tiled, moving, rotation, gradient, clipped, subpixel)
    + (soft, jpeg, pattern, pattern_axis, pattern_strong, grey, half, float32, bayer, bayer_odd)
    + (prime, small, small_soft, banding, at_limit, nonfinite, beyond, different, constant)
}
CASES["repetitive"] = plain  # on the photographs of REPEATING only


def photos_of(case, paths):
    """Those a case is about."""
    parts = {"repetitive": REPEATING, "sky": SKY}.get(case)
    return [p for p in paths if parts is None or matches(p, parts)]


# --- what the cases are made of -------------------------------------------------------------------


def smooth(light, sigma):
    from scipy import ndimage

    sigmas = (sigma, sigma, 0)[: light.ndim]
    return ndimage.gaussian_filter(light, sigmas, mode="nearest", truncate=4)


def paste(image, piece, y, x):
    """Puts piece at (y, x); what lies outside is cut off."""
    y0, x0 = max(y, 0), max(x, 0)
    y1, x1 = min(y + piece.shape[0], image.shape[0]), min(x + piece.shape[1], image.shape[1])
    if y1 > y0 and x1 > x0:
        image[y0:y1, x0:x1] = piece[y0 - y : y1 - y, x0 - x : x1 - x]


def turned(d, degrees):
    """The scene rotated about the middle of the target's window."""
    from scipy import ndimage

    a = np.deg2rad(degrees)
    matrix = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    middle = np.array([d.margin() + d.dy + d.h / 2, d.margin() + d.dx + d.w / 2])
    out = np.empty_like(d.scene)
    for c in range(3):
        out[:, :, c] = ndimage.affine_transform(
            d.scene[:, :, c], matrix, middle - matrix @ middle, order=3, mode="nearest"
        )
    return np.maximum(out, 0)


def fourier_moved(scene, fy, fx):
    """scene(y + fy, x + fx) by the shift theorem; the border, where it wraps round, is margin."""
    from scipy import fft

    phase = np.exp(2j * np.pi * fy * fft.fftfreq(scene.shape[0]))[:, None]
    phase = phase * np.exp(2j * np.pi * fx * fft.rfftfreq(scene.shape[1]))[None, :]
    out = np.empty_like(scene)
    for c in range(3):
        moved = fft.rfft2(scene[:, :, c].astype(np.float64)) * phase
        out[:, :, c] = fft.irfft2(moved, s=scene.shape[:2])
    return np.maximum(out, 0)


def mosaic(light):
    out = light[:, :, 1].copy()
    out[0::2, 0::2] = light[0::2, 0::2, 0]
    out[1::2, 1::2] = light[1::2, 1::2, 2]
    return out


def through_jpeg(light, quality):
    """8-bit gamma-encoded samples, once through an encoder and back."""
    from PIL import Image

    samples = np.rint(np.clip(light, 0, 1) ** (1 / 2.2) * 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(samples).save(file, "JPEG", quality=quality)
    file.seek(0)
    return np.asarray(Image.open(file).convert("RGB"))


def finished(d, light, scale, noise):
    """Light of the scene as samples of a file."""
    if d.mosaic:
        light = mosaic(light)
    elif d.grey:
        light = light.mean(axis=2, dtype=np.float32)
    light = make_pairs.add_noise(light, noise, d.rng)
    if d.pattern is not None:
        light = light + d.pattern
    light = light * np.float32(scale)
    if d.clip_at is not None:
        light = np.minimum(light, 1)
    if d.jpeg:
        return through_jpeg(light, int(d.rng.integers(70, 96)))
    samples = make_pairs.to_samples(light, d.dtype)
    if d.broken:
        bad = d.rng.random(samples.shape) < 0.002
        samples[bad] = d.rng.choice(np.float32([np.nan, np.inf, -np.inf]), int(bad.sum()))
        samples[:, int(d.rng.integers(d.w))] = np.nan
    return samples


class Pair:
    """gt and target as samples; truth is (dy, dx), None: there is none. Where not whole, parts of the
    target moved otherwise, and a shift 1 px beside the made one is as good when its L1 is no worse."""

    def __init__(self, gt, target, draft):
        self.gt, self.target = gt, target
        self.truth = None if draft.answerless else (draft.dy, draft.dx)
        self.max_shift, self.gain, self.whole = draft.max_shift, draft.gain, draft.whole


def make(case, noise, path, seed, max_shift=128, size=SIZE):
    """The Pair of these parameters."""
    parts = [seed] + [zlib.crc32(t.encode()) for t in (case, noise, short_name(path))]
    d = Draft(path, parts, max_shift, size)
    CASES[case](d)
    top = d.clip_at if d.clip_at is not None else 1 / make_pairs.exposure_of([d.gain])
    gt = finished(d, d.gt, 1 / top, "none")
    target = finished(d, d.target, 1 / (top * d.gain), noise)
    return Pair(gt, target, d)
