import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, realpathSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { HoldfastError } from '../../schema/errors.ts'

/**
 * G11: two guards never run on one state folder. An abstract socket is the lock: the kernel gives
 * it to one process and takes it back the moment that process is gone; children do not inherit it.
 */
export async function takeLock(folder: string): Promise<Server> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const id = createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)
  const server = createServer((socket) => socket.destroy())
  try {
    await listening(server, `\0holdfast-guard-${id}`)
  } catch (cause) {
    throw new HoldfastError(
      {
        code: 'ALREADY_RUNNING',
        message: `another guard runs on ${folder}`,
        remedy: 'Stop that one first, or give this one its own state folder with --state.',
      },
      { cause },
    )
  }
  return server
}

/** The local door of `holdfast-probe status` and `leave`: one request line, one answer. */
export async function openDoor(
  folder: string,
  answer: (request: string) => object,
): Promise<Server> {
  const path = join(folder, 'guard.sock')
  rmSync(path, { force: true })
  const server = createServer((socket: Socket) => {
    socket.setTimeout(5_000, () => socket.destroy())
    socket.on('error', () => {})
    let text = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk) => {
      text += chunk
      if (text.length > 1_000) socket.destroy()
      if (text.includes('\n')) socket.end(`${JSON.stringify(answer(text.trim()))}\n`)
    })
  })
  await listening(server, path)
  // Whoever may connect may have this host leave its cluster.
  chmodSync(path, 0o600)
  return server
}

function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve())
  })
}
