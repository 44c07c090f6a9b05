/**
 * The guard's side of the gate (G4 b). Launchers write to one FIFO; each brings two of its own, one
 * for the answer and one that the emulator keeps open for life. No dependencies, and nothing here
 * waits: a dead or hostile asker must not stop the guard.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  openSync,
  readdirSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { askPath, asksFolder, GATE_NAME, prepareGateFolder } from './gate-script.ts'
import { argumentsOf, type Identity, identityOf, isAlive } from './proc.ts'

export interface GateAsk {
  /** Name of the domain. */
  readonly gateName: string
  /** The process that asks and that becomes the emulator: its pid stays. */
  readonly process: Identity
  /** A migration or a saved state comes in: the guest does not execute by itself. */
  readonly incoming: boolean
}

export interface GateVerdict {
  readonly yes: boolean
  readonly reason?: string
}

export interface GateHandler {
  /** Decides and records before it returns (G3): the answer leaves after it. */
  ask(ask: GateAsk): GateVerdict
  /**
   * A process that was let through is gone, seen in /proc and not only guessed. Also told of those
   * let through by an earlier guard, as long as their FIFO is in the folder.
   */
  ended(process: Identity): void
}

/** A line of an asker is far shorter; what is longer is junk. */
const LINE_LENGTH_MAX = 256
const REASON_LENGTH_MAX = 200

/** Listens until closed. A guard that was killed leaves nothing that a new one could trip over. */
export function listenGate(folder: string, handler: GateHandler): { close(): void } {
  if (!existsSync(askPath(folder))) prepareGateFolder(folder)
  const gate = new Gate(folder, handler)
  gate.adopt()
  // Read and write: with a writer of our own the FIFO never ends when the last asker leaves.
  const flags = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW
  const asks = new Socket({ fd: openSync(askPath(folder), flags), readable: true, writable: false })
  asks.setEncoding('latin1')
  asks.on(
    'data',
    lines((line) => gate.line(line)),
  )
  return {
    close() {
      asks.destroy()
      gate.close()
    },
  }
}

class Gate {
  readonly #folder: string
  readonly #launcher: string
  readonly #handler: GateHandler
  readonly #watches = new Map<string, LifeWatch>()

  constructor(folder: string, handler: GateHandler) {
    this.#folder = asksFolder(folder)
    this.#launcher = join(folder, GATE_NAME)
    this.#handler = handler
  }

