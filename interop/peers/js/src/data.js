// The deterministic bytes of the tests.

// The pattern with this seed (interop/README.md) from a position on.
export function pattern (seed, from, length) {
  const bytes = new Uint8Array(length)
  for (let k = 0, i = from; k < length; k++, i++) bytes[k] = seed + i + (i >> 8) + (i >> 16)
  return bytes
}

export function matches (seed, from, bytes) {
  return pattern(seed, from, bytes.byteLength).every((byte, k) => byte === bytes[k])
}
