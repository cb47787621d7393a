// The control protocol: commands come as JSON lines on stdin, answers go to stdout.

import { createInterface } from 'node:readline'
import { identify, identifyPush } from '@libp2p/identify'
import { peerIdFromString } from '@libp2p/peer-id'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import manifest from '../package.json' with { type: 'json' }
import { ECHO, LIMITS, crowd, echo, reset, serve, streams } from './echo.js'
import { Journal } from './journal.js'
import { services, topics } from './pubsub.js'
import { options, parse } from './stack.js'

// Does what the lines of stdin ask for until stdin ends.
export async function control (args) {
  const values = parse(args)
  const node = await createLibp2p({
    ...await options(values),
    // js does not wait for our end of a ping's stream, and would refuse to open the next one before it has come.
    services: { identify: identify(), identifyPush: identifyPush(), ping: ping({ maxOutboundStreams: 16 }), ...services(values) }
  })
  const actions = await serving(node, values['default-limits'] ? {} : LIMITS)
  print({ ready: { peer: node.peerId.toString(), library: 'js-libp2p', version: manifest.dependencies.libp2p } })
  createInterface({ input: process.stdin })
    .on('line', line => { void run(actions, JSON.parse(line)) })
    .on('close', () => process.exit(0))
}

// Serves echo within these limits, keeps a journal, and gives the commands.
async function serving (node, limits) {
  const journal = new Journal()
  node.addEventListener('peer:identify', ({ detail }) => {
    journal.record('identified', identified(detail))
  })
  node.addEventListener('connection:open', ({ detail }) => {
    const { remotePeer, encryption, multiplexer } = detail
    journal.record('connected', { peer: remotePeer.toString(), ...layers(encryption, multiplexer) })
  })
  node.addEventListener('connection:close', ({ detail }) => {
    journal.record('disconnected', { peer: detail.remotePeer.toString() })
  })
  await node.handle(ECHO, stream => serve(stream, journal), limits)

  return {
    ...topics(node, journal),

    async listen ({ addr }) {
      const before = node.getMultiaddrs().map(String)
      await node.components.transportManager.listen([multiaddr(addr)])
      return { addrs: node.getMultiaddrs().map(String).filter(addr => !before.includes(addr)) }
    },

    async dial ({ addr }) {
      const connection = await node.dial(multiaddr(addr))
      return { peer: connection.remotePeer.toString() }
    },

    async ping ({ peer, count }) {
      const micros = []
      for (let i = 0; i < count; i++) {
        micros.push(await node.services.ping.ping(peerIdFromString(peer)) * 1000)
      }
      return { micros }
    },

    async identify ({ peer, addr }) {
      // The library has one event for answers and pushes; only an answer says under which address we are seen.
      const isWanted = info => addr == null ? info.observed_addr != null : info.listen_addrs.includes(addr)
      const isMeant = info => info.peer === peer && isWanted(info)
      const [info] = await journal.wait('identified', 1, isMeant)
      return info
    },

    async echo ({ peer, bytes, pause }) {
      return echo(connectionTo(node, peer), bytes, pause)
    },

    async streams ({ peer, count, at_once: atOnce, bytes }) {
      return streams(connectionTo(node, peer), count, atOnce, bytes)
    },

    async crowd ({ peer, count }) {
      return crowd(connectionTo(node, peer), count)
    },

    async reset ({ peer, bytes }) {
      return reset(connectionTo(node, peer), bytes)
    },

    async events ({ kind, count }) {
      return { events: await journal.wait(kind, count) }
    }
  }
}

async function run (actions, { id, do: action, ...args }) {
  try {
    if (actions[action] == null) throw new Error(`unknown command ${action}`)
    print({ id, ok: await actions[action](args) })
  } catch (error) {
    print({ id, error: chain(error) })
  }
}

// QUIC names itself in the place of both.
function layers (security, muxer) {
  return security === 'native' ? {} : { security, muxer }
}

function identified (info) {
  return {
    peer: info.peerId.toString(),
    agent: info.agentVersion,
    protocol_version: info.protocolVersion,
    protocols: info.protocols,
    listen_addrs: info.listenAddrs.map(String),
    observed_addr: info.observedAddr?.toString(),
    key_type: info.peerId.type.toLowerCase(),
    signed_record: info.signedPeerRecord != null
  }
}

function connectionTo (node, peer) {
  const [connection] = node.getConnections(peerIdFromString(peer))
  if (connection == null) throw new Error(`not connected to ${peer}`)
  return connection
}

// An error with its causes. Some of the library's promises reject with the event that ended a stream.
export function chain (error) {
  if (error instanceof Event) return `${error.type} event${error.error == null ? '' : `: ${chain(error.error)}`}`
  const causes = [error.cause, ...(error.errors ?? [])].filter(cause => cause != null).map(chain)
  return [`${error.name}: ${error.message}`, ...causes].join(': ')
}

function print (line) {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
