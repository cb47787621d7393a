"""The transport, the security and the muxer that the arguments name, and nothing else."""

import pathlib
import ssl

from libp2p import create_mplex_muxer_option, create_yamux_muxer_option, new_host
from libp2p.crypto import ed25519, rsa, secp256k1, x25519
from libp2p.custom_types import TProtocol
from libp2p.security.noise.transport import PROTOCOL_ID as NOISE
from libp2p.security.noise.transport import Transport as Noise
from libp2p.security.tls.transport import PROTOCOL_ID as TLS
from libp2p.security.tls.transport import TLSTransport
from multiaddr import Multiaddr

# What makes the keys of each type. No ECDSA: the library cannot read such a key.
KEY_TYPES = {
    "ed25519": ed25519.create_new_key_pair,
    "secp256k1": secp256k1.create_new_key_pair,
    "rsa": rsa.create_new_key_pair,
}

# From an address of this kind the library sees which transport is meant.
EXAMPLES = {
    "tcp": "/ip4/127.0.0.1/tcp/0",
    "ws": "/ip4/127.0.0.1/tcp/0/ws",
    "wss": "/ip4/127.0.0.1/tcp/0/wss",
    "quic-v1": "/ip4/127.0.0.1/udp/0/quic-v1",
}


def build(args):
    """A host that can do what the arguments name."""
    key = KEY_TYPES[args.key]()
    transport, *layers = args.stack.split("/")
    options = {}
    if layers:
        security, muxer = layers
        options["sec_opt"] = _security(security, key)
        options["muxer_opt"] = _muxer(muxer)
    if transport == "wss":
        options["tls_client_config"], options["tls_server_config"] = _certificates(args.tls)
    return new_host(
        key_pair=key,
        listen_addrs=[Multiaddr(EXAMPLES[transport])],
        enable_quic=transport == "quic-v1",
        psk=args.psk,
        **options,
    )


def _security(name, key):
    if name == "noise":
        static = x25519.create_new_key_pair().private_key
        return {TProtocol(NOISE): Noise(key, noise_privkey=static)}
    if name == "tls":
        return {TProtocol(TLS): TLSTransport(key)}
    raise ValueError(f"unknown security {name}")


def _muxer(name):
    # The library's options have the other muxer behind it.
    [(protocol, muxer), *_] = {"yamux": create_yamux_muxer_option, "mplex": create_mplex_muxer_option}[name]().items()
    return {protocol: muxer}


def _certificates(folder):
    """Trusts the root of the folder, and shows its certificate."""
    folder = pathlib.Path(folder)
    client = ssl.create_default_context(cafile=folder / "root.pem")
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return client, server
