/** `memory=4G disk.vda.bus=virtio nic.net0=none`: settings of a virtual machine on a command line. */
import { HoldfastError } from '../schema/errors.ts'
import { nearest } from './suggest.ts'

type Value = string | number | boolean | null | Value[] | { [key: string]: Value }
type Fields = Record<string, Value>
type Reader = (text: string, word: string) => Value

export const VM_WORDS = `Settings:
  memory=4G  current-memory=2G  max-memory=16G|none      M, G or T; a number alone is MiB
  cpus=4  current-cpus=2  topology=2x2x1|none             sockets x cores x threads
  cpu=host-passthrough|host-model|maximum|none|MODEL
  firmware=bios|efi
  boot=hd,cdrom,network,fd                                kinds, or names: boot=vda,net0
  disk.TARGET.source=/path|none  .format=qcow2  .bus=virtio  .readonly=yes|no
             .device=disk|cdrom  .type=file|block  .target=sda
  nic.NAME.network=NAME | .bridge=BR | .direct=DEV | .user=yes  .model=virtio  .mac=MAC
  disk.TARGET=none  nic.NAME=none                         removes it
A disk or interface that there is none of is added. NAME is net0, net1 … or its MAC.`

const PLAIN: Readonly<Record<string, readonly [string, Reader]>> = {
  memory: ['memoryMib', mib],
  'current-memory': ['currentMemoryMib', mib],
  'max-memory': ['maxMemoryMib', orNone(mib)],
  cpus: ['cpus', count],
  'current-cpus': ['currentCpus', count],
  topology: ['topology', orNone(topology)],
  firmware: ['firmware', text],
  boot: ['boot', (value) => value.split(',').map((one) => one.trim())],
}
const CPU_MODES = ['host-passthrough', 'host-model', 'maximum']
const DISK: Readonly<Record<string, Reader>> = {
  ...{ source: orNone(text), format: text, bus: text, device: text, type: text, target: text },
  readonly: yesNo,
}
const NIC: Readonly<Record<string, (value: string, word: string) => Fields>> = {
  network: (source) => ({ type: 'network', source }),
  bridge: (source) => ({ type: 'bridge', source }),
  direct: (source) => ({ type: 'direct', source }),
  user: (value, word) => (yesNo(value, word) ? { type: 'user' } : {}),
  model: (model) => ({ model }),
  mac: (mac) => ({ mac }),
}

/** @throws {HoldfastError} BAD_REQUEST: a word that is not understood */
export function changeOf(words: readonly string[]): Record<string, never> {
  const change: Fields = {}
  for (const word of words) {
    const at = word.indexOf('=')
    if (at < 1) throw notUnderstood(word, 'It has to be SETTING=VALUE.')
    const [name, value] = [word.slice(0, at), word.slice(at + 1)]
    const [, kind, thing = '', field] = /^(disk|nic)\.([^.]+)(?:\.([^.]+))?$/.exec(name) ?? []
    if (kind) device(change, kind === 'disk' ? 'disks' : 'interfaces', thing, field, value, word)
    else plain(change, name, value, word)
  }
  return change as Record<string, never>
}

function plain(change: Fields, name: string, value: string, word: string): void {
  if (name === 'cpu') {
    const mode = CPU_MODES.includes(value) ? value : null
    Object.assign(
      change,
      mode !== null || value === 'none' ? { cpuMode: mode } : { cpuModel: value },
    )
    return
  }
  const known = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined
  if (!known) throw unknown(word, name, [...Object.keys(PLAIN), 'cpu', 'disk.…', 'nic.…'])
  const [field, read] = known
  if (field in change) throw notUnderstood(word, `"${name}" is said twice.`)
  change[field] = read(value, word)
}

function device(
  change: Fields,
  list: 'disks' | 'interfaces',
  name: string,
  field: string | undefined,
  value: string,
  word: string,
): void {
  // Without a prototype: any name may stand in the command line.
  const all = (change[list] ?? Object.create(null)) as Record<string, Fields | null>
  change[list] = all as Fields
  if (field === undefined) {
    if (value !== 'none') throw notUnderstood(word, 'Only "none" can stand here: it is removed.')
    if (all[name]) throw notUnderstood(word, `"${name}" is changed and removed at once.`)
    all[name] = null
    return
  }
  if (all[name] === null) throw notUnderstood(word, `"${name}" is changed and removed at once.`)
  const fields: Fields = all[name] ?? {}
  all[name] = fields
  const readers = list === 'disks' ? DISK : NIC
  const read = Object.hasOwn(readers, field) ? readers[field] : undefined
  if (!read) throw unknown(word, field, Object.keys(readers))
  const said = read(value, word)
  Object.assign(fields, list === 'disks' ? { [field]: said } : said)
}

function text(value: string): string {
  return value
}

function orNone(read: Reader): Reader {
  return (value, word) => (value === 'none' ? null : read(value, word))
}

/** @returns MiB */
function mib(value: string, word: string): number {
  const [, digits, unit = 'm'] = /^(\d{1,9})(?:([mgt])(?:ib?|b)?)?$/i.exec(value) ?? []
  if (digits === undefined) throw notUnderstood(word, 'A size is a number with M, G or T.')
  return Number(digits) * 1024 ** 'mgt'.indexOf(unit.toLowerCase())
}

function count(value: string, word: string): number {
  if (/^\d{1,5}$/.test(value)) return Number(value)
  throw notUnderstood(word, 'It has to be a whole number.')
}

function topology(value: string, word: string): Value {
  const [, sockets, cores, threads] = /^(\d{1,4})x(\d{1,4})x(\d{1,4})$/.exec(value) ?? []
  if (threads === undefined)
    throw notUnderstood(word, 'It has to be sockets x cores x threads, e.g. 2x4x1.')
  return { sockets: Number(sockets), cores: Number(cores), threads: Number(threads) }
}

function yesNo(value: string, word: string): boolean {
  if (/^(?:yes|on|true)$/.test(value)) return true
  if (/^(?:no|off|false)$/.test(value)) return false
  throw notUnderstood(word, 'It has to be yes or no.')
}

function unknown(word: string, name: string, known: readonly string[]): HoldfastError {
  const near = nearest(name, known)
  const there = `There are: ${known.join(', ')}.`
  return notUnderstood(word, there, near ? `did you mean "${near}"?` : undefined)
}

function notUnderstood(word: string, why: string, remedy?: string): HoldfastError {
  return new HoldfastError({
    code: 'BAD_REQUEST',
    message: `the setting "${word}" is not understood`,
    why: `${why} Nothing was changed.`,
    remedy: remedy ?? 'See what can be said: holdfast vm set --help',
  })
}
