"""The deterministic bytes of the tests."""

# Every block of 256 positions holds these, turned by what the higher bytes of the position add.
_TURNS = [bytes((start + i) % 256 for i in range(256)) for start in range(256)]


def pattern(seed, start, length):
    """The pattern with this seed (interop/README.md) from a position on."""
    first, last = start // 256, (start + length) // 256
    blocks = b"".join(_TURNS[(seed + block + block // 256) % 256] for block in range(first, last + 1))
    skip = start - first * 256
    return blocks[skip : skip + length]
