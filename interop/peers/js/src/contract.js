// The contracts of the official suites: a role and a stack in the environment, an address passed on through redis, results
// on stdout.

import { setTimeout as sleep } from 'node:timers/promises'
import { ping } from '@libp2p/ping'
import { multiaddr } from '@multiformats/multiaddr'
import { createClient } from '@redis/client'
import { createLibp2p } from 'libp2p'
import { measure, serve } from './perf.js'
import { layers, options, parse } from './stack.js'

const { IS_DIALER, LISTENER_IP, REDIS_ADDR, TEST_KEY, TEST_TIMEOUT_SECS, TRANSPORT } = process.env

// How long the other side may keep this one waiting, in seconds.
const PATIENCE = Number(TEST_TIMEOUT_SECS ?? 180)

// How long a dial and a ping may take, in milliseconds.
const LIMIT = 30_000

// Between two looks for an address, in milliseconds.
const POLL = 100

const KEY = `${TEST_KEY}_listener_multiaddr`

// What follows the IP address where to listen.
const LISTEN = { tcp: 'tcp/0', ws: 'tcp/0/ws', wss: 'tcp/0/tls/ws', 'quic-v1': 'udp/0/quic-v1' }

// One side of the transport suite: a dial and a ping.
export async function transport (args) {
  const { node, redis } = await start(args, { ping: ping() })
  if (IS_DIALER !== 'true') {
    return listen(node, async addr => {
      await redis.del(KEY)
      await redis.rPush(KEY, addr)
    })
  }
  const { element } = await redis.blPop(KEY, PATIENCE) ?? {}
  const addr = dialled(element)
  const begun = performance.now()
  await node.dial(addr, { signal: AbortSignal.timeout(LIMIT) })
  const rtt = await node.services.ping.ping(addr, { signal: AbortSignal.timeout(LIMIT) })
  const handshake = performance.now() - begun
  finish(`latency:\n  handshake_plus_one_rtt: ${handshake}\n  ping_rtt: ${rtt}\n  unit: ms\n`)
}

// One side of the perf suite: uploads, downloads and exchanges of a byte.
export async function perf (args) {
  const { node, redis } = await start(args, {})
  if (IS_DIALER !== 'true') {
    await serve(node)
    return listen(node, async addr => redis.set(KEY, addr))
  }
  const addr = dialled(await waited(async () => redis.get(KEY)))
  const connection = await node.dial(addr, { signal: AbortSignal.timeout(LIMIT) })
  finish(await measure(connection, process.env))
}

async function start (args, services) {
  const node = await createLibp2p({ ...await options(parse(args, layers(process.env))), services })
  return { node, redis: await createClient({ url: `redis://${REDIS_ADDR}` }).connect() }
}

// Listens, passes the address on, and answers until it is ended.
async function listen (node, publish) {
  await node.components.transportManager.listen([multiaddr(`/ip4/${LISTENER_IP}/${LISTEN[TRANSPORT]}`)])
  const addrs = node.getMultiaddrs().map(String)
  const reachable = addrs.find(addr => !addr.startsWith('/ip4/127.')) ?? addrs[0]
  // Some peers know secure WebSockets by their older name only.
  await publish(reachable.replace('/tls/ws', '/wss'))
  await sleep(PATIENCE * 1000)
  throw new Error('nobody ended this listener in time')
}

// What the listener passed on. The library knows secure WebSockets by their newer name.
function dialled (addr) {
  if (addr == null) throw new Error('the listener gave no address')
  return multiaddr(addr.replace('/wss', '/tls/ws'))
}

async function waited (look) {
  const deadline = performance.now() + PATIENCE * 1000
  for (;;) {
    const found = await look()
    if (found != null || performance.now() > deadline) return found
    await sleep(POLL)
  }
}

// Prints a result and ends at once.
function finish (text) {
  process.stdout.write(text, () => process.exit(0))
}