  /** Takes up what an earlier guard left: emulators that live, and files of those that do not. */
  adopt(): void {
    for (const file of readdirSync(this.#folder)) {
      const match = /^(answer|life)\.(\d{1,10})\.(\d{1,19})$/.exec(file)
      if (match === null) continue
      const process = { pid: Number(match[2]), startTicks: Number(match[3]) }
      const path = join(this.#folder, file)
      if (!isAlive(process)) unlink(path)
      // One that still waits was not let through; it asks us, or gives up.
      else if (match[1] === 'life' && readAsk(process, this.#launcher) === null)
        this.#watch(process)
    }
  }

  line(line: string): void {
    const match = /^ask (\d{1,10}) (\d{1,19})$/.exec(line)
    if (match === null) return
    const process = { pid: Number(match[1]), startTicks: Number(match[2]) }
    const asked = readAsk(process, this.#launcher)
    // Watched already: it has its yes, and somebody else repeats its words.
    if (asked === null || this.#watches.has(this.#path('life', process))) return
    const answer = openFifo(this.#path('answer', process), constants.O_WRONLY)
    // Nobody reads an answer: the asker has given up, and must not be recorded as starting.
    if (answer === null) return
    try {
      this.#answer(asked, answer)
    } finally {
      closeSync(answer)
    }
  }

  close(): void {
    for (const watch of this.#watches.values()) watch.close()
    this.#watches.clear()
  }

  #answer(asked: GateAsk, answer: number): void {
    // The launcher opens "life" before it asks; it can be seen to end from before the yes.
    if (!this.#watch(asked.process)) return void say(answer, 'no the gate is out of order')
    let verdict: GateVerdict = { yes: false, reason: 'the guard failed' }
    try {
      verdict = this.#handler.ask(asked)
    } finally {
      if (!verdict.yes) this.#forget(asked.process)
      say(answer, verdict.yes ? 'yes' : `no ${oneLine(verdict.reason ?? 'not permitted')}`)
    }
  }

  #watch(process: Identity): boolean {
    const path = this.#path('life', process)
    const fd = openFifo(path, constants.O_RDONLY)
    if (fd === null) return false
    const watch = new LifeWatch(fd, process, () => {
      this.#watches.delete(path)
      unlink(path)
      this.#handler.ended(process)
    })
    this.#watches.set(path, watch)
    return true
  }

  #forget(process: Identity): void {
    const path = this.#path('life', process)
    this.#watches.get(path)?.close()
    this.#watches.delete(path)
  }

  #path(kind: 'answer' | 'life', process: Identity): string {
    return join(this.#folder, `${kind}.${process.pid}.${process.startTicks}`)
  }
}

/** Waits for the end of a process by the FIFO that it holds open. */
class LifeWatch {
  readonly #socket: Socket
  #timer: NodeJS.Timeout | undefined
  #closed = false

  constructor(fd: number, process: Identity, ended: () => void) {
    this.#socket = new Socket({ fd, readable: true, writable: false })
    this.#socket.resume()
    this.#socket.on('error', () => this.#socket.destroy())
    this.#socket.on('close', () => this.#settle(process, ended, 1))
    // Had it died before we opened its FIFO, no end would ever be signalled.
    if (!isAlive(process)) this.#socket.destroy()
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    this.#socket.destroy()
  }

  /** The FIFO ends a moment before the process does, and junk can end it early: /proc decides. */
  #settle(process: Identity, ended: () => void, waitMs: number): void {
    if (this.#closed) return
    if (!isAlive(process)) {
      this.#closed = true
      ended()
      return
    }
    const again = () => this.#settle(process, ended, Math.min(waitMs * 2, 100))
    this.#timer = setTimeout(again, waitMs)
  }
}

/** What a launcher asks for, by its command line; null when this is no launcher of ours. */
function readAsk(process: Identity, launcher: string): GateAsk | null {
  const words = argumentsOf(process.pid)
  if (words === null || identityOf(process.pid)?.startTicks !== process.startTicks) return null
  // "/bin/sh", the launcher, its arguments. After exec the launcher's name is gone.
  if (words[1] !== launcher) return null
  return { process, ...parseEmulatorArguments(words.slice(2)) }
}

/** Domain and kind of start from an emulator's arguments; libvirt writes `-name guest=NAME,...`. */
export function parseEmulatorArguments(words: readonly string[]): {
  gateName: string
  incoming: boolean
} {
  const name = words[words.indexOf('-name') + 1]
  const guest = words.includes('-name') ? /^guest=((?:[^,]|,,)*)/.exec(name ?? '')?.[1] : undefined
  return {
    gateName: (guest ?? '').replaceAll(',,', ','),
    incoming: words.includes('-incoming'),
  }
}

/** Opens somebody else's FIFO: never a link, never anything else, never waiting. */
function openFifo(path: string, access: number): number | null {
  let fd: number
  try {
    fd = openSync(path, access | constants.O_NONBLOCK | constants.O_NOFOLLOW)
  } catch {
    return null
  }
  if (fstatSync(fd).isFIFO()) return fd
  closeSync(fd)
  return null
}

/** A FIFO takes a short line at once or not at all. */
function say(fd: number, text: string): void {
  try {
    writeSync(fd, `${text}\n`)
  } catch {
    // The asker is gone. Had it been let through, the end of its life FIFO tells.
  }
}

function oneLine(text: string): string {
  return text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, REASON_LENGTH_MAX)
}

/** Splits a stream into lines; a line that is too long is dropped up to its end. */
function lines(take: (line: string) => void): (chunk: string) => void {
  let rest = ''
  let skipping = false
  return (chunk) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      if (!skipping && part.length <= LINE_LENGTH_MAX) take(part)
      skipping = false
    }
    if (rest.length > LINE_LENGTH_MAX) {
      rest = ''
      skipping = true
    }
  }
}

function unlink(path: string): void {
  try {
    unlinkSync(path)
  } catch {
    // Gone already, or not ours to remove: either way nothing depends on it.
  }
}
