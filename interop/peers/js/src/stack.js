// The transport, the security and the muxer that the arguments name, and nothing else.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { noise } from '@chainsafe/libp2p-noise'
import { quic } from '@chainsafe/libp2p-quic'
import { yamux } from '@chainsafe/libp2p-yamux'
import { generateKeyPair } from '@libp2p/crypto/keys'
import { mplex } from '@libp2p/mplex'
import { preSharedKey } from '@libp2p/pnet'
import { tcp } from '@libp2p/tcp'
import { tls } from '@libp2p/tls'
import { webSockets } from '@libp2p/websockets'

// The names that the library gives to the key types of the control protocol.
const KEY_TYPES = { ed25519: 'Ed25519', secp256k1: 'secp256k1', rsa: 'RSA' }

const TRANSPORTS = { tcp, 'quic-v1': quic, ws: webSockets, wss: secureWebSockets }
const SECURITY = { noise, tls }
const MUXERS = { yamux, mplex }

// The stack that the environment of an official suite names.
export function layers ({ TRANSPORT, SECURE_CHANNEL, MUXER }) {
  return [TRANSPORT, SECURE_CHANNEL, MUXER].filter(Boolean).join('/')
}

// What the arguments name; `stack` is for those that name none.
export function parse (args, stack = 'tcp/noise/yamux') {
  return parseArgs({
    args,
    options: {
      key: { type: 'string', default: 'ed25519' },
      stack: { type: 'string', default: stack },
      psk: { type: 'string' },
      tls: { type: 'string' },
      pubsub: { type: 'string' },
      anonymous: { type: 'boolean', default: false },
      'default-limits': { type: 'boolean', default: false }
    }
  }).values
}

// What the library needs for that.
export async function options (values) {
  const [transport, security, muxer] = values.stack.split('/')
  return {
    privateKey: await generateKeyPair(pick(KEY_TYPES, values.key)),
    transports: [pick(TRANSPORTS, transport)(values.tls)],
    connectionEncrypters: security == null ? [] : [pick(SECURITY, security)()],
    streamMuxers: muxer == null ? [] : [pick(MUXERS, muxer)()],
    connectionProtector: values.psk == null ? undefined : preSharedKey({ psk: keyFile(values.psk) })
  }
}

function pick (choices, name) {
  if (choices[name] == null) throw new Error(`unknown ${name}: one of ${Object.keys(choices)}`)
  return choices[name]
}

// Shows the certificate of the folder. Its root is trusted through NODE_EXTRA_CA_CERTS.
function secureWebSockets (folder) {
  const read = name => readFileSync(join(folder, name))
  return webSockets({ https: { cert: read('cert.pem'), key: read('key.pem') } })
}

// The library reads keys only in the form of a file.
function keyFile (hex) {
  return new TextEncoder().encode(`/key/swarm/psk/1.0.0/\n/base16/\n${hex}\n`)
}
