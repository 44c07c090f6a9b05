import { isIP } from 'node:net'
import { HoldfastError } from '../../schema/errors.ts'

/** Where this host listens for its peers (S-17), as `run --peers` says. */
export type PeerListen =
  | { readonly off: true }
  | {
      readonly off: false
      /** Null: the address by which this host reaches the control plane. */
      readonly address: string | null
      /** 0: any that is free. */
      readonly port: number
    }

/**
 * `auto`, `off`, an address, `:7400`, `10.0.0.5:7400` or `[fd00::5]:7400`.
 *
 * @throws {HoldfastError} BAD_REQUEST
 */
export function parsePeerListen(text: string): PeerListen {
  if (text === 'off') return { off: true }
  if (text === 'auto') return { off: false, address: null, port: 0 }
  if (isIP(text) !== 0) return { off: false, address: text, port: 0 }
  const [, bracketed, plain, portText] = /^(?:\[([^\]]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? []
  const address = bracketed ?? plain ?? ''
  const port = Number(portText)
  const known = bracketed ? isIP(bracketed) === 6 : address === '' || isIP(address) === 4
  if (portText !== undefined && known && port >= 1 && port <= 65_535)
    return { off: false, address: address === '' ? null : address, port }
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `"${text.slice(0, 100)}" is nowhere to listen for peers`,
    why: 'It is neither an address of this host, with or without a port, nor auto or off.',
    remedy: 'Write --peers 10.0.0.5, --peers 10.0.0.5:7400, --peers :7400, or --peers off.',
  })
}
