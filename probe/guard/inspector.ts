/**
 * Where a Node.js process is that is busy and says nothing: its JavaScript stack, taken from outside. It costs
 * the process nothing before: SIGUSR1 has its inspector opened by a thread of its own, on a port of 127.0.0.1
 * under an id that is written to its stderr and nowhere else. Whoever asks kills the process afterwards.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { STACK_LINES_MAX, WORD_LINE_MAX } from '../../schema/last-calls.ts'

/**
 * From the verdict to SIGKILL at most: its neighbours wait for their next monitor meanwhile. It takes some 50 ms
 * where a processor is free. One that waits in the kernel will hardly come back to its JavaScript.
 */
const EXAMINE_MS = { busy: 1_000, waits: 200 }
/** More than a process says of all its scripts. */
const HEARD_MAX = 32 * 1_048_576

/** Every child that may be examined has these; they open nothing by themselves. */
export const EXAMINED_WORDS = ['--inspect-port=127.0.0.1:0', '--inspect-publish-uid=stderr']
/** What it writes then. */
export const LISTENS = /Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)\/([0-9a-f-]+)/

interface Subject {
  readonly pid: number
  kill(signal: 'SIGUSR1'): unknown
  /** Resolves with where its inspector listens, once it says so. */
  listens(): Promise<{ port: number; id: string }>
}

/** @returns innermost first; what the kernel says where no JavaScript runs; nothing if nothing is to be known */
export async function stackOf(subject: Subject): Promise<string[]> {
  const where = inKernel(subject.pid)
  if (where?.state === 'T') return ['stopped by a signal (state T)']
  const abort = new AbortController()
  const late = AbortSignal.timeout(where?.state === 'R' ? EXAMINE_MS.busy : EXAMINE_MS.waits)
  try {
    const over = new Promise<string[]>((resolve) =>
      late.addEventListener('abort', () => resolve([])),
    )
    const asked = ask(subject, abort.signal)
    asked.catch(() => {})
    const stack = await Promise.race([asked, over])
    if (stack.length > 0) return stack
  } catch {
    // It is gone, or nobody can connect here: what the kernel says is left.
  } finally {
    abort.abort()
  }
  if (!where) return []
  return [`no JavaScript stack to be had: state ${where.state} in the kernel, ${where.channel}`]
}

async function ask(subject: Subject, signal: AbortSignal): Promise<string[]> {
  const listens = subject.listens()
  subject.kill('SIGUSR1')
  const { port, id } = await listens
  const socket = connect({ host: '127.0.0.1', port, signal })
  try {
    return await paused(socket, port, id)
  } finally {
    socket.destroy()
  }
}

/** The few lines of WebSocket that it takes: the guard has no dependencies. */
function paused(socket: Socket, port: number, id: string): Promise<string[]> {
  return new Promise((resolve, reject) => {
    let heard = Buffer.alloc(0)
    let open = false
    const files = new Map<string, string>()
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed')))
    socket.on('connect', () =>
      socket.write(
        `GET /${id} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${randomBytes(16).toString('base64')}\r\n\r\n`,
      ),
    )
    socket.on('data', (bytes) => {
      heard = Buffer.concat([heard, bytes])
      if (heard.length > HEARD_MAX) return reject(new Error('too much'))
      if (!open) {
        const end = heard.indexOf('\r\n\r\n')
        if (end < 0) return
        if (!heard.subarray(0, end).toString('latin1').startsWith('HTTP/1.1 101'))
          return reject(new Error('no inspector'))
        open = true
        heard = heard.subarray(end + 4)
        socket.write(masked({ id: 1, method: 'Debugger.enable' }))
        socket.write(masked({ id: 2, method: 'Debugger.pause' }))
      }
      for (let frame = firstOf(heard); frame; frame = firstOf(heard)) {
        heard = heard.subarray(frame.end)
        const stack = hear(frame.text, files)
        if (stack) return resolve(stack)
      }
    })
  })
}

function masked(message: object): Buffer {
  const text = Buffer.from(JSON.stringify(message))
  // None of ours is longer than a frame with a short length; a mask of zeros leaves it as it is.
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text])
}

/** The first whole frame of what has been heard, or null. */
function firstOf(heard: Buffer): { text: string; end: number } | null {
  if (heard.length < 2) return null
  const short = heard.readUInt8(1) & 0x7f
  const head = short === 126 ? 4 : short === 127 ? 10 : 2
  if (heard.length < head) return null
  const length =
    head === 2 ? short : head === 4 ? heard.readUInt16BE(2) : Number(heard.readBigUInt64BE(2))
  const end = head + length
  return heard.length < end ? null : { text: heard.toString('utf8', head, end), end }
}

interface Said {
  readonly method?: string
  readonly params?: { scriptId?: string; url?: string; callFrames?: Frame[] }
}

interface Frame {
  readonly functionName?: string
  readonly location?: { scriptId?: string; lineNumber?: number; columnNumber?: number }
}

/** @param files names of scripts, by id: told of each before it has paused */
function hear(text: string, files: Map<string, string>): string[] | null {
  const { method, params = {} } = JSON.parse(text) as Said
  const { scriptId, url = '', callFrames = [] } = params
  // Of a module imported from memory without a name of its own the address is all its bytes.
  if (method === 'Debugger.scriptParsed' && scriptId !== undefined)
    files.set(scriptId, url.startsWith('data:') ? 'data:…' : url)
  if (method !== 'Debugger.paused') return null
  return callFrames.slice(0, STACK_LINES_MAX).map((frame) => lineOf(frame, files))
}

function lineOf({ functionName, location = {} }: Frame, files: Map<string, string>): string {
  const { scriptId = '', lineNumber = 0, columnNumber = 0 } = location
  const at = `${lineNumber + 1}:${columnNumber + 1}`
  const name = functionName || '(anonymous)'
  const file = files.get(scriptId) ?? ''
  return `${name} (${file}:${at})`.slice(0, WORD_LINE_MAX)
}

function inKernel(pid: number): { state: string; channel: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const state = stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3)
    const channel = readFileSync(`/proc/${pid}/wchan`, 'latin1').trim()
    return { state, channel: channel && channel !== '0' ? `waits in ${channel}` : 'runs' }
  } catch {
    return null
  }
}
