"""The control protocol: commands come as JSON lines on stdin, answers go to stdout."""

import importlib.metadata
import json
import logging
import os
import sys

import trio

from node import Node

# Bytes read from stdin at once.
CHUNK = 64 * 1024


def write_line(line):
    """Writes one JSON line to stdout."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


async def lines(stream):
    """The lines of a stream."""
    rest = b""
    while chunk := await stream.receive_some(CHUNK):
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line


def describe(error):
    """An error with its causes, on one line."""
    texts = []
    while error is not None:
        texts.append(f"{type(error).__name__}: {error}")
        if isinstance(error, BaseExceptionGroup):
            texts.extend(describe(inner) for inner in error.exceptions)
        error = error.__cause__
    return ": ".join(texts)


async def answer(node, number, command, arguments):
    """Does what one request asks for."""
    try:
        write_line({"id": number, "ok": await node.act(command, arguments)})
    except Exception as error:
        logging.getLogger("interop").exception("%s failed", command)
        write_line({"id": number, "error": describe(error)})


async def control(args):
    """Does what the lines of stdin ask for until stdin ends."""
    node = Node(args)
    async with node.running(), trio.open_nursery() as nursery:
        version = importlib.metadata.version("libp2p")
        write_line({"ready": {"peer": node.peer_id, "library": "py-libp2p", "version": version}})
        async for line in lines(trio.lowlevel.FdStream(os.dup(sys.stdin.fileno()))):
            request = json.loads(line)
            number, command = request.pop("id"), request.pop("do")
            nursery.start_soon(answer, node, number, command, request)
        # Over QUIC nobody else tells the others that we have left. The library can take its time to shut down otherwise.
        with trio.move_on_after(2):
            await node.leave()
        os._exit(0)

