/** The guard's children that hold no workload: the agent and the RHS. */
import { type ChildProcess, fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LastSeen } from '../../schema/last-calls.ts'
import type { Ending } from '../core/suspects.ts'
import type { KillHandles } from './cgroup.ts'
import { EXAMINED_WORDS, stackOf } from './inspector.ts'
import { LastWords } from './last-words.ts'
import { TREE_GROUP } from './tree-name.ts'

/** A child that dies at once is started again after this long, and not sooner. */
const RESTART_MIN_MS = 20
const RESTART_MAX_MS = 1_000
/** Of this process itself, which may have stood still: what has been said meanwhile is read first. */
const READ_FIRST_MS = 250
/** One that has lived this long has started: whatever ended it, it is no crash at the start. */
const STARTED_MS = 1_000

/** How long after its end what it has written is waited for. */
const LAST_WORDS_MS = 50

/** Of a child that runs others' code: it is bounded, and examined when it hangs. */
export interface ChildLimits {
  /** It ends when it holds more than this. */
  readonly heapMb: number
}

/** One that was started for nothing is kept so long. */
const SPARE_MS = 5_000

export interface ChildEvents {
  message(frame: unknown): void
  up(generation: number): void
  /** @param seen what is known of its end besides, of one that is examined */
  down(generation: number, detail: string, ending: Ending, seen: LastSeen): void
}

/** One supervised child: restarted when it ends, each time as a new generation. */
export class TreeChild {
  readonly #file: string
  readonly #args: readonly string[]
  readonly #events: ChildEvents
  readonly #env: Record<string, string>
  readonly #limits: ChildLimits | null
  /** Of one that is examined. */
  #words: LastWords | null = null
  #stack: string[] = []
  #child: ChildProcess | null = null
  /** Started, and told nothing yet. */
  #spare: ChildProcess | null = null
  #generation = 0
  #startedMs = 0
  #delayMs = RESTART_MIN_MS
  #ended = false
  #patience: NodeJS.Timeout | undefined
  /** It has to say something at least so often. */
  #everyMs: number | null = null
  /** Why it is being killed by us, where that says more than the signal. */
  #why: { readonly ending: Ending; readonly detail: string | null } | null = null

