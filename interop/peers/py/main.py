"""A py-libp2p node for the interop suites: with a control protocol on stdin, or by the contracts of the official suites."""

import argparse
import logging
import os
import sys
import traceback

import trio

from contract import perf, transport
from control import control, describe
from stack import KEY_TYPES

MODES = {"control": control, "transport": transport, "perf": perf}

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=MODES)
    parser.add_argument("--key", default="ed25519", choices=KEY_TYPES)
    parser.add_argument("--stack", default="tcp/noise/yamux")
    parser.add_argument("--psk")
    parser.add_argument("--tls")
    parser.add_argument("--pubsub", choices=["gossipsub", "floodsub"])
    parser.add_argument("--anonymous", action="store_true")
    logging.basicConfig(level=os.environ.get("LOG_LEVEL", "WARNING"), stream=sys.stderr)
    arguments = parser.parse_args()
    try:
        trio.run(MODES[arguments.mode], arguments)
    except Exception as error:
        traceback.print_exc()
        # The last line is the one that a failed test shows.
        sys.exit(describe(error))
