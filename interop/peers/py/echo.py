"""`/sinew/test/echo/1.0.0`: served on every inbound stream, and driven by the echo, streams and reset commands."""

import hashlib
import logging

import trio
from libp2p.custom_types import TProtocol
from libp2p.network.stream.exceptions import StreamEOF

from data import pattern

ECHO = TProtocol("/sinew/test/echo/1.0.0")

# Bytes read or written at once.
CHUNK = 16 * 1024


async def serve(stream, journal):
    """Serves one stream, and says how it ended.

    The library may read a reset as an end, and only a write tells them apart: so the last byte is held back until
    the end was seen.
    """
    count, held = 0, b""
    try:
        while chunk := await _read(stream):
            count += len(chunk)
            await _write(stream, held + chunk[:-1])
            held = chunk[-1:]
        await _write(stream, held)
        await stream.close()
        await journal.record("served", {"bytes": count})
    except Exception as error:
        await journal.record("reset", {"bytes": count, "error": f"{type(error).__name__}: {error}"})


async def echo(host, peer, size, pause):
    """Sends the pattern, half-closes, and reads back until the end; begins to read after so many seconds."""
    digest = hashlib.sha256()
    count = await _exchange(host, peer, 0, size, digest, pause)
    return {"bytes": count, "sha256": digest.hexdigest()}


async def streams(host, peer, count, at_once, size):
    """Opens streams, at most `at_once` at a time, and echoes on each with a seed of its own."""
    places = trio.CapacityLimiter(at_once)

    async def one(number):
        async with places:
            found = await _exchange(host, peer, number % 256, size, hashlib.sha256())
        if found != size:
            raise ValueError(f"stream {number}: {found} bytes")

    async with trio.open_nursery() as nursery:
        for number in range(count):
            nursery.start_soon(one, number)
    return {"streams": count}


async def crowd(host, peer, count):
    """Opens streams at once, has a byte echoed on each, and keeps those on which that went well until all are settled.

    Some programs hold back the last byte, so there are two.
    """
    held = []

    async def one():
        try:
            stream = await host.new_stream(peer, [ECHO])
            await stream.write(bytes(2))
            if await _read(stream):
                held.append(stream)
        except Exception as error:
            logging.getLogger("interop").info("refused: %r", error)

    async with trio.open_nursery() as nursery:
        for _ in range(count):
            nursery.start_soon(one)
    for stream in held:
        await stream.reset()
    return {"served": len(held), "refused": count - len(held)}


async def reset(host, peer, size):
    """Sends the pattern, reads half of it back, and resets the stream."""
    stream = await host.new_stream(peer, [ECHO])
    count = 0

    async def half():
        nonlocal count
        while count < size // 2:
            count += len(await _read(stream))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(half)
        await _send(stream, 0, size)
    await stream.reset()
    return {"sent": size, "read": count}


async def _exchange(host, peer, seed, size, digest, pause=0):
    stream = await host.new_stream(peer, [ECHO])
    count = 0

    async def receive():
        nonlocal count
        await trio.sleep(pause)
        while chunk := await _read(stream):
            if chunk != pattern(seed, count, len(chunk)):
                raise ValueError(f"wrong bytes after {count}")
            digest.update(chunk)
            count += len(chunk)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(receive)
        await _send(stream, seed, size)
        await stream.close_write()
    return count


async def _send(stream, seed, size):
    for sent in range(0, size, CHUNK):
        await stream.write(pattern(seed, sent, min(CHUNK, size - sent)))


async def _write(stream, chunk):
    if chunk:
        await stream.write(chunk)


async def _read(stream):
    """The next bytes; nothing at the end."""
    try:
        return await stream.read(CHUNK)
    except StreamEOF:
        return b""
