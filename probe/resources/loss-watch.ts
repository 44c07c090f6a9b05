/**
 * What the kernel tells of addresses, links and mounts is listened to once for all resources of a type: one small
 * tool, started with the first of them and ended with the last. It says that something has changed, and all are
 * looked at together; only a loss is pushed, of what the guard has on record. The checks go on beside it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import type { Answer, Call } from '../../schema/resource-type.ts'
import { toolPath } from '../os/tool-path.ts'

/** What comes together is looked at once. */
const TOGETHER_MS = 5
/** What was lost before the tool listened: it needs some time to begin. */
const LOOK_AGAIN_MS = [200, 1_000]
/** A tool that ends is begun again after this long. */
const AGAIN_MS = 5_000

/** It ends with its stdin, so that nothing is left of it when this process is killed. */
const UNTIL_ALONE = '"$@" <&- & p=$!; exec >&-; read -r _; kill "$p" 2>/dev/null'

interface Watched<C> {
  call: C
  readonly push: (answer: Answer) => void
}

export class LossWatch<C extends Pick<Call, 'guid' | 'workload' | 'log'>> {
  readonly #tool: readonly [name: string, ...args: string[]]
  readonly #look: (calls: readonly C[]) => readonly Answer[]
  readonly #watched = new Map<string, Watched<C>>()
  #child: ChildProcess | null = null
  #looking: NodeJS.Timeout | null = null
  readonly #timers = new Set<NodeJS.Timeout>()

  /** @param look what the quick check says of them */
  constructor(
    tool: readonly [name: string, ...args: string[]],
    look: (calls: readonly C[]) => readonly Answer[],
  ) {
    this.#tool = tool
    this.#look = look
  }

  /** @throws {Error} this host does not have the tool */
  begin(call: C, push: (answer: Answer) => void): () => void {
    this.#watched.set(call.guid, { call, push })
    try {
      if (!this.#child) this.#listen()
    } catch (error) {
      this.#watched.delete(call.guid)
      throw error
    }
    this.#lookIn(...LOOK_AGAIN_MS)
    return () => {
      this.#watched.delete(call.guid)
      if (this.#watched.size === 0) this.#end()
    }
  }

  /** Its properties may have been changed since it was opened. */
  asked(calls: readonly C[]): void {
    for (const call of calls) {
      const watched = this.#watched.get(call.guid)
      if (watched) watched.call = call
    }
  }

  #listen(): void {
    const [name, ...args] = this.#tool
    const command = toolPath(name)
    if (command === null) throw new Error(`this host has no ${name}`)
    const child = spawn('/bin/sh', ['-c', UNTIL_ALONE, 'sh', command, ...args], {
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' },
      stdio: ['pipe', 'pipe', 'ignore'],
    })
    this.#child = child
    child.stdin?.on('error', () => {})
    child.stdout?.on('data', () => this.#news())
    const ended = () => {
      if (this.#child !== child) return
      child.stdin?.end()
      this.#child = null
      this.#in(AGAIN_MS, () => this.#again())
    }
    child.stdout?.once('close', ended)
    child.once('error', ended)
    // It is no reason for this process to stay.
    child.unref()
  }

  #again(): void {
    if (this.#child || this.#watched.size === 0) return
    try {
      this.#listen()
      this.#lookIn(0, ...LOOK_AGAIN_MS)
    } catch (error) {
      const [first] = this.#watched.values()
      first?.call.log(`watch: ${(error as Error).message}; polling stays`)
      this.#in(AGAIN_MS, () => this.#again())
    }
  }

  #news(): void {
    this.#looking ??= setTimeout(() => {
      this.#looking = null
      this.#lookNow()
    }, TOGETHER_MS)
  }

  #lookNow(): void {
    const held = [...this.#watched.values()].filter(({ call }) => call.workload.process !== null)
    if (held.length === 0) return
    const answers = this.#look(held.map(({ call }) => call))
    for (const answer of answers)
      if (answer.status !== 'online') this.#watched.get(answer.guid)?.push(answer)
  }

  #lookIn(...allMs: number[]): void {
    for (const ms of allMs) this.#in(ms, () => this.#news())
  }

  #in(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      work()
    }, ms)
    this.#timers.add(timer)
  }

  #end(): void {
    const child = this.#child
    this.#child = null
    child?.stdin?.end()
    if (this.#looking) clearTimeout(this.#looking)
    this.#looking = null
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
  }
}
