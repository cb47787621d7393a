// A js-libp2p node for the interop suites: with a control protocol on stdin, or by the contracts of the official suites.

import { contract } from './contract.js'
import { control } from './control.js'

const modes = { control, transport: contract }
const [mode, ...args] = process.argv.slice(2)
if (modes[mode] == null) throw new Error(`the first argument is one of ${Object.keys(modes)}`)
await modes[mode](args)
