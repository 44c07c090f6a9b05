/** The operator: asks for things, and remembers what was answered and when. */
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import type { SimHost } from './host.ts'
import type { Kernel } from './kernel.ts'
import type { Platform } from './platform.ts'
import type { Random } from './random.ts'
import type { GroupPlan } from './setting.ts'

/** One call of the API, from its first word to its answer; times are turns of the kernel. */
export interface Call {
  readonly request: Request | 'readHive'
  readonly invokedAt: number
  answeredAt: number | null
  /** Null: no answer came; carried out or not, nobody knows. */
  ok: boolean | null
  /** The last update that the answer knew of; of a read, with its hash of the chain. */
  seq: number
  hash: string | null
}

interface KnownGroup {
  readonly id: string
  readonly resources: readonly string[]
}

/** Restarts come fast and a failed group is tried again soon: a history is short. */
const RESTART = { attempts: 3, periodMs: 5_000, delayMs: 0, retryAfterMs: 1_000 }
const DELAY_MAX_MS = 30
/** When an operator looks after the hosts, after a bad day. */
const LOOKS_MS = [5_000, 15_000, 30_000, 40_000]
const CYCLE_MS = 20_000
const AGAIN_MS = 3_000

export class Operator {
  readonly #kernel: Kernel
  readonly #platform: Platform
  readonly calls: Call[] = []
  readonly groups = new Map<string, KnownGroup>()
  /** Nodes that are members, by GUID. */
  readonly nodes: string[] = []
  /** On the way to the object, and on the way back. */
  delayMs = (): number => this.#kernel.random.between(0.1, DELAY_MAX_MS)
  fencing: 'none' | 'lease' | 'fence' = 'none'
  /** Nodes of which it is sure that the boot that the hive has for them is over. */
  overNow: () => readonly { nodeId: string; boot: string }[] = () => []
  #made = 0

  constructor(kernel: Kernel, platform: Platform) {
    this.#kernel = kernel
    this.#platform = platform
  }

  /** As the storage has them: an answer may have been lost. */
  readonly #members = (): string[] =>
    this.#platform.disk.db
      .prepare('select node_id as id from sessions')
      .all()
      .map((row) => String(row['id']))

