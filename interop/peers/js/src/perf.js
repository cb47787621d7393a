// `/perf/1.0.0` of the specification, which the library has in no version that fits: a server, and a client with statistics.

import { once } from 'node:events'

const PERF = '/perf/1.0.0'

// Bytes written at once.
const ZEROS = new Uint8Array(64 * 1024)

// How long one transfer may take, in milliseconds.
const LIMIT = 60_000

// Serves it.
export async function serve (node) {
  await node.handle(PERF, async stream => {
    try {
      const wanted = new Uint8Array(8)
      let read = 0
      await drain(stream, chunk => {
        if (read < 8) wanted.set(chunk.subarray(0, 8 - read), read)
        read += chunk.byteLength
      })
      if (read < 8) throw new Error('the stream ended before it said what is wanted')
      await send(stream, Number(new DataView(wanted.buffer).getBigUint64(0)))
      await stream.close()
    } catch (error) {
      console.error('perf:', error)
      stream.abort(error)
    }
  })
}

// Runs the three series, and gives what came of them.
export async function measure (connection, env) {
  const [up, down] = [number(env.UPLOAD_BYTES, 2 ** 30), number(env.DOWNLOAD_BYTES, 2 ** 30)]
  const upload = await series(connection, number(env.UPLOAD_ITERATIONS, 10), up, 0)
  const download = await series(connection, number(env.DOWNLOAD_ITERATIONS, 10), 0, down)
  const latency = await series(connection, number(env.LATENCY_ITERATIONS, 100), 1, 1)
  const gigabits = bytes => millis => bytes * 8 / millis / 1e6
  return `upload:\n${statistics(upload.map(gigabits(up)), 2, 'Gbps')}` +
    `download:\n${statistics(download.map(gigabits(down)), 2, 'Gbps')}` +
    `latency:\n${statistics(latency, 3, 'ms')}`
}

// How many milliseconds each of so many transfers took.
async function series (connection, iterations, upload, download) {
  const times = []
  for (let i = 0; i < iterations; i++) {
    const start = performance.now()
    await transfer(connection, upload, download)
    times.push(performance.now() - start)
  }
  return times
}

async function transfer (connection, upload, download) {
  const stream = await connection.newStream(PERF, { signal: AbortSignal.timeout(LIMIT) })
  const late = setTimeout(() => stream.abort(new Error('a transfer took too long')), LIMIT)
  try {
    let received = 0
    const answer = drain(stream, chunk => { received += chunk.byteLength })
    const wanted = new DataView(new ArrayBuffer(8))
    wanted.setBigUint64(0, BigInt(download))
    stream.send(new Uint8Array(wanted.buffer))
    await Promise.all([answer, send(stream, upload).then(async () => stream.close())])
    if (received !== download) throw new Error(`${received} bytes came where ${download} were asked for`)
  } finally {
    clearTimeout(late)
  }
}

// Reads to the end. The library's iterator waits for ever where the end has come before it. That end has been told already,
// though bytes before it may lie in the buffer still: the listener gets them before the next turn.
async function drain (stream, use) {
  return new Promise((resolve, reject) => {
    stream.addEventListener('end', resolve)
    stream.addEventListener('close', ({ error }) => { error == null ? resolve() : reject(error) })
    stream.addEventListener('message', ({ data }) => {
      for (const chunk of data instanceof Uint8Array ? [data] : data) use(chunk)
    })
    if (stream.readableEnded) setTimeout(resolve)
  })
}

// Sends so many zeros. The library's `onDrain` waits only the first time.
async function send (stream, count) {
  const ended = once(stream, 'close').then(() => { throw new Error('the stream ended') })
  ended.catch(() => {})
  for (let left = count; left > 0; left -= ZEROS.byteLength) {
    if (!stream.send(ZEROS.subarray(0, Math.min(left, ZEROS.byteLength)))) {
      await Promise.race([once(stream, 'drain'), ended])
    }
  }
}

// A number from the environment; the suite sets some to `null`.
function number (text, otherwise) {
  return text == null || text === '' || text === 'null' ? otherwise : Number(text)
}

// Quartiles, and the extremes of what lies within one and a half times their distance.
function statistics (samples, decimals, unit) {
  samples.sort((a, b) => a - b)
  const [q1, median, q3] = [0.25, 0.5, 0.75].map(share => quantile(samples, share))
  const reach = 1.5 * (q3 - q1)
  const isInner = sample => sample >= q1 - reach && sample <= q3 + reach
  const inner = samples.filter(isInner)
  const list = values => `[${values.map(value => value.toFixed(decimals)).join(', ')}]`
  const values = { min: inner[0], q1, median, q3, max: inner.at(-1) }
  return [
    `iterations: ${samples.length}`,
    ...Object.entries(values).map(([name, value]) => `${name}: ${value.toFixed(decimals)}`),
    `outliers: ${list(samples.filter(sample => !isInner(sample)))}`,
    `samples: ${list(samples)}`,
    `unit: ${unit}`
  ].map(line => `  ${line}\n`).join('')
}

function quantile (sorted, share) {
  const place = share * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(place)], sorted[Math.ceil(place)]]
  return below + (above - below) * (place - Math.floor(place))
}
