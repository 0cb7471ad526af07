"""Copies of videos with something wrong in them: cut, overwritten, zeroed, inserted, in the headers."""

import random

MUTATIONS = ("cut", "overwritten", "zeroed", "inserted", "header")


def mutate(data: bytes, seed: int) -> bytes:
    """Which of MUTATIONS it is goes round with the seed."""
    draw = random.Random(seed)
    kind = MUTATIONS[seed % len(MUTATIONS)]
    at = draw.randrange(len(data))
    size = draw.choice((1, 4, 40, 400))
    noise = draw.randbytes(size)
    if kind == "cut":
        return data[: max(at, 100)]
    if kind == "inserted":
        return data[:at] + noise + data[at:]
    if kind == "zeroed":
        return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]
    if kind == "header":  # of MP4 mostly at the end
        moov = data.find(b"moov")
        first, last = (moov, len(data)) if moov > 0 else (0, min(len(data), 2000))
        at, noise = draw.randrange(first, last), noise[:4]
    return data[:at] + noise[: len(data) - at] + data[at + len(noise) :]
