/**
 * One cluster in virtual time: the production core and the production reckoning of silence, with
 * pretend nodes instead of sockets. Every step is checked; every line of the log is kept.
 */
import { isDeepStrictEqual } from 'node:util'
import { canonicalJson } from '../../schema/canonical.ts'
import { type Event, event as eventSchema, type Request } from '../../schema/event.ts'
import type { FenceOrder } from '../../schema/fencing.ts'
import { emptyHive, type Hive, toDocument } from '../../schema/hive.ts'
import { applyObservation, emptyObserved, type Observed } from '../../schema/observed.ts'
import { PROFILES, type Timing } from '../../schema/timing.ts'
import { applyUpdate, type Update, update as updateSchema } from '../../schema/update.ts'
import { nextDeadline } from '../../worker/core/deadlines.ts'
import type { Decision, Effect } from '../../worker/core/decision.ts'
import { explain, REASONS } from '../../worker/core/explain.ts'
import { brokenInvariants } from '../../worker/core/invariants.ts'
import { step } from '../../worker/core/step.ts'
import { isVouched, Liveness, suspicionMs } from '../../worker/liveness.ts'
import type { PretendNode } from './pretend-node.ts'

interface OpenSession {
  session: number
  welcomedMs: number
}

export class World {
  nowMs = 0
  lines: string[] = []
  hive: Hive = emptyHive()
  observed: Observed = emptyObserved()
  readonly nodes = new Map<string, PretendNode>()
  /** The last order to fence a node, by its name, and who got it. */
  readonly fenceOrders = new Map<string, { helper: PretendNode; order: FenceOrder }>()
  readonly #ids = new Map<string, string>()
  readonly #names = new Map<string, string>()
  readonly #journal: { text: string; atMs: number }[] = []
  readonly #updates: string[] = []
  readonly #queue: (() => void)[] = []
  readonly #sessions = new Map<string, OpenSession>()
  #timers: { atMs: number; order: number; run: () => void }[] = []
  #live = new Liveness()
  #instance = 0
  #order = 0
  #nextSession = 0
  #mids = 0
  #draining = false

  // ── Names ────────────────────────────────────────────────────────────────────────────────────

  /** The GUID of a name: the same in every run. */
  id(kind: 'cluster' | 'node' | 'group' | 'resource' | 'guard' | 'copy', name: string): string {
    const key = `${kind} ${name}`
    let id = this.#ids.get(key)
    if (id === undefined) {
      const n = (this.#ids.size + 1).toString(16).padStart(12, '0')
      id = `00000000-0000-4000-8000-${n}`
      this.#ids.set(key, id)
      this.#names.set(id, name)
    }
    return id
  }

  /** Names the next migration. */
  nextMid(): string {
    this.#mids += 1
    return this.id('copy', `copy${this.#mids}`)
  }

  /** Another thing gets this name: a GUID of its own. */
  forgetId(kind: 'node' | 'group' | 'resource', name: string): void {
    this.#ids.set(`gone ${this.#ids.size}`, '')
    this.#ids.delete(`${kind} ${name}`)
  }

  named(text: string): string {
    return text.replace(/00000000-0000-4000-8000-[0-9a-f]{12}/g, (id) => this.#names.get(id) ?? id)
  }

  node(name: string): PretendNode {
    const node = this.nodes.get(name)
    if (!node) throw new Error(`the scenario has no node ${name}`)
    return node
  }

  get timing(): Timing {
    return PROFILES[this.hive.cluster?.profile ?? 'standard']
  }

  say(text: string): void {
    const at = `${Number((this.nowMs / 1000).toFixed(3))}s`
    this.lines.push(`${at.padStart(8)}  ${this.named(text)}`)
  }

  // ── Time ─────────────────────────────────────────────────────────────────────────────────────

  at(atMs: number, run: () => void): void {
    this.#order += 1
    this.#timers.push({ atMs, order: this.#order, run })
  }

  advance(ms: number): void {
    const endMs = this.nowMs + ms
    for (let guard = 0; ; guard += 1) {
      if (guard > 100_000) throw new Error('time stands still: a passed deadline is not taken')
      this.#timers.sort((a, b) => a.atMs - b.atMs || a.order - b.order)
      const timer = this.#timers[0]
      const deadline = this.#alarmMs()
      const next = Math.min(timer?.atMs ?? Number.POSITIVE_INFINITY, deadline)
      if (next > endMs) break
      this.nowMs = Math.max(this.nowMs, next)
      if (timer && timer.atMs <= next) {
        this.#timers.shift()
        timer.run()
      } else this.#alarm()
      this.drain()
    }
    this.nowMs = endMs
  }

  /** What the shell's alarm stands at: suspicion of open sessions, and deadlines of the core. */
  #alarmMs(): number {
    let at = nextDeadline(this) ?? Number.POSITIVE_INFINITY
    for (const node of this.nodes.values()) {
      const open = this.#open(node)
      if (open && node.silentMs !== null) at = Math.min(at, suspicionMs(open, this.timing))
    }
    return at
  }

  #alarm(): void {
    for (const node of this.nodes.values()) {
      const open = this.#open(node)
      if (open && node.silentMs !== null && suspicionMs(open, this.timing) <= this.nowMs)
        this.lost(node, 'silent')
    }
    const due = nextDeadline(this)
    if (due !== null && due <= this.nowMs) this.handle({ type: 'woke' })
    const after = nextDeadline(this)
    if (after !== null && after <= this.nowMs) throw new Error('the alarm would spin')
  }

