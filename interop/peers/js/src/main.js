// A js-libp2p node for the interop suites: with a control protocol on stdin, or by the contracts of the official suites.

import { perf, transport } from './contract.js'
import { chain, control } from './control.js'

const modes = { control, transport, perf }
const [mode, ...args] = process.argv.slice(2)
try {
  if (modes[mode] == null) throw new Error(`the first argument is one of ${Object.keys(modes)}`)
  await modes[mode](args)
} catch (error) {
  // The last line is the one that a failed test shows.
  console.error(error)
  console.error(chain(error))
  process.exit(1)
}
