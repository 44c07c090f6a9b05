import { createConnection } from 'node:net'
import { join } from 'node:path'
import type { DoorRequest } from '../../schema/door.ts'
import { HoldfastError, refusal } from '../../schema/errors.ts'

const ANSWER_MS = 10_000

/**
 * Asks the guard that runs on this host, by its door.
 *
 * @throws {HoldfastError} NOT_RUNNING, or what the guard refused
 */
export async function askGuard(runFolder: string, request: DoorRequest): Promise<object> {
  const answer = JSON.parse(await lineFrom(join(runFolder, 'guard.sock'), runFolder, request))
  const refused = refusal.safeParse((answer as { refused?: unknown }).refused)
  if (refused.success) throw new HoldfastError(refused.data)
  return answer
}

function lineFrom(path: string, runFolder: string, request: DoorRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(path)
    let text = ''
    const failed = (why: string) =>
      reject(
        new HoldfastError({
          code: 'NOT_RUNNING',
          message: `no guard answers on ${runFolder}`,
          why,
          remedy:
            'Start it (systemctl start holdfast-probe, or holdfast-probe run), or name its folder with --run.',
        }),
      )
    socket.setEncoding('utf8')
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error('no answer in time')))
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('data', (chunk) => {
      text += chunk
    })
    socket.on('end', () => (text ? resolve(text) : failed('it ended without an answer')))
    socket.on('error', (error) => failed(error.message))
  })
}
