"""The host, and the commands that do not need a stream of the suite's own."""

import contextlib

import trio
from libp2p.abc import INotifee
from libp2p.crypto.serialization import deserialize_public_key
from libp2p.host.ping import PingService
from libp2p.identity.identify.identify import ID as IDENTIFY
from libp2p.identity.identify.pb.identify_pb2 import Identify
from libp2p.peer.envelope import consume_envelope
from libp2p.peer.id import ID
from libp2p.peer.peerinfo import info_from_p2p_addr
from libp2p.utils.varint import read_length_prefixed_protobuf
from multiaddr import Multiaddr

import echo
from journal import Journal
from pubsub import Topics
from stack import build

# Between two looks for something that the library has no event for, in seconds.
POLL = 0.05


class Node(INotifee):
    """A host that reports to a journal of its own and serves echo."""

    def __init__(self, args):
        self._host = build(args)
        self._journal = Journal()
        self._listen_addrs = set()
        self._host.set_stream_handler(echo.ECHO, lambda stream: echo.serve(stream, self._journal))
        self._host.get_network().register_notifee(self)
        self._topics = Topics(self._host, self._journal, args) if args.pubsub else None

    @property
    def peer_id(self):
        return str(self._host.get_id())

    async def leave(self):
        """Closes all connections."""
        network = self._host.get_network()
        for peer in list(network.connections):
            await network.close_peer(peer)

    @contextlib.asynccontextmanager
    async def running(self):
        """Runs the host in the background."""
        async with self._host.run([]), self._topics.running() if self._topics else contextlib.nullcontext():
            yield

    async def act(self, command, arguments):
        """Does what a request asks for."""
        action = getattr(self, f"do_{command}", None) or getattr(self._topics, f"do_{command}", None)
        if action is None:
            raise ValueError(f"unknown command {command}")
        if "peer" in arguments:
            arguments["peer"] = ID.from_string(arguments["peer"])
        return await action(**arguments)

    async def do_listen(self, addr):
        network = self._host.get_network()
        # The library listens once on an address, also on one that leaves the port open: its record is moved away.
        number, listeners = len(network.listeners), network.listeners
        if not await network.listen(Multiaddr(addr)):
            raise OSError(f"cannot listen on {addr}")
        listeners[f"{addr} {number}"] = listeners.pop(addr)
        addrs = {str(addr) for addr in self._host.get_transport_addrs()}
        new, self._listen_addrs = addrs - self._listen_addrs, addrs
        return {"addrs": [f"{addr}/p2p/{self.peer_id}" for addr in new]}

    async def do_dial(self, addr):
        info = info_from_p2p_addr(Multiaddr(addr))
        await self._host.connect(info)
        return {"peer": str(info.peer_id)}

    async def do_ping(self, peer, count):
        millis = await PingService(self._host).ping(peer, ping_amt=count)
        return {"micros": [rtt * 1000 for rtt in millis]}

    async def do_identify(self, peer, addr=None):
        if addr is None:
            return await self._asked(peer)
        # A push is seen only by what it leaves in the peer store.
        while addr not in map(str, self._host.get_peerstore().addrs(peer)):
            await trio.sleep(POLL)
        return {"peer": str(peer)}

    async def _asked(self, peer):
        """Asks the peer itself: the library does so too, but does not tell all that was answered."""
        stream = await self._host.new_stream(peer, [IDENTIFY])
        info = Identify()
        info.ParseFromString(await read_length_prefixed_protobuf(stream, use_varint_format=True))
        await stream.close()
        key = deserialize_public_key(info.public_key)
        return {
            "peer": str(ID.from_pubkey(key)),
            "agent": info.agent_version,
            "protocol_version": info.protocol_version,
            "protocols": list(info.protocols),
            "listen_addrs": [str(Multiaddr(addr)) for addr in info.listen_addrs],
            "observed_addr": str(Multiaddr(info.observed_addr)),
            "key_type": key.get_type().name.lower(),
            "signed_record": _is_valid(info.signedPeerRecord, peer),
        }

    async def do_echo(self, peer, bytes, pause=0):
        return await echo.echo(self._host, peer, bytes, pause / 1000)

    async def do_streams(self, peer, count, at_once, bytes):
        return await echo.streams(self._host, peer, count, at_once, bytes)

    async def do_crowd(self, peer, count):
        return await echo.crowd(self._host, peer, count)

    async def do_reset(self, peer, bytes):
        return await echo.reset(self._host, peer, bytes)

    async def do_events(self, kind, count):
        return {"events": await self._journal.wait(kind, count)}

    async def connected(self, network, conn):
        found = conn.get_interop_metadata()
        event = {"peer": str(conn.muxed_conn.peer_id), "security": found["security_protocol"]}
        event["muxer"] = None if found["muxer_protocol"] == "n/a" else found["muxer_protocol"]
        await self._journal.record("connected", event)

    async def disconnected(self, network, conn):
        await self._journal.record("disconnected", {"peer": str(conn.muxed_conn.peer_id)})

    async def opened_stream(self, network, stream):
        pass

    async def closed_stream(self, network, stream):
        pass

    async def listen(self, network, multiaddr):
        pass

    async def listen_close(self, network, multiaddr):
        pass


def _is_valid(envelope, peer):
    """Whether this is a record that the peer has signed."""
    if not envelope:
        return False
    _, record = consume_envelope(envelope, "libp2p-peer-record")
    return record.peer_id == peer
