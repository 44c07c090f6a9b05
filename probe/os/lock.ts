import { createHash } from 'node:crypto'
import { mkdirSync, realpathSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { HoldfastError, type Refusal } from '../../schema/errors.ts'

type Said = Pick<Refusal, 'message' | 'remedy'>

const ANOTHER_GUARD = (folder: string): Said => ({
  message: `another guard runs on ${folder}`,
  remedy: 'Stop that one first, or give this one its own state folder with --state.',
})

/**
 * G11: two guards never run on one state folder. An abstract socket is the lock: the kernel gives
 * it to one process and takes it back the moment that process is gone; children do not inherit it.
 *
 * @param refusal what is said when somebody else has it
 * @throws {HoldfastError} ALREADY_RUNNING
 */
export async function takeLock(
  folder: string,
  refusal: () => Said = () => ANOTHER_GUARD(folder),
): Promise<Server> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const server = createServer((socket) => socket.destroy())
  try {
    await listening(server, `\0${lockName(folder)}`)
  } catch (cause) {
    throw new HoldfastError({ code: 'ALREADY_RUNNING', ...refusal() }, { cause })
  }
  return server
}

/** Name of the lock of a folder that exists, as /proc/net/unix lists it behind an `@`. */
export function lockName(folder: string): string {
  const id = createHash('sha256').update(realpathSync(folder)).digest('hex').slice(0, 32)
  return `holdfast-guard-${id}`
}

export function listening(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, () => resolve())
  })
}
