"""Publish and subscribe: what the commands about topics do, with gossipsub or with floodsub."""

import contextlib
import hashlib

import trio
from libp2p.peer.id import ID
from libp2p.pubsub import floodsub, gossipsub
from libp2p.pubsub.extensions import PeerExtensions
from libp2p.pubsub.pubsub import Pubsub
from libp2p.tools.anyio_service import background_trio_service

from data import pattern

# Between two looks for something that the library has no event for, in seconds.
POLL = 0.02

PROTOCOLS = [
    gossipsub.PROTOCOL_ID_V13,
    gossipsub.PROTOCOL_ID_V12,
    gossipsub.PROTOCOL_ID_V11,
    gossipsub.PROTOCOL_ID,
    floodsub.PROTOCOL_ID,
]


class Gossip(gossipsub.GossipSub):
    """The library's router, which counts what peers do not want."""

    def __init__(self):
        super().__init__(
            protocols=PROTOCOLS,
            degree=6,
            degree_low=5,
            degree_high=12,
            # The library's own default is 120 s.
            heartbeat_interval=1,
            my_extensions=PeerExtensions(test_extension=True),
            # The library forwards ten messages a second of one peer and topic unless told otherwise.
            max_messages_per_topic_per_second=1000,
        )
        self.unwanted = 0

    async def handle_idontwant(self, idontwant_msg, sender_peer_id):
        self.unwanted += len(idontwant_msg.messageIDs)
        await super().handle_idontwant(idontwant_msg, sender_peer_id)


class Topics:
    """The topics of a node."""

    def __init__(self, host, journal, args):
        if args.anonymous:
            raise ValueError("the library writes its author into every message")
        self._me = host.get_id()
        self._journal = journal
        self._router = Gossip() if args.pubsub == "gossipsub" else floodsub.FloodSub([floodsub.PROTOCOL_ID])
        self._pubsub = Pubsub(host, self._router)

    @contextlib.asynccontextmanager
    async def running(self):
        """Runs the router in the background."""
        async with contextlib.AsyncExitStack() as stack:
            await stack.enter_async_context(background_trio_service(self._pubsub))
            if isinstance(self._router, Gossip):
                await stack.enter_async_context(background_trio_service(self._router))
            self._nursery = await stack.enter_async_context(trio.open_nursery())
            await self._pubsub.wait_until_ready()
            yield

    async def do_subscribe(self, topic):
        self._nursery.start_soon(self._read, topic, await self._pubsub.subscribe(topic))
        return {}

    async def _read(self, topic, subscription):
        """Puts the messages of others into the journal until the topic is left."""
        async for message in subscription:
            author = ID(message.from_id)
            if author != self._me:
                event = {"topic": topic, "author": str(author), "signed": bool(message.signature)}
                await self._journal.record("message", {**event, **_about(message.data)})

    async def do_unsubscribe(self, topic):
        await self._pubsub.unsubscribe(topic)
        return {}

    async def do_publish(self, topic, bytes, seed):
        data = pattern(seed, 0, bytes)
        await self._pubsub.publish(topic, data)
        return _about(data)

    async def do_peers(self, topic, count):
        def followers():
            # Those to whom there is no stream yet are sent nothing.
            return [peer for peer in self._pubsub.peer_topics.get(topic, ()) if peer in self._pubsub.peers]

        return {"peers": _texts(await _until(followers, lambda peers: len(peers) == count))}

    async def do_mesh(self, topic, count):
        mesh = await _until(lambda: self._router.mesh.get(topic, ()), lambda peers: len(peers) >= count)
        return {"peers": _texts(mesh)}

    async def do_protocol(self, peer):
        await _until(lambda: peer in self._pubsub.peers, bool)
        return {"protocol": self._pubsub.peers[peer].get_protocol()}

    async def do_heard(self, word, count):
        return {"count": await _until(lambda: self._heard(word), lambda found: found >= count)}

    def _heard(self, word):
        if word == "idontwant":
            return self._router.unwanted
        # The library keeps who has told that it can, and no more.
        extensions = self._router.extensions_state
        return sum(extensions.both_support_test_extension(peer) for peer in self._pubsub.peers)


async def _until(ask, is_good):
    """Asks again and again until the answer is good."""
    while not is_good(answer := ask()):
        await trio.sleep(POLL)
    return answer


def _about(data):
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def _texts(peers):
    return [str(peer) for peer in peers]
