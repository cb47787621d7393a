// Publish and subscribe: what the commands about topics do, with gossipsub or with floodsub.

import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { floodsub } from '@libp2p/floodsub'
import { gossipsub } from '@libp2p/gossipsub'
import { peerIdFromString } from '@libp2p/peer-id'
import { pattern } from './data.js'

const PROTOCOLS = { floodsub, gossipsub }

// How the names of their versions begin.
const NAMES = ['/meshsub/', '/floodsub/']

// Between two looks for something that the library has no event for, in milliseconds.
const POLL = 20

// The service that the arguments name.
export function services ({ pubsub: name, anonymous }) {
  if (name == null) return {}
  if (PROTOCOLS[name] == null) throw new Error(`unknown pub/sub protocol ${name}`)
  const globalSignaturePolicy = anonymous ? 'StrictNoSign' : 'StrictSign'
  return { pubsub: PROTOCOLS[name]({ globalSignaturePolicy }) }
}

// The commands about topics.
export function topics (node, journal) {
  const { pubsub } = node.services
  if (pubsub == null) return {}
  pubsub.addEventListener('message', ({ detail }) => journal.record('message', message(detail)))

  return {
    async subscribe ({ topic }) {
      pubsub.subscribe(topic)
      return {}
    },

    async unsubscribe ({ topic }) {
      pubsub.unsubscribe(topic)
      return {}
    },

    async publish ({ topic, bytes, seed }) {
      const data = pattern(seed, 0, bytes)
      await pubsub.publish(topic, data)
      return { sha256: sha256(data) }
    },

    async peers ({ topic, count }) {
      return { peers: await until(() => pubsub.getSubscribers(topic).map(String), peers => peers.length === count) }
    },

    async mesh ({ topic, count }) {
      return { peers: await until(() => pubsub.getMeshPeers(topic), peers => peers.length >= count) }
    },

    async protocol ({ peer }) {
      return { protocol: await until(() => spoken(node, peer), protocol => protocol != null) }
    },

    // The library counts one word alone, for some heartbeats.
    async heard ({ word, count }) {
      const heard = () => word === 'idontwant' ? sum([...pubsub.idontwants.values()].map(ids => ids.size)) : 0
      return { count: await until(heard, found => found >= count) }
    }
  }
}

// Asks again and again until the answer is good.
async function until (ask, isGood) {
  for (;;) {
    const answer = ask()
    if (isGood(answer)) return answer
    await sleep(POLL)
  }
}

// The protocol of the stream that is open to a peer.
function spoken (node, peer) {
  const streams = node.getConnections(peerIdFromString(peer)).flatMap(({ streams }) => streams)
  const ours = streams.filter(({ direction }) => direction === 'outbound').map(({ protocol }) => protocol)
  return ours.find(protocol => NAMES.some(name => protocol?.startsWith(name)))
}

function message ({ topic, type, from, data }) {
  return { topic, author: from?.toString(), signed: type === 'signed', bytes: data.byteLength, sha256: sha256(data) }
}

function sha256 (data) {
  return createHash('sha256').update(data).digest('hex')
}

function sum (numbers) {
  return numbers.reduce((sum, number) => sum + number, 0)
}
