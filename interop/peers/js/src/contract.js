// The contract of the official transport suite: a role and a stack in the environment, an address passed on through redis,
// results on stdout.

import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { createClient } from '@redis/client'
import { createLibp2p } from 'libp2p'
import { layers, options, parse } from './stack.js'

const { IS_DIALER, LISTENER_IP, REDIS_ADDR, TEST_KEY, TEST_TIMEOUT_SECS, TRANSPORT } = process.env

// How long the other side may keep this one waiting, in seconds.
const PATIENCE = Number(TEST_TIMEOUT_SECS ?? 180)

// How long a dial and a ping may take, in milliseconds.
const LIMIT = 30_000

const KEY = `${TEST_KEY}_listener_multiaddr`

// What follows the IP address where to listen.
const LISTEN = { tcp: 'tcp/0', ws: 'tcp/0/ws', wss: 'tcp/0/tls/ws', 'quic-v1': 'udp/0/quic-v1' }

// One side of the suite; the environment says which.
export async function contract (args) {
  const node = await createLibp2p({ ...await options(parse(args, layers(process.env))), services: { ping: ping() } })
  const redis = await createClient({ url: `redis://${REDIS_ADDR}` }).connect()
  await (IS_DIALER === 'true' ? dial(node, redis) : listen(node, redis))
}

// Listens, passes the address on, and answers until it is ended.
async function listen (node, redis) {
  await node.components.transportManager.listen([multiaddr(`/ip4/${LISTENER_IP}/${LISTEN[TRANSPORT]}`)])
  const addrs = node.getMultiaddrs().map(String)
  const reachable = addrs.find(addr => !addr.startsWith('/ip4/127.')) ?? addrs[0]
  await redis.del(KEY)
  // Some peers know secure WebSockets by their older name only.
  await redis.rPush(KEY, reachable.replace('/tls/ws', '/wss'))
  await new Promise(resolve => setTimeout(resolve, PATIENCE * 1000))
  throw new Error('nobody ended this listener in time')
}

// Dials, pings once, and prints how long that took.
async function dial (node, redis) {
  const { element } = await redis.blPop(KEY, PATIENCE) ?? {}
  if (element == null) throw new Error('the listener gave no address')
  // The library knows them by their newer name.
  const addr = multiaddr(element.replace('/wss', '/tls/ws'))
  const start = performance.now()
  await node.dial(addr, { signal: AbortSignal.timeout(LIMIT) })
  const rtt = await node.services.ping.ping(addr, { signal: AbortSignal.timeout(LIMIT) })
  const handshake = performance.now() - start
  console.log(`latency:\n  handshake_plus_one_rtt: ${handshake}\n  ping_rtt: ${rtt}\n  unit: ms`)
  process.exit(0)
}
