/** What is mounted where, and what keeps it busy. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { isOutOfFiles, withReserve } from '../reserve.ts'

export interface Mount {
  readonly target: string
  readonly source: string
  /** Of this mount, or of the whole file system: the kernel does that after errors. */
  readonly readOnly: boolean
}

/** All mounts of this mount namespace, in their order. @throws {Error} they cannot be looked at */
export function mounts(): Mount[] {
  const text = withReserve(() => readFileSync('/proc/self/mountinfo', 'utf8'))
  return text.split('\n').flatMap((line) => {
    const words = line.split(' ')
    const dash = words.indexOf('-')
    if (dash < 0) return []
    const options = `${words[5]},${words[dash + 3]}`.split(',')
    const [target, source] = [plain(words[4] ?? ''), plain(words[dash + 2] ?? '')]
    return [{ target, source, readOnly: options.includes('ro') }]
  })
}

/** @throws {Error} they cannot be looked at, which proves nothing (G5) */
export const mountsAt = (target: string): Mount[] =>
  mounts().filter((mount) => mount.target === target)

/** Blanks and the like are written as octal numbers. */
const plain = (word: string) =>
  word.replace(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  )

export interface Holder {
  readonly pid: number
  readonly name: string
  /** What of it lies below the mount: where it is, what it has open. */
  readonly by: string
}

/** Processes that keep a mount busy, other than this one and init. */
export function holders(target: string): Holder[] {
  const inside = (path: string) => path === target || path.startsWith(`${target}/`)
  return withReserve(() => readdirSync('/proc')).flatMap((entry) => {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid <= 1 || pid === process.pid) return []
    const by = linksOf(pid).find(inside) ?? mapsOf(pid).find(inside)
    return by === undefined ? [] : [{ pid, name: nameOf(pid), by }]
  })
}

function linksOf(pid: number): string[] {
  const own = ['cwd', 'root', 'exe'].map((name) => `/proc/${pid}/${name}`)
  const open = orNone(() => readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`))
  return [...own, ...open].flatMap((link) => orNone(() => [readlinkSync(link)]))
}

function mapsOf(pid: number): string[] {
  return orNone(() => {
    const lines = readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')
    return lines.flatMap((line) => /\s(\/.*)$/.exec(line)?.[1] ?? [])
  })
}

function nameOf(pid: number): string {
  return orNone(() => [readFileSync(`/proc/${pid}/comm`, 'utf8').trim()])[0] ?? '?'
}

/** What has ended while it was looked at holds nothing. */
function orNone(look: () => string[]): string[] {
  try {
    return withReserve(look)
  } catch (error) {
    if (isOutOfFiles(error)) throw error
    return []
  }
}