  // ── Sessions and their loss, as the shell does it ────────────────────────────────────────────

  #open(node: PretendNode) {
    const session = this.#sessions.get(node.id)
    if (!session) return null
    const answered = Math.max(node.silentMs ?? this.nowMs, session.welcomedMs)
    return { nodeId: node.id, welcomedMs: session.welcomedMs, lastAnswerMs: answered }
  }

  /** @param guard another one than the node's own: a copy of it, or one that lost its memory */
  connect(node: PretendNode, held = node.held(), guard?: string, boot?: string): void {
    this.#nextSession += 1
    if (guard === undefined) node.number = this.#nextSession
    this.handle({
      type: 'nodeReported',
      nodeId: node.id,
      session: this.#nextSession,
      bootId: boot ?? `boot-${node.name}-${node.boot}`,
      guard: this.id('guard', guard ?? `${node.name}-${node.boot}`),
      intents: node.intents(),
      held,
      types: node.types.map((type) => ({ type, version: '1', sha256: '0'.repeat(64) })),
    })
  }

  lost(node: PretendNode, cause: 'socketClosed' | 'silent'): void {
    const open = this.#open(node)
    if (!open) return
    this.#sessions.delete(node.id)
    const others = [...this.nodes.values()].filter((other) => this.#sessions.has(other.id))
    const answers = others.flatMap((other) => this.#open(other)?.lastAnswerMs ?? [])
    const freshest = answers.length > 0 ? Math.max(...answers) : null
    this.#live.closed(open, this.nowMs, cause, this.timing, freshest)
    const ago = this.nowMs - open.lastAnswerMs
    this.say(`node ${node.name}: session lost (${cause}, last answer ${ago} ms ago)`)
    node.sessionEnded(open.lastAnswerMs)
    this.#waitForLoss(node)
    const vouched = isVouched(freshest, this.nowMs, this.timing)
    this.#suspect(node, vouched ? cause : 'restart')
  }

  /** As the shell does it: only where fencing has something to do with it. */
  #suspect(node: PretendNode, cause: 'socketClosed' | 'silent' | 'restart'): void {
    const fenced = [...this.hive.nodes.values()].some((n) => n.fence || n.under === 'fence')
    const state = this.hive.nodes.get(node.id)?.state ?? 'down'
    if (fenced && state !== 'down') this.handle({ type: 'nodeSuspected', nodeId: node.id, cause })
  }

  suspectMissing(): void {
    for (const node of this.nodes.values())
      if (!this.#sessions.has(node.id)) this.#suspect(node, 'restart')
  }

  #waitForLoss(node: PretendNode): void {
    // D3 is closed to a node that goes on after its lease.
    if (this.hive.nodes.get(node.id)?.under === 'fence') return
    const instance = this.#instance
    const ms = this.#live.remainingMs(node.id, this.nowMs, this.timing)
    if (ms === null || this.hive.nodes.get(node.id)?.state === 'down') return
    this.at(this.nowMs + ms, () => {
      if (instance !== this.#instance || this.#sessions.has(node.id)) return
      this.#live.timerFired(node.id, ms)
      const evidence = this.#live.evidence(node.id, this.nowMs)
      if (evidence) this.handle({ type: 'nodeLost', nodeId: node.id, evidence })
      const state = this.hive.nodes.get(node.id)?.state
      if (state !== undefined && state !== 'down') this.#waitForLoss(node)
    })
  }

  /** The control plane restarts: memory and sockets are gone, what was committed is not (D5). */
  restart(): void {
    this.#instance += 1
    this.say('control plane: restarted')
    this.replay()
    const open = [...this.nodes.values()].filter((node) => this.#sessions.has(node.id))
    this.#sessions.clear()
    for (const node of open) node.sessionEnded(node.silentMs ?? this.nowMs)
    this.#live = new Liveness()
    this.#live.beginGrace(this.nowMs)
    this.handle({ type: 'woke' })
    for (const node of this.nodes.values()) this.#waitForLoss(node)
    this.suspectMissing()
  }

  // ── The one way in ───────────────────────────────────────────────────────────────────────────

  ask(request: Request): void {
    const { refused } = this.handle({ type: 'requested', request, by: 'test' })
    if (request.type === 'setFence' || request.type === 'setTakeover') this.suspectMissing()
    if (refused)
      this.say(
        [`refused ${refused.code}: ${refused.message}`, refused.why, refused.remedy]
          .filter((part) => part !== undefined)
          .join(' | '),
      )
  }

  handle(event: Event): Decision {
    const text = JSON.stringify(eventSchema.parse(event))
    const before = canonicalJson([toDocument(this.hive), [...this.observed.offers]])
    const decision = step(this, event, this.nowMs)
    if (!isDeepStrictEqual(step(this, event, this.nowMs), decision))
      throw new Error('step is not a function of its arguments')
    if (canonicalJson([toDocument(this.hive), [...this.observed.offers]]) !== before)
      throw new Error('step changed what it was given')
    this.#journal.push({ text, atMs: this.nowMs })
    for (const [i, u] of decision.updates.entries()) {
      this.#sayLog(decision, i)
      this.#commit(u)
    }
    this.#sayLog(decision, decision.updates.length)
    for (const o of decision.observations) applyObservation(this.observed, o)
    const broken = brokenInvariants(this.hive)
    if (broken.length > 0) throw new Error(broken.join('; '))
    this.#send(decision)
    this.drain()
    return decision
  }

  /** Log lines of a decision stand where they were said: between its updates. */
  #sayLog(decision: Decision, after: number): void {
    for (const line of decision.log)
      if (line.after === after)
        this.say(`[${line.component}] ${line.message}${traced(line.correlationId)}`)
  }

  #commit(u: Update): void {
    updateSchema.parse(u)
    if (!Object.hasOwn(REASONS, u.because.code))
      throw new Error(`explain() does not know ${u.because.code}`)
    if (u.correlationId === '') throw new Error('an update without correlation id')
    this.say(`[${u.because.manager}] ${explain(u, this.hive).message}${traced(u.correlationId)}`)
    applyUpdate(this.hive, u)
    this.#updates.push(JSON.stringify(u))
  }

  #send(decision: Decision): void {
    for (const u of decision.updates)
      if (u.change.table === 'node' && (u.change.value?.state ?? 'down') === 'down')
        this.#live.forget(u.change.id)
    for (const effect of decision.effects) if (effect.type === 'welcome') this.#effect(effect)
    if (decision.updates.length > 0)
      for (const node of this.nodes.values())
        if (this.#sessions.has(node.id)) this.later(() => node.updates(decision.updates))
    for (const effect of decision.effects) if (effect.type !== 'welcome') this.#effect(effect)
  }

  #effect(effect: Effect): void {
    const node = [...this.nodes.values()].find((n) => n.id === effect.nodeId)
    if (!node) throw new Error(`an effect for a node that is not there: ${effect.nodeId}`)
    switch (effect.type) {
      case 'welcome':
        this.#sessions.set(node.id, { session: effect.session, welcomedMs: this.nowMs })
        this.#live.welcomed(node.id)
        node.welcomed(effect.session)
        break
      case 'refuse':
        this.say(`node ${node.name}: refused ${effect.code}: ${effect.detail}`)
        if (effect.session === node.number) node.refusedBy(effect.code)
        break
      case 'offer':
        if (this.#sessions.has(node.id)) this.later(() => node.offered(effect))
        break
      case 'fence': {
        const { action, target, boot, agent } = effect.order
        const what = boot === null ? action : `${action}, boot ${boot}`
        if (!this.#sessions.has(node.id)) break
        this.say(`node ${node.name}: runs ${agent} for ${target.name} (${what})`)
        if (action === 'off')
          this.fenceOrders.set(target.name, { helper: node, order: effect.order })
        break
      }
      case 'policy':
        if (this.#sessions.has(node.id)) this.later(() => node.told(effect.policy))
        break
      case 'closeSession':
        if (this.#sessions.delete(node.id)) this.say(`node ${node.name}: closed, ${effect.detail}`)
        node.sessionEnded(this.nowMs)
        break
    }
  }

  /** Messages arrive in the order in which they were sent, after what is under way. */
  later(run: () => void): void {
    this.#queue.push(run)
  }

  drain(): void {
    if (this.#draining) return
    this.#draining = true
    try {
      for (let n = 0; ; n += 1) {
        const run = this.#queue.shift()
        if (!run) break
        if (n > 10_000) throw new Error('the nodes and the cluster do not come to rest')
        run()
      }
    } finally {
      this.#draining = false
    }
    this.#checkNodes()
  }

  /** THE invariant: no two nodes run one group, and what runs is given by the hive (I1, I2). */
  #checkNodes(): void {
    const runsAt = new Map<string, string>()
    for (const node of this.nodes.values())
      for (const { groupId, epoch } of node.held()) {
        const other = runsAt.get(groupId)
        const group = this.named(groupId)
        if (other) throw new Error(`I1: ${group} runs on ${other} and on ${node.name}`)
        runsAt.set(groupId, node.name)
        const { ownership } = this.hive.groups.get(groupId) ?? {}
        if (ownership && (ownership.owner !== node.id || ownership.epoch !== epoch))
          throw new Error(`I2: ${group} runs on ${node.name} at epoch ${epoch} and is not its own`)
      }
  }

  // ── Replay ───────────────────────────────────────────────────────────────────────────────────

  /** The journal through the core, and the updates through a replica: the same hive bit for bit. */
  replay(): void {
    const state = { hive: emptyHive(), observed: emptyObserved() }
    const texts: string[] = []
    for (const { text, atMs } of this.#journal) {
      const decision = step(state, eventSchema.parse(JSON.parse(text)), atMs)
      for (const u of decision.updates) {
        texts.push(JSON.stringify(u))
        applyUpdate(state.hive, u)
      }
      for (const o of decision.observations) applyObservation(state.observed, o)
    }
    const replica = emptyHive()
    for (const text of this.#updates) applyUpdate(replica, updateSchema.parse(JSON.parse(text)))
    const wanted = canonicalJson(toDocument(this.hive))
    if (!isDeepStrictEqual(texts, this.#updates)) throw new Error('replay gives other updates')
    if (canonicalJson(toDocument(state.hive)) !== wanted) throw new Error('replay differs')
    if (canonicalJson(toDocument(replica)) !== wanted) throw new Error('a replica differs')
    if (!isDeepStrictEqual(state.observed, this.observed)) throw new Error('observations differ')
  }
}

/** A correlation id that came from a host (S-82); those of the core itself are numbers of updates. */
function traced(correlationId: string | undefined): string {
  return correlationId === undefined || /^u[0-9]+$/.test(correlationId) ? '' : ` {${correlationId}}`
}
