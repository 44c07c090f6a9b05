import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { type DoorRequest, doorRequest } from '../../schema/door.ts'
import { HoldfastError, type Refusal } from '../../schema/errors.ts'
import { listening } from '../os/lock.ts'

/** A manifest is the largest that comes. */
const LINE_BYTES_MAX = 32_768
const IDLE_MS = 10_000

/** The local door of `holdfast-probe`: one request line, one answer line, then it closes. */
export async function openDoor(
  folder: string,
  answer: (request: DoorRequest) => object | Promise<object>,
): Promise<Server> {
  const path = join(folder, 'guard.sock')
  rmSync(path, { force: true })
  const server = createServer((socket: Socket) => {
    socket.setTimeout(IDLE_MS, () => socket.destroy())
    socket.on('error', () => {})
    let text = ''
    let asked = false
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      if (asked) return
      text += chunk
      if (text.length > LINE_BYTES_MAX) socket.destroy()
      if (!text.includes('\n')) return
      asked = true
      void answered(text, answer).then((reply) => socket.end(`${JSON.stringify(reply)}\n`))
    })
  })
  await listening(server, path)
  // Whoever may connect may have this host leave its cluster.
  chmodSync(path, 0o600)
  return server
}

async function answered(
  text: string,
  answer: (request: DoorRequest) => object | Promise<object>,
): Promise<object> {
  try {
    const parsed = doorRequest.safeParse(JSON.parse(text))
    if (!parsed.success) return { refused: badRequest(issueOf(parsed.error.issues)) }
    return await answer(parsed.data)
  } catch (error) {
    if (error instanceof HoldfastError) return { refused: error.refusal }
    return { refused: badRequest(String(error)) }
  }
}

const issueOf = ([issue]: readonly { path: PropertyKey[]; message: string }[]) =>
  `${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? ''}`

const badRequest = (why: string): Refusal => ({
  code: 'BAD_REQUEST',
  message: 'the guard does not understand this request',
  why: why.slice(0, 500),
  remedy: 'Use a holdfast-probe command of the same version as the guard that runs.',
})