  constructor(
    file: string,
    args: readonly string[],
    env: Record<string, string>,
    events: ChildEvents,
    limits: ChildLimits | null = null,
  ) {
    this.#limits = limits
    this.#file = file
    this.#args = args
    this.#env = env
    this.#events = events
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  get generation(): number {
    return this.#generation
  }

  get uptimeMs(): number {
    return this.#child ? performance.now() - this.#startedMs : 0
  }

  start(): void {
    this.#generation += 1
    this.#startedMs = performance.now()
    const generation = this.#generation
    let child: ChildProcess
    try {
      child = this.#takeSpare() ?? this.#fork()
    } catch (error) {
      this.#events.down(generation, `cannot be started: ${error}`, 'meant', {})
      this.#again()
      return
    }
    this.#child = child
    this.#stack = []
    const written = this.#limits && child.stderr ? this.#listenTo(child.stderr) : null
    child.on('message', (frame) => {
      if (this.#child !== child) return
      this.#wait(this.#everyMs)
      this.#events.message(frame)
    })
    const ended = (detail: string, ending: Ending) => {
      if (this.#child !== child) return
      clearTimeout(this.#patience)
      this.#child = null
      this.#everyMs = null
      const why = this.#why
      this.#why = null
      const seen = this.#seen(why?.ending ?? ending)
      this.#events.down(generation, why?.detail ?? detail, why?.ending ?? ending, seen)
      this.#again()
    }
    // One that could not be started has no exit: no process or memory was to be had just now.
    child.on('error', (error) => {
      if (child.pid === undefined) ended(`cannot be started: ${error.message}`, 'meant')
    })
    child.once('exit', (code, signal) => {
      const end = () => ended(signal ?? `exit ${code}`, signal === null ? 'exit' : 'signal')
      // What it has said at its end is read first; somebody else may hold its stderr open.
      if (written) void Promise.race([written, sleep(LAST_WORDS_MS)]).then(end)
      else end()
    })
    this.#events.up(generation)
  }

  /** @returns resolves when it has said all */
  #listenTo(stderr: Readable): Promise<void> {
    const words = new LastWords((text) => process.stderr.write(text))
    this.#words = words
    stderr.setEncoding('utf8').on('data', (text: string) => words.write(text, performance.now()))
    return new Promise((resolve) => stderr.once('close', resolve))
  }

  #seen(ending: Ending): LastSeen {
    if (ending === 'meant') return {}
    const said = this.#words?.last ?? []
    const stack = this.#stack
    return { ...(stack.length > 0 && { stack }), ...(said.length > 0 && { said }) }
  }

  /**
   * It may have to be replaced: the next one is started at once, for that takes longer than to find out.
   * Only for what does nothing before it is told something.
   */
  prepare(): void {
    if (this.#ended || this.#spare) return
    let spare: ChildProcess
    try {
      spare = this.#fork()
    } catch {
      // Whoever starts one when it is needed will say why.
      return
    }
    this.#spare = spare
    spare.on('error', () => this.#dismiss(spare))
    setTimeout(() => this.#dismiss(spare), SPARE_MS)
  }

  #takeSpare(): ChildProcess | null {
    const spare = this.#spare
    this.#spare = null
    return spare?.connected ? spare : null
  }

  #dismiss(spare: ChildProcess | null): void {
    if (spare === null || this.#spare !== spare) return
    this.#spare = null
    spare.kill('SIGKILL')
  }

  #fork(): ChildProcess {
    return fork(this.#file, [...this.#args], {
      stdio: ['ignore', 'inherit', this.#limits ? 'pipe' : 'inherit', 'ipc'],
      env: { ...process.env, ...this.#env },
      // Small heaps: these processes hold little, and there are three or four of them on a host. A monitor
      // adopts a thousand resources at once: in half of this it is a fifth longer about it, and no smaller.
      execArgv: [
        `--max-semi-space-size=${this.#limits ? 2 : 1}`,
        ...(this.#limits ? [`--max-old-space-size=${this.#limits.heapMb}`, ...EXAMINED_WORDS] : []),
      ],
    })
  }

  send(frame: object): void {
    if (this.#child?.connected) this.#child.send(frame)
  }

  /** It hangs if it says nothing within this time, and is replaced. */
  expectWord(withinMs: number): void {
    this.#wait(withinMs)
  }

  /** The same from one word to the next, for as long as it lives; null: it may be silent. */
  expectWords(everyMs: number | null): void {
    this.#everyMs = everyMs
    this.#wait(everyMs)
  }

  #wait(withinMs: number | null): void {
    clearTimeout(this.#patience)
    if (withinMs === null) return
    const hangs = () =>
      void this.#standsStill(`it hangs: no sign of life for ${Math.round(withinMs)} ms; SIGKILL`)
    this.#patience = setTimeout(() => {
      this.#patience = setTimeout(hangs, READ_FIRST_MS)
    }, withinMs)
  }

  /** Nothing of it answers: where it is can only be seen from outside, and before it is killed. */
  async #standsStill(detail: string): Promise<void> {
    const [child, words] = [this.#child, this.#words]
    if (!child?.pid || !words) return this.hangs(detail)
    this.#why ??= { ending: 'hangs', detail }
    const { pid } = child
    const listens = () => words.listens()
    const stack = await stackOf({ pid, listens, kill: (signal) => child.kill(signal) })
    if (this.#child !== child) return
    this.#stack = stack
    this.hangs(detail)
  }

  /** It is replaced, for this reason. */
  hangs(detail: string): void {
    this.#kill({ ending: 'hangs', detail })
  }

  /** G5: it may hold an open yes. A new one follows. */
  kill(): void {
    this.#dismiss(this.#spare)
    this.#kill({ ending: 'meant', detail: null })
  }

  #kill(why: { ending: Ending; detail: string | null }): void {
    if (!this.#child) return
    this.#why ??= why
    this.#child.kill('SIGKILL')
  }

  end(): void {
    this.#ended = true
    this.kill()
  }

  #again(): void {
    if (this.#ended) return
    const lived = performance.now() - this.#startedMs
    this.#delayMs =
      lived > STARTED_MS ? RESTART_MIN_MS : Math.min(this.#delayMs * 2, RESTART_MAX_MS)
    setTimeout(() => this.start(), this.#delayMs)
  }
}

/**
 * G11: kills every process of an earlier tree (agent, all generations of RHS, a child that had not
 * yet become its workload), and moves this guard into a group of its own.
 */
export function killOldTree(handles: KillHandles): void {
  const own = TREE_GROUP
  if (handles.kind === 'cgroup') {
    const enter = handles.enterScript(own)
    const path = /'([^']+)'/.exec(enter)?.[1]
    if (path) writeFileSync(path, String(process.pid))
  }
  for (const group of handles.groups())
    if (group.startsWith('tree-') && group !== own) {
      handles.killAll(group)
      handles.remove(group)
    }
}
