/** `node:fs`, as far as the agent uses it: files of the host that is running, in memory. */
import { worldNow } from '../host-world.ts'

/** The one device there is: opened it is armed, fed by whatever is written, switched off by a V. */
export const WATCHDOG = '/dev/watchdog'

const open = new Map<number, string>()
let next = 1_000

function failure(code: string, path: string): Error {
  return Object.assign(new Error(`${code}: ${path}`), { code })
}

export function readFileSync(path: string): string {
  const text = worldNow().files.get(path)
  if (text === undefined) throw failure('ENOENT', path)
  return text
}

export function writeFileSync(target: string | number, text: string): void {
  const path = typeof target === 'number' ? (open.get(target) as string) : target
  const world = worldNow()
  if (world.diskFull) throw failure('ENOSPC', path)
  if (world.writesLeft <= 0) {
    world.writesLeft = Number.POSITIVE_INFINITY
    world.files.set(path, String(text).slice(0, Math.floor(text.length / 2)))
    world.died()
    throw failure('EIO', path)
  }
  world.writesLeft -= 1
  world.files.set(path, String(text))
}

export function appendFileSync(path: string, text: string): void {
  writeFileSync(path, (worldNow().files.get(path) ?? '') + text)
}

export function writeSync(fd: number, text: string): void {
  if (open.get(fd) === WATCHDOG) {
    const device = worldNow().watchdog
    return text === 'V' ? device?.disarm() : device?.feed()
  }
  appendFileSync(open.get(fd) as string, text)
}

export function rmSync(path: string, { force = false } = {}): void {
  if (!worldNow().files.delete(path) && !force) throw failure('ENOENT', path)
}

export const existsSync = (path: string): boolean => worldNow().files.has(path)

export const constants = { X_OK: 1 }

/** Of the tools of a host there are none: what needs one is refused as on a host without it. */
export function accessSync(path: string): void {
  readFileSync(path)
}

export function statSync(path: string) {
  const size = readFileSync(path).length
  return { ino: 1, size, mtimeMs: 0, ctimeMs: 0 }
}

export function renameSync(from: string, to: string): void {
  const { files } = worldNow()
  const text = files.get(from)
  if (text === undefined) throw failure('ENOENT', from)
  files.delete(from)
  files.set(to, text)
}

export function openSync(path: string, flags = 'r'): number {
  const world = worldNow()
  if (path === WATCHDOG) {
    if (world.watchdog === null) throw failure('ENOENT', path)
    world.watchdog.feed()
  } else if (flags !== 'r') {
    if (world.diskFull) throw failure('ENOSPC', path)
    world.files.set(path, '')
  }
  next += 1
  open.set(next, path)
  return next
}

export function closeSync(fd: number): void {
  open.delete(fd)
}

export function fsyncSync(): void {}

export function mkdirSync(): void {}
