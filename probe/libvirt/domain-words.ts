/** How domains, and what is known of them, stand in libvirt's messages. */
import type { Domain, DomainState } from './client.ts'
import { DOMAIN, TYPED_BYTES, TYPED_STRING, UUID_LENGTH } from './constants.ts'
import { type XdrReader, XdrWriter } from './xdr.ts'

export function writeDomain(domain: Domain, to = new XdrWriter()): XdrWriter {
  return to
    .string(domain.name)
    .opaque(Buffer.from(domain.uuid.replaceAll('-', ''), 'hex'))
    .int(domain.id)
}

export function readDomain(body: XdrReader): Domain {
  const name = body.string()
  const hex = body.opaque(UUID_LENGTH).toString('hex')
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
  return { name, uuid, id: body.int() }
}

/** @returns by UUID */
export function readStates(body: XdrReader): ReadonlyMap<string, DomainState> {
  const states = new Map<string, DomainState>()
  for (let left = body.unsigned(); left > 0; left -= 1) {
    const { uuid } = readDomain(body)
    const said = readNumbers(body)
    states.set(uuid, {
      state: said['state.state'] ?? DOMAIN.none,
      reason: said['state.reason'] ?? 0,
    })
  }
  return states
}

/** Of a list of typed parameters those that are whole numbers of 32 bits. */
function readNumbers(body: XdrReader): { readonly [name: string]: number | undefined } {
  const numbers: { [name: string]: number } = {}
  for (let left = body.unsigned(); left > 0; left -= 1) {
    const name = body.string()
    const type = body.int()
    const bytes = TYPED_BYTES[type]
    if (type === TYPED_STRING) body.string()
    else if (bytes === undefined) throw new RangeError(`a parameter of type ${type}`)
    else if (bytes === 4) numbers[name] = body.int()
    else body.opaque(bytes)
  }
  return numbers
}
