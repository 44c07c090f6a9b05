/** Where a join token comes from: a file, the environment, a prompt, a pipe. Never the command line. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs'
import { Socket } from 'node:net'
import { HoldfastError } from '../../schema/errors.ts'

const TOKEN = /^hfj_[A-Za-z0-9_-]+$/
const TOKEN_CHARS_MAX = 4_096

interface Source {
  readonly file?: string | undefined
  readonly timeoutMs: number
}

/** @throws {HoldfastError} TOKEN_INVALID */
export async function readToken({ file, timeoutMs }: Source): Promise<string> {
  const text = (
    file !== undefined
      ? await fromFile(file, timeoutMs)
      : (process.env['HOLDFAST_JOIN_TOKEN'] ?? (await fromStdin(timeoutMs)))
  ).trim()
  if (TOKEN.test(text)) return text
  throw new HoldfastError({
    code: 'TOKEN_INVALID',
    message: text === '' ? 'no join token was given' : 'what was given is no join token',
    why: 'A token begins with hfj_. It is looked for in --token-file, $HOLDFAST_JOIN_TOKEN, then on standard input.',
    remedy: 'Make one (holdfast token create) and pipe it in, or paste it when asked.',
  })
}

/** Everybody on the host reads a command line, and shells write it down. */
export const tokenOnCommandLine = (): HoldfastError =>
  new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'a token is not taken from the command line',
    why: 'Every user of this host can read it there (ps), and the shell has put it into its history. It was not used; take it for known to others.',
    remedy:
      'Pipe it in: holdfast-probe join --url … < token; or --token-file FILE, $HOLDFAST_JOIN_TOKEN, or no option at all: it asks.',
  })

async function fromFile(path: string, timeoutMs: number): Promise<string> {
  try {
    // A pipe that nobody writes to would block the opening, or the reading, for ever.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    const stats = fstatSync(fd)
    if (stats.isFIFO() || stats.isSocket() || stats.isCharacterDevice())
      return await firstLine(new Socket({ fd, readable: true, writable: false }), timeoutMs)
    try {
      return readFileSync(fd, 'utf8').slice(0, TOKEN_CHARS_MAX)
    } finally {
      closeSync(fd)
    }
  } catch (error) {
    if (error instanceof HoldfastError) throw error
    throw new HoldfastError({
      code: 'TOKEN_INVALID',
      message: `the token file ${path} cannot be read`,
      why: (error as Error).message,
      remedy: 'Name a file that this user may read.',
    })
  }
}

function fromStdin(timeoutMs: number): Promise<string> {
  return process.stdin.isTTY ? prompt(timeoutMs) : firstLine(process.stdin, timeoutMs)
}

interface Input {
  on(event: 'data', heard: (chunk: Buffer) => void): unknown
  on(event: 'end' | 'close', heard: () => void): unknown
  on(event: 'error', heard: (error: Error) => void): unknown
  destroy(): unknown
}

/** Up to the first line's end: whoever writes need not close. */
function firstLine(input: Input, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    const over = (end: () => void) => {
      clearTimeout(timer)
      input.destroy()
      end()
    }
    const done = () => over(() => resolve(text.split('\n')[0] ?? ''))
    const timer = setTimeout(() => over(() => reject(nobodyWrote(timeoutMs))), timeoutMs)
    input.on('data', (chunk) => {
      text += chunk.toString('utf8')
      if (text.trimStart().includes('\n') || text.length > TOKEN_CHARS_MAX) {
        text = text.trimStart()
        done()
      }
    })
    input.on('end', done)
    input.on('error', (error) => over(() => reject(error)))
  })
}

/** Nothing of what is typed or pasted shows. */
function prompt(timeoutMs: number): Promise<string> {
  const { stdin, stderr } = process
  // Before it is asked for: what is pasted as soon as the question is there would show.
  stdin.setRawMode(true)
  stderr.write('Join token (hfj_…, not shown): ')
  return new Promise((resolve, reject) => {
    let text = ''
    const over = (end: () => void) => {
      clearTimeout(timer)
      stdin.setRawMode(false)
      stdin.destroy()
      stderr.write('\n')
      end()
    }
    const timer = setTimeout(() => over(() => reject(nobodyWrote(timeoutMs))), timeoutMs)
    stdin.on('data', (chunk: Buffer) => {
      for (const char of chunk.toString('utf8')) {
        if (char === '\u0003') return over(() => process.kill(process.pid, 'SIGINT'))
        if (char === '\r' || char === '\n' || char === '\u0004') return over(() => resolve(text))
        text = char === '\u007f' || char === '\b' ? text.slice(0, -1) : text + char
      }
    })
    stdin.on('end', () => over(() => resolve(text)))
    stdin.on('error', (error) => over(() => reject(error)))
  })
}

const nobodyWrote = (timeoutMs: number) =>
  new HoldfastError({
    code: 'TOKEN_INVALID',
    message: 'no join token was given in time',
    why: `Nothing came in for ${Math.round(timeoutMs / 1_000)} s. Nothing was changed.`,
    remedy: 'Pipe it in (holdfast-probe join --url … < token), or name a file with --token-file.',
  })