  ask(
    request: Request,
    answered: (ok: boolean | null, refused?: Refusal) => void = () => {},
  ): void {
    const call = this.#begin(request)
    // On the way to the object, and back again.
    this.#later(() => {
      void this.#platform
        .call((object) => object.ask(request, 'operator'))
        .then((answer: { refused: Refusal } | { seq: number } | null) => {
          this.#later(() => {
            call.answeredAt = answer === null ? null : this.#kernel.turns
            call.ok = answer === null ? null : !('refused' in answer)
            if (answer && 'seq' in answer) call.seq = answer.seq
            answered(call.ok, answer && 'refused' in answer ? answer.refused : undefined)
          })
        })
    })
  }

  read(): void {
    const call = this.#begin('readHive')
    this.#later(() => {
      void this.#platform
        .call((object) => object.read({ what: 'hive' }))
        .then((answer) => {
          if (answer === null) return
          const { seq, hash } = answer
          this.#later(() =>
            Object.assign(call, { seq, hash, ok: true, answeredAt: this.#kernel.turns }),
          )
        })
    })
  }

  #begin(request: Call['request']): Call {
    const invokedAt = this.#kernel.turns
    const call: Call = { request, invokedAt, answeredAt: null, ok: null, seq: 0, hash: null }
    this.calls.push(call)
    return call
  }

  #later(work: () => void): void {
    this.#kernel.at(this.#kernel.nowMs + this.delayMs(), null, work)
  }

  want(resourceId: string, persistentState: 0 | 1): void {
    this.ask({ type: 'setResourceState', resourceId, persistentState })
  }

  /** A group whose members depend on one another in a row. */
  add(plan: GroupPlan): void {
    this.#made += 1
    const { random } = this.#kernel
    const name = `g${this.#made}`
    const groupId = random.uuid()
    const resources = Array.from({ length: plan.members }, () => random.uuid())
    this.groups.set(groupId, { id: groupId, resources })
    const settings = { failoverThreshold: 1_000 }
    this.ask({ type: 'createGroup', groupId, name, settings }, () => {
      const next = (n: number): void => {
        const resourceId = resources[n]
        if (resourceId === undefined) return
        const gate = plan.way === 'gate'
        this.ask(
          {
            type: 'createResource',
            resourceId,
            groupId,
            name: `${name}-r${n}`,
            resourceType: gate ? 'virtual-machine' : 'process',
            persistentState: 1,
            settings: {
              properties: gate ? GATED : { command: '/bin/workload' },
              dependsOn: resources.slice(Math.max(0, n - 1), n),
              restart: RESTART,
              poll: {
                isAliveMs: random.chance(0.5) ? 1_000 : 5_000,
                pendingMs: 20_000,
                deadlockMs: 8_000,
              },
            },
          },
          () => next(n + 1),
        )
      }
      next(0)
    })
  }

  create(random: Random): void {
    this.add({ members: 1, way: random.chance(0.3) ? 'gate' : 'child' })
  }

  /** Offline, then deleted once nothing runs; or refused, and it stays. */
  remove(groupId: string): void {
    for (const resourceId of this.groups.get(groupId)?.resources ?? []) {
      this.want(resourceId, 0)
      this.ask({ type: 'deleteResource', resourceId })
    }
    this.ask({ type: 'deleteGroup', groupId })
  }

  evict(nodeId: string, lost: boolean): void {
    this.ask({ type: 'evictNode', nodeId, lost }, (ok) => {
      if (ok) this.nodes.splice(0, this.nodes.length, ...this.nodes.filter((id) => id !== nodeId))
    })
  }

  join(host: { nodeId: string; name: string; publicKey: string }, joined: () => void): void {
    const { nodeId, name, publicKey } = host
    this.ask({ type: 'joinNode', nodeId, name, publicKey }, (ok) => {
      if (ok) this.nodes.push(nodeId)
      if (this.fencing !== 'none') this.ask({ type: 'setFence', nodeId, fence: AGENT })
      joined()
    })
  }

  /**
   * Who has looked, and seen that the host is off, says so (F5, A8).
   *
   * @param afterMs from looking at the host to saying so: it may have booted anew by then
   */
  confirmOver(afterMs = 0): void {
    for (const over of this.overNow())
      this.#kernel.at(this.#kernel.nowMs + afterMs, null, () =>
        this.ask({ type: 'confirmFence', ...over }),
      )
  }

  takeover(takeover: 'lease' | 'fence'): void {
    if (this.fencing !== 'none') this.ask({ type: 'setTakeover', takeover })
  }

  aGroup(random: Random): string {
    return random.pick([...this.groups.keys()])
  }

  aResource(random: Random): string {
    const { resources } = this.groups.get(this.aGroup(random)) as KnownGroup
    return random.pick(resources)
  }

  aNode(random: Random): string {
    return random.pick(this.nodes.length > 0 ? this.nodes : ['none'])
  }

  /**
   * Under policy `fence` somebody has to say that what ran before is over, where no agent can; and
   * where a guard has lost its memory without a boot, to power-cycle the host first.
   */
  #lookAfter(hosts: readonly SimHost[]): void {
    const at = (ms: number, work: () => void) =>
      void this.#kernel.at(this.#kernel.nowMs + ms, null, work)
    for (const ms of LOOKS_MS) at(ms, () => this.confirmOver())
    for (const host of hosts) {
      const cycle = (looksLeft: number): void => {
        if (host.inSession) return
        // It may have lost its session just now.
        if (looksLeft > 0) return at(AGAIN_MS, () => cycle(looksLeft - 1))
        host.powerCut(false)
        host.powerOn()
      }
      at(CYCLE_MS, () => cycle(3))
    }
  }

  /** After a bad day: nothing paused, and hosts that are no members any more are joined anew. */
  tidyUp(hosts: readonly SimHost[]): void {
    const members = this.#members
    if (this.fencing !== 'none') this.#lookAfter(hosts)
    for (const nodeId of members()) this.ask({ type: 'pauseNode', nodeId, paused: false })
    for (const host of hosts) {
      if (members().includes(host.nodeId)) continue
      host.powerCut(false)
      host.reinstall()
      this.join(host, () => host.powerOn())
    }
  }
}

const AGENT = {
  agent: 'fence_sim',
  options: {},
  secrets: null,
  helpers: null,
  timeoutMs: 10_000,
  attempts: 2,
  delayMs: 0,
  switchOn: true,
}
const GATED = { domain: 'guest', xml: '<domain/>' }
