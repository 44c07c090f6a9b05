/** What modules that start programs of the host have to know of it. */
import { accessSync, constants, createReadStream, readFileSync, statSync } from 'node:fs'
import { allows, type HostPolicy } from '../../schema/host-policy.ts'
import type { Call } from '../../schema/resource-type.ts'

/** Why the program could not be started again, or null. */
export function programProblem(command: string): string | null {
  try {
    if (!statSync(command).isFile()) return `${command} is not a file`
    accessSync(command, constants.X_OK)
    return null
  } catch {
    return `${command} is missing or cannot be executed: a restart would fail`
  }
}

/** @throws {Error} this host has no such user */
export function userOf(user: string): { uid: number; gid: number } {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((text) => text.split(':'))
    .find((fields) => fields[0] === user)
  if (!line) throw new Error(`there is no user ${user} on this host`)
  return { uid: Number(line[2]), gid: Number(line[3]) }
}

/**
 * Whether this host could run a program of a resource. What the policy says is final; whether the file is
 * there is not asked where it may be on a file system of the same group.
 *
 * @throws {Error} why not
 */
export function validateProgram(
  section: HostPolicy['process'],
  { properties: { command, user }, dependent }: Pick<Call<Program>, 'properties' | 'dependent'>,
): void {
  if (!allows(section?.commands ?? [], command))
    throw new Error(`hostPolicy: this host's policy does not allow ${command}`)
  if (user !== undefined) {
    if (!section?.users?.includes(user))
      throw new Error(`hostPolicy: this host's policy does not allow user ${user}`)
    userOf(user)
  }
  const problem = dependent ? null : programProblem(command)
  if (problem) throw new Error(problem)
}

interface Program {
  readonly command: string
  readonly user?: string | undefined
}

const WARM_BYTES_MAX = 64 * 1024 * 1024

/** Reads a program into the page cache, so that its first start here waits for no disk (S-50). */
export async function warm(command: string, signal: AbortSignal): Promise<void> {
  const stream = createReadStream(command, { end: WARM_BYTES_MAX, signal })
  for await (const _ of stream) {
    // Read is all it has to be.
  }
}

/** What every workload is told of itself; the epoch is its fencing token. */
export function environment(
  call: Pick<Call, 'name' | 'groupId' | 'epoch' | 'nodeName'>,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  return {
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...own,
    HOLDFAST_RESOURCE: call.name,
    HOLDFAST_GROUP: call.groupId,
    HOLDFAST_EPOCH: String(call.epoch),
    HOLDFAST_NODE: call.nodeName,
  }
}

/** At most so many at once: a group of many members must not fork, or connect, for all of them. */
export async function eachOf<T, R>(
  items: readonly T[],
  atOnce: number,
  act: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async () => {
    for (let i = next; i < items.length; i = next) {
      next += 1
      results[i] = await act(items[i] as T)
    }
  }
  await Promise.all(Array.from({ length: Math.min(atOnce, items.length) }, worker))
  return results
}
