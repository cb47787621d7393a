"""The contracts of the official suites: a role and a stack in the environment, an address passed on through redis,
results on stdout."""

import contextlib
import os
import statistics
import sys
import time

import redis
import trio
from libp2p.host.ping import PingService
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.perf import PerfService
from multiaddr import Multiaddr

from stack import build

# How long the other side may keep this one waiting, in seconds.
PATIENCE = float(os.environ.get("TEST_TIMEOUT_SECS", 180))

# How long a dial and a ping, and one transfer, may take, in seconds.
LIMIT = 60

# Between two looks for an address, in seconds.
POLL = 0.1

# What follows the IP address where to listen.
LISTEN = {"tcp": "tcp/0", "ws": "tcp/0/ws", "wss": "tcp/0/wss", "quic-v1": "udp/0/quic-v1"}


async def transport(args):
    """One side of the transport suite."""
    async with Side(args).running() as side:
        if not side.is_dialer:
            await side.listen(side.push)
        info = info_from_p2p_addr(Multiaddr(await side.waiting(side.pop)))
        start = time.perf_counter()
        with trio.fail_after(LIMIT):
            await side.host.connect(info)
            [rtt] = await PingService(side.host).ping(info.peer_id, ping_amt=1)
        handshake = (time.perf_counter() - start) * 1000
        finish(f"latency:\n  handshake_plus_one_rtt: {handshake}\n  ping_rtt: {rtt}\n  unit: ms\n")


async def perf(args):
    """One side of the perf suite."""
    async with Side(args).running() as side:
        service = PerfService(side.host)
        await service.start()
        if not side.is_dialer:
            await side.listen(side.set)
        addr = Multiaddr(await side.waiting(side.get))
        with trio.fail_after(LIMIT):
            await side.host.connect(info_from_p2p_addr(addr))
        up, down = _number("UPLOAD_BYTES", 1 << 30), _number("DOWNLOAD_BYTES", 1 << 30)
        upload = await _series(service, addr, _number("UPLOAD_ITERATIONS", 10), up, 0)
        download = await _series(service, addr, _number("DOWNLOAD_ITERATIONS", 10), 0, down)
        latency = await _series(service, addr, _number("LATENCY_ITERATIONS", 100), 1, 1)
        finish(
            f"upload:\n{_statistics([up * 8 / took / 1e9 for took in upload], 2, 'Gbps')}"
            f"download:\n{_statistics([down * 8 / took / 1e9 for took in download], 2, 'Gbps')}"
            f"latency:\n{_statistics([took * 1000 for took in latency], 3, 'ms')}"
        )


def finish(text):
    """Prints a result and ends at once: the library can take its time to shut down."""
    sys.stdout.write(text)
    sys.stdout.flush()
    os._exit(0)


class Side:
    """One side of a suite, as the environment describes it."""

    def __init__(self, args):
        names = ("TRANSPORT", "SECURE_CHANNEL", "MUXER")
        args.stack = "/".join(os.environ[name] for name in names if os.environ.get(name))
        self._transport = os.environ["TRANSPORT"]
        self._key = f"{os.environ['TEST_KEY']}_listener_multiaddr"
        host, _, port = os.environ["REDIS_ADDR"].rpartition(":")
        self._redis = redis.Redis(host, int(port), decode_responses=True, socket_timeout=PATIENCE + LIMIT)
        self.is_dialer = os.environ["IS_DIALER"] == "true"
        self.host = build(args)

    @contextlib.asynccontextmanager
    async def running(self):
        """Runs the host in the background."""
        async with self.host.run([]):
            yield self

    async def listen(self, publish):
        """Listens, passes the address on, and serves until the process is ended."""
        network = self.host.get_network()
        addr = f"/ip4/{os.environ['LISTENER_IP']}/{LISTEN[self._transport]}"
        if not await network.listen(Multiaddr(addr)):
            raise OSError(f"cannot listen on {addr}")
        addrs = [str(addr) for addr in self.host.get_transport_addrs()]
        reachable = next((addr for addr in addrs if not addr.startswith("/ip4/127.")), addrs[0])
        await self.waiting(publish, f"{reachable}/p2p/{self.host.get_id()}")
        await trio.sleep(PATIENCE)
        raise TimeoutError("nobody ended this listener in time")

    async def waiting(self, command, *arguments):
        """Does something in redis, which blocks."""
        return await trio.to_thread.run_sync(command, *arguments)

    def push(self, addr):
        """Puts the address in the list; what an earlier run left there goes."""
        self._redis.delete(self._key)
        self._redis.rpush(self._key, addr)

    def pop(self):
        """Waits for an address in the list."""
        found = self._redis.blpop([self._key], timeout=PATIENCE)
        if found is None:
            raise TimeoutError("the listener gave no address")
        return found[1]

    def set(self, addr):
        """Sets the value to the address."""
        self._redis.set(self._key, addr)

    def get(self):
        """Waits until there is a value."""
        deadline = time.monotonic() + PATIENCE
        while (found := self._redis.get(self._key)) is None:
            if time.monotonic() > deadline:
                raise TimeoutError("the listener gave no address")
            time.sleep(POLL)
        return found


async def _series(service, addr, iterations, upload, download):
    """How long each of so many transfers took."""
    times = []
    for _ in range(iterations):
        start = time.perf_counter()
        with trio.fail_after(LIMIT):
            async for _ in service.measure_performance(addr, upload, download):
                pass
        times.append(time.perf_counter() - start)
    return times


def _number(name, otherwise):
    """A number from the environment; the suite sets some to `null`."""
    value = os.environ.get(name, "null")
    return otherwise if value in ("", "null") else int(value)


def _statistics(samples, decimals, unit):
    """Quartiles, and the extremes of what lies within one and a half times their distance."""
    samples.sort()
    q1, median, q3 = statistics.quantiles(samples, n=4, method="inclusive")
    reach = 1.5 * (q3 - q1)
    inner = [sample for sample in samples if q1 - reach <= sample <= q3 + reach]
    outliers = [sample for sample in samples if sample not in inner]
    values = {"min": inner[0], "q1": q1, "median": median, "q3": q3, "max": inner[-1]}

    def listed(numbers):
        return f"[{', '.join(f'{number:.{decimals}f}' for number in numbers)}]"

    lines = [f"iterations: {len(samples)}"]
    lines += [f"{name}: {value:.{decimals}f}" for name, value in values.items()]
    lines += [f"outliers: {listed(outliers)}", f"samples: {listed(samples)}", f"unit: {unit}"]
    return "".join(f"  {line}\n" for line in lines)
