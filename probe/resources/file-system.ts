/**
 * Resource type `file-system`: the guard mounts it, with the end of the mount on record: at a lapse
 * whatever keeps it busy is killed and it is unmounted without this module (G4 a, G5).
 */
import { readdirSync, statSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { Answer, Call, ResourceModule } from '../../schema/resource-type.ts'
import { CONTROLS } from '../../schema/resource-types/controls.ts'
import {
  type FileSystemProperties,
  fileSystemProperties,
} from '../../schema/resource-types/file-system.ts'
import { allowsMount } from '../os/allowed.ts'
import { mountStart } from '../os/kernel-starts.ts'
import { type Holder, holders, type Mount, mounts, mountsAt } from '../os/mounts.ts'
import { toolPath } from '../os/tool-path.ts'
import { type ActionEnd, lastLines, runAction } from './action.ts'
import { LossWatch } from './loss-watch.ts'
import { eachOf, environment } from './program.ts'
import { startAndWait } from './start-and-wait.ts'

type MountCall = Call<FileSystemProperties>
type Section = NonNullable<HostPolicy['file-system']>

/** A mount waits for its device, fsck for as long as it takes: the pending timeout ends it. */
const START_MS = 24 * 3_600_000
const UMOUNT_MS = 60_000
const AT_ONCE = 8
const LOOK_MS = 100
const NAMED_MAX = 5

export function createFileSystem(section: Section): ResourceModule<FileSystemProperties> {
  const states = (calls: readonly MountCall[]) => {
    const all = mounts()
    return calls.map((call) => state(call, all))
  }
  const losses = new LossWatch<MountCall>(['findmnt', '-rn', '--poll', '-o', 'ACTION'], states)
  return {
    type: 'file-system',
    version: '1.0.0',
    properties: fileSystemProperties,
    host: 'rhs',
    way: 'child',
    validate: async (call) => validate(section, call),
    online(call) {
      losses.asked([call])
      return start(section, call)
    },
    async offline(call) {
      await unmount(call, call.properties.holders)
      await call.workload.stop()
    },
    async terminate(call) {
      // The guard's own hand ends what it has on record, and asks nobody (S-41).
      if (call.workload.process === null) await unmount(call, 'end')
      await call.workload.stop()
    },
    controls: CONTROLS['file-system'],
    control: async (call, code) =>
      code === 'usage' ? usage(call) : holders(call.properties.target),
    async isAlive(calls) {
      losses.asked(calls)
      return states(calls)
    },
    watch: (call, push) => losses.begin(call, push),
    looksAlive: (calls) => {
      const all = mounts()
      return eachOf(calls, AT_ONCE, (call) => thorough(call, state(call, all)))
    },
  }
}

function state(call: MountCall, all: readonly Mount[]): Answer {
  const { guid, persistentState, properties: p, workload } = call
  const onRecord = workload.process !== null
  const mount = all.findLast(({ target }) => target === p.target)
  if (!mount) return { guid, status: 'offline', ...(onRecord && { detail: 'it is not mounted' }) }
  if (mount.readOnly && !p.options.includes('ro'))
    return { guid, status: 'failed', detail: 'the kernel has made it read-only: see its log' }
  // Wanted, its Online puts it on record; until then the guard could not take it away.
  if (onRecord || persistentState === 0) return { guid, status: 'online' }
  return { guid, status: 'offline', detail: `${mount.source} is mounted there, but not by us` }
}

/** Whether its contents can be looked at. A device that hangs keeps only the program waiting. */
async function thorough(call: MountCall, answer: Answer): Promise<Answer> {
  if (answer.status !== 'online') return answer
  const { guid, properties, signal } = call
  const { target, checkMs } = properties
  const end = await runTool(call, 'ls', ['-A', '--', target], checkMs)
  if (end.code === 0) return answer
  if (signal.aborted) return { guid, status: 'unknown', detail: 'the check was given up' }
  const why = end.timedOut ? `no answer within ${checkMs} ms` : lastLines(end.output)
  return { guid, status: 'failed', detail: `its contents cannot be read: ${why}` }
}

async function usage({ properties: { target } }: MountCall): Promise<object> {
  if (mountsAt(target).length === 0) throw new Error('it is not mounted')
  const { bsize, blocks, bavail, bfree } = await statfs(target)
  return { sizeBytes: blocks * bsize, freeBytes: bfree * bsize, availableBytes: bavail * bsize }
}

async function start(section: Section, call: MountCall): Promise<void> {
  const { properties: p, workload, signal } = call
  mustAllow(section, p)
  const there = mountsAt(p.target).at(-1)
  if (workload.process !== null) {
    if (state(call, there ? [there] : []).status === 'online') return
    await workload.stop()
    signal.throwIfAborted()
  } else if (there && there.source !== p.source)
    throw new Error(`${there.source} is mounted on ${p.target} already: unmount it`)
  if (!there || workload.process !== null) {
    const problem = sourceProblem(p.source) ?? targetProblem(p.target)
    if (problem) throw new Error(problem)
  }
  const end = await startAndWait(call, START_MS, {
    ...mountStart(p),
    env: environment(call, {}),
    daemon: true,
    undo: { kind: 'mount', target: p.target },
  })
  if (end.code === 0) return
  await workload.stop()
  throw new Error(`it cannot be mounted: ${lastLines(end.output) || 'no end in its time'}`)
}

/** @throws {Error} the host policy does not allow it */
function mustAllow(section: Section, p: FileSystemProperties): void {
  if (!allowsMount(section, p))
    throw new Error(`hostPolicy: this host's policy does not allow ${p.source} on ${p.target}`)
}

/** A device that comes and goes with another resource of the group is not looked for. */
function validate(section: Section, { properties: p, dependent }: MountCall): void {
  mustAllow(section, p)
  const mounted = mountsAt(p.target).length > 0
  const problem = dependent || mounted ? null : (sourceProblem(p.source) ?? targetProblem(p.target))
  if (problem) throw new Error(problem)
}

function sourceProblem(source: string): string | null {
  if (!source.startsWith('/')) return null
  try {
    statSync(source)
    return null
  } catch {
    return `there is no ${source} on this host`
  }
}

/** What lies below a mount cannot be seen while it is there: that is nearly always a mistake. */
function targetProblem(target: string): string | null {
  try {
    const [entry] = readdirSync(target)
    return entry === undefined
      ? null
      : `mount point ${target} is not empty (${entry}): move what is in it away`
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOTDIR') return `mount point ${target} is not a folder`
    return `mount point ${target} cannot be used (${code}): mkdir -p ${target}`
  }
}

/** @throws {Error} it is still mounted, and what keeps it so */
async function unmount(call: MountCall, how: 'end' | 'wait'): Promise<void> {
  const { target, stopTimeoutMs } = call.properties
  const killAtMs = performance.now() + stopTimeoutMs
  let asked = false
  while (mountsAt(target).length > 0) {
    const end = await runTool(call, 'umount', ['--', target], UMOUNT_MS)
    call.signal.throwIfAborted()
    if (end.code === 0) continue
    const busy = holders(target)
    if (busy.length === 0 && !/busy/.test(end.output))
      throw new Error(`umount: ${lastLines(end.output)}`)
    const names = namesOf(busy)
    if (!asked) call.progress(`${target} is kept busy by ${names}`)
    const late = performance.now() > killAtMs
    if (how === 'end') endAll(busy, late ? 'SIGKILL' : 'SIGTERM', asked && !late)
    asked = true
    await sleep(LOOK_MS, undefined, { signal: call.signal }).catch(() => {
      throw new Error(`it is kept busy by ${names}`)
    })
  }
}

/** Asked once, then killed. */
function endAll(busy: readonly Holder[], signal: 'SIGTERM' | 'SIGKILL', skip: boolean): void {
  if (skip) return
  for (const { pid } of busy)
    try {
      process.kill(pid, signal)
    } catch {
      // Gone between the look and the kill.
    }
}

function namesOf(busy: readonly Holder[]): string {
  const named = busy.slice(0, NAMED_MAX).map(({ pid, name, by }) => `${name} (${pid}: ${by})`)
  const more = busy.length - named.length
  const others = more > 0 ? ` and ${more} more` : ''
  return named.length === 0 ? 'something that cannot be seen from here' : named.join(', ') + others
}

async function runTool(
  call: MountCall,
  name: string,
  args: readonly string[],
  timeoutMs: number,
): Promise<ActionEnd> {
  const command = toolPath(name)
  if (command === null) throw new Error(`this host has no ${name}`)
  return runAction({ command, args, env: environment(call, {}), timeoutMs, signal: call.signal })
}
