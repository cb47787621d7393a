// `/sinew/test/echo/1.0.0`: served on every inbound stream, and driven by the echo, streams and reset commands.

import { createHash } from 'node:crypto'
import { matches, pattern } from './data.js'

export const ECHO = '/sinew/test/echo/1.0.0'

// Above the 200 streams that the suite opens at once; the library's own default is 32 inbound and 64 outbound.
export const LIMITS = { maxInboundStreams: 256, maxOutboundStreams: 256 }

// Bytes written at once.
const CHUNK = 16 * 1024

// Echoes until the end.
export async function serve (stream, journal) {
  let bytes = 0
  try {
    for await (const chunk of stream) {
      bytes += chunk.byteLength
      await write(stream, chunk)
    }
    await stream.close()
    journal.record('served', { bytes })
  } catch (error) {
    stream.abort(error)
    journal.record('reset', { bytes, error: `${error.name}: ${error.message}` })
  }
}

// Sends `bytes` bytes, half-closes, and reads back until the end; begins to read after `pause` milliseconds.
export async function echo (connection, bytes, pause) {
  const stream = await open(connection)
  if (pause > 0) {
    stream.pause()
    setTimeout(() => stream.resume(), pause)
  }
  const hash = createHash('sha256')
  const received = await exchange(stream, 0, bytes, chunk => hash.update(chunk))
  return { bytes: received, sha256: hash.digest('hex') }
}

// Opens `count` streams, at most `atOnce` at a time, and echoes `bytes` on each with a seed of its own.
export async function streams (connection, count, atOnce, bytes) {
  let next = 0
  const worker = async () => {
    while (next < count) {
      const i = next++
      const received = await exchange(await open(connection), i & 0xff, bytes, () => {})
      if (received !== bytes) throw new Error(`stream ${i}: ${received} bytes`)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return { streams: count }
}

// Opens `count` streams at once, has a byte echoed on each, and keeps those on which that went well until all are settled.
export async function crowd (connection, count) {
  const settled = await Promise.allSettled(Array.from({ length: count }, async () => held(connection)))
  const served = settled.filter(({ status }) => status === 'fulfilled')
  for (const { value: stream } of served) stream.abort(new Error('no longer held'))
  return { served: served.length, refused: count - served.length }
}

// A stream that the other side serves until it ends. Some hold back the last byte, so there are two.
async function held (connection) {
  const stream = await open(connection)
  let read = 0
  const first = readUntil(stream, () => ++read > 0)
  await Promise.all([first, write(stream, new Uint8Array(2))])
  if (read === 0) throw new Error('the stream ended')
  return stream
}

// Sends `bytes` bytes, reads half of them back, and resets.
export async function reset (connection, bytes) {
  const stream = await open(connection)
  let read = 0
  const half = readUntil(stream, chunks => {
    for (const chunk of chunks) read += chunk.byteLength
    return read >= bytes / 2
  })
  await send(stream, 0, bytes)
  await half
  stream.abort(new Error('reset on purpose'))
  return { sent: bytes, read }
}

async function open (connection) {
  return connection.newStream(ECHO)
}

async function exchange (stream, seed, bytes, use) {
  let received = 0
  const receive = readUntil(stream, list => {
    for (const chunk of list) {
      if (!matches(seed, received, chunk)) throw new Error(`wrong bytes after ${received}`)
      use(chunk)
      received += chunk.byteLength
    }
    return false
  })
  try {
    await Promise.all([receive, send(stream, seed, bytes).then(async () => stream.close())])
    return received
  } catch (error) {
    stream.abort(error)
    throw error
  }
}

async function readUntil (stream, isEnough) {
  for await (const list of stream) {
    if (isEnough(list instanceof Uint8Array ? [list] : list)) return
  }
}

async function send (stream, seed, bytes) {
  for (let sent = 0; sent < bytes; sent += CHUNK) {
    await write(stream, pattern(seed, sent, Math.min(CHUNK, bytes - sent)))
  }
}

async function write (stream, chunk) {
  if (!stream.send(chunk)) await stream.onDrain()
}
