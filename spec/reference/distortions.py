"""Distorted images: scipy.ndimage smooths the fields and looks images up, numpy inverts the affine
maps; random bits are drawn here as src/streams.h describes them, in whole numbers."""

import numpy
from scipy import ndimage

from common import write

MASK32, MASK64 = 2**32 - 1, 2**64 - 1


def splitmix(state):
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK64
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK64
        yield z ^ (z >> 31)


def xoshiro128(s):
    def rotated(x, bits):
        return ((x << bits) | (x >> (32 - bits))) & MASK32

    while True:
        yield (rotated((s[0] + s[3]) & MASK32, 7) + s[0]) & MASK32
        t = (s[1] << 9) & MASK32
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotated(s[3], 11)


def uniform_rows(key, place):
    """Sixteen numbers in -1..1 at a time, from as many generators side by side."""
    first = next(splitmix((key + place * 0xD1342543DE82EF95) & MASK64))
    seeds = splitmix(first)
    lanes = []
    for _ in range(16):
        low, high = next(seeds), next(seeds)
        lanes.append(xoshiro128([low & MASK32, low >> 32, high & MASK32, high >> 32]))
    while True:
        draws = numpy.array([next(lane) for lane in lanes], dtype=numpy.uint32)
        yield draws.astype(numpy.int32) / 2.0**31


def displacement(width, height, key=7, place=0, shift=0, angle=0, scale=0, shear=0, alpha=0,
                 sigma=1):
    """Two fields, (2, height, width): to the right, and below."""
    rows = uniform_rows(key, place)
    u = next(rows)
    cos, sin = numpy.cos(angle * u[2]), numpy.sin(angle * u[2])
    turned = numpy.array([[cos, -sin], [sin, cos]])
    sheared = numpy.array([[1, numpy.tan(shear * u[5])], [0, 1]])
    scaled = numpy.diag([1 + scale * u[3], 1 + scale * u[4]])
    M = numpy.linalg.inv(turned @ sheared @ scaled)
    t = shift * u[:2]
    middle = numpy.array([width - 1, height - 1]) / 2
    y, x = numpy.mgrid[:height, :width]
    q = numpy.stack([x.ravel(), y.ravel()])
    D = (middle[:, None] + M @ (q - (middle + t)[:, None]) - q).reshape(2, height, width)
    pixels = width * height
    noise = numpy.concatenate([next(rows) for _ in range(2 * pixels // 16 + 1)])[: 2 * pixels]
    for field, drawn in zip(D, noise.reshape(2, height, width)):
        field += alpha * ndimage.gaussian_filter(drawn, sigma, mode="constant", truncate=4)
    return D


def resampled(image, D):
    y, x = numpy.mgrid[: image.shape[0], : image.shape[1]]
    return ndimage.map_coordinates(image, [y + D[1], x + D[0]], order=1, mode="grid-constant")


DISPLACEMENTS = {
    "shift": dict(width=7, height=5, shift=2.5),
    "rotate": dict(width=6, height=6, angle=0.7, place=3),
    "scale": dict(width=5, height=7, scale=0.3, key=-12345678901234567),
    "shear": dict(width=7, height=6, shear=0.5, place=2**40),
    "elastic": dict(width=17, height=9, alpha=8, sigma=1.5),
    "elastic of few columns": dict(width=3, height=20, alpha=5, sigma=2),
    "elastic, wider than the image": dict(width=16, height=4, alpha=30, sigma=5),
    "elastic, hardly smoothed": dict(width=5, height=5, alpha=1, sigma=0.1),
    "all": dict(width=18, height=11, shift=1, angle=0.3, scale=0.2, shear=0.2, alpha=9, sigma=2),
}


def ask_displacement(given):
    return {"given": {"key": 7, "place": 0, **given}, "D": displacement(**given).ravel().tolist()}


def ask_image(given, channels=1):
    D = displacement(**given)
    shape = (given["height"], given["width"], channels)
    X = numpy.random.default_rng(3).standard_normal(shape).round(3)
    A = numpy.stack([resampled(X[:, :, c], D) for c in range(channels)], axis=2)
    return {"width": given["width"], "D": D.ravel().tolist(), "X": X.ravel().tolist(),
            "A": A.ravel().tolist()}


def ask_affine():
    """scipy's own affine map of an image, for one that is turned and shifted by given numbers."""
    X = numpy.random.default_rng(4).standard_normal((6, 8)).round(3)
    M, t = numpy.array([[0.9, 0.2], [-0.3, 1.1]]), numpy.array([0.7, -1.2])  # of (y, x)
    A = ndimage.affine_transform(X, M, t, order=1, mode="grid-constant")
    return {"M": M.tolist(), "t": t.tolist(), "X": X.ravel().tolist(), "A": A.ravel().tolist(),
            "width": 8}


answers = {name: ask_displacement(given) for name, given in DISPLACEMENTS.items()}
answers["image"] = ask_image(DISPLACEMENTS["all"])
answers["image of three channels"] = ask_image(DISPLACEMENTS["rotate"], 3)
answers["image, far outside"] = ask_image(dict(width=6, height=5, shift=40))
answers["affine_transform"] = ask_affine()
write(answers)
