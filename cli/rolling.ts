/**
 * Work on one host after the other: each is drained, worked on, looked at when it is back, and given its
 * groups again before the next one is touched. The first problem ends it: what is not begun stays as it is.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline/promises'
import type { ClusterView, NodeView } from '../schema/api/bodies.ts'
import type { OperationView } from '../schema/api/operations.ts'
import type { SimulatedGroup } from '../schema/api/simulate.ts'
import { connect, stdioOf } from './child-streams.ts'
import { formatDuration } from './duration.ts'
import { outageText, StepLines } from './operation-text.ts'
import type { Session } from './session.ts'
import { isInteractive } from './surroundings.ts'
import { type Progress, type Waited, waitFor } from './wait.ts'

export interface Plan {
  /** Names, in the order in which they are worked on. */
  readonly nodes: readonly string[]
  /** Run on this machine for each of them; empty: somebody says when it is done. */
  readonly command: readonly string[]
  readonly failback: 'now' | 'policy' | 'never'
  /** Its host is another boot afterwards. */
  readonly reboots: boolean
  readonly drainMs: number
  readonly backMs: number
  readonly settleMs: number
}

export interface Worked {
  readonly node: string
  /** Id of its drain. */
  readonly operation: string | null
  readonly outage: string | null
  readonly workMs: number
  readonly tookMs: number
}

export type Rolled =
  | { readonly outcome: 'done'; readonly worked: readonly Worked[] }
  | ({ readonly outcome: 'problems' | 'interrupted'; readonly worked: readonly Worked[] } & Stop)

/** Where it has stopped. */
export interface Stop {
  readonly at: string
  /** `check`: nothing was done to the node; behind `drain` it is drained still. */
  readonly during: 'check' | 'drain' | 'work' | 'back' | 'settle'
  readonly why: string
}

/** Thrown by what has found a problem, and caught by the one loop. */
class Stopped extends Error {
  readonly during: Stop['during']
  constructor(during: Stop['during'], why: string) {
    super(why)
    this.during = during
  }
}

export async function roll(session: Session, plan: Plan): Promise<Rolled> {
  const worked: Worked[] = []
  for (const at of plan.nodes) {
    let during: Stop['during'] = 'check'
    const enter = (now: Stop['during']) => {
      during = now
    }
    try {
      worked.push(await workOn(session, plan, at, enter))
    } catch (error) {
      if (error instanceof Stopped)
        return { outcome: 'problems', worked, at, during: error.during, why: error.message }
      if (!session.signal.aborted) throw error
      return { outcome: 'interrupted', worked, at, during, why: 'stopped by Ctrl-C' }
    }
  }
  return { outcome: 'done', worked }
}

async function workOn(
  session: Session,
  plan: Plan,
  name: string,
  enter: (during: Stop['during']) => void,
): Promise<Worked> {
  const beganMs = performance.now()
  const say = (text: string) => session.out.note(`${name}: ${text}`)
  const before = await session.view()
  await check(session, before, name)
  enter('drain')
  say('drained')
  const drained = await drain(session, plan, name)
  enter('work')
  const workMs = performance.now()
  const by = await work(session, plan, name, say)
  const tookMs = Math.round(performance.now() - workMs)
  enter('back')
  await back(session, plan, nodeIn(before, name), say)
  if (by !== 'resumed')
    await session.inCluster('resumeNode', {
      params: { node: name },
      body: { failback: plan.failback },
    })
  enter('settle')
  await settle(session, plan, before, name)
  say(`takes groups again, after ${formatDuration(performance.now() - beganMs)}`)
  return {
    node: name,
    operation: drained?.id ?? null,
    outage: drained && outageText(drained),
    workMs: tookMs,
    tookMs: Math.round(performance.now() - beganMs),
  }
}

function nodeIn(view: ClusterView, name: string): NodeView {
  const node = view.nodes.find((one) => one.name === name)
  if (!node) throw new Stopped('check', `there is no node ${name} any more`)
  return node
}

/** Nothing is begun with a cluster that is not well, or that would not be well without this node. */
async function check(session: Session, view: ClusterView, name: string): Promise<void> {
  const stop = (why: string) => new Stopped('check', why)
  const node = nodeIn(view, name)
  if (node.state !== 'up' || !node.connected)
    throw stop(`it is ${node.state}${node.connected ? '' : ', without a session'}`)
  for (const other of view.nodes)
    if (other.name !== name && (other.state !== 'up' || !other.connected))
      throw stop(`${other.name} is ${other.state}: one host is worked on at a time`)
  const bad = view.groups.find(
    (g) => (g.state === 'failed' || g.state === 'waiting') && !g.maintenance,
  )
  if (bad) throw stop(`group ${bad.name} is ${bad.state} already`)
  if (node.draining) return
  const { groups } = await session.inCluster('simulate', { body: { what: 'drain', nodes: [name] } })
  const [stays] = staying(view, name, groups)
  if (stays !== undefined)
    throw stop(`no other node could take ${stays} now. To see why: holdfast why ${stays}`)
}

/** Groups of a node that would not leave it, by name: whatever stays is not among what would change. */
export function staying(
  view: ClusterView,
  node: string,
  simulated: readonly SimulatedGroup[],
): string[] {
  const leaving = new Set(simulated.flatMap((g) => (g.to === null ? [] : g.group)))
  return view.groups.flatMap((g) => (g.owner === node && !leaving.has(g.name) ? g.name : []))
}

async function drain(session: Session, plan: Plan, node: string): Promise<OperationView | null> {
  const { operation } = await session.inCluster('drainNode', { params: { node } })
  // It was drained before: by whoever began this, or by hand.
  const id = operation ?? (await lastDrain(session, node))
  if (id === null) return null
  const lines = new StepLines()
  const params = { operation: id }
  const waited = await watched(
    session,
    async () => {
      const view = await session.inCluster('getOperation', { params })
      for (const line of lines.next(view)) session.out.note(`  ${line}`)
      return view
    },
    ({ state }) => (state === 'running' ? 'going' : state === 'waiting' ? 'stuck' : 'done'),
    plan.drainMs,
  )
  const { last, outcome, tookMs } = waited
  if (outcome === 'timeout')
    throw new Stopped('drain', `after ${formatDuration(tookMs)}: ${last.summary}`)
  if (last.state !== 'done') throw new Stopped('drain', last.summary)
  return last
}

async function lastDrain(session: Session, node: string): Promise<string | null> {
  const { operations } = await session.inCluster('listOperations', { query: { limit: 100 } })
  return operations.find((one) => one.kind === 'drain' && one.subject.name === node)?.id ?? null
}

/** Waits, and lets Ctrl-C through as what it is. */
async function watched<T>(
  session: Session,
  look: () => Promise<T>,
  judge: (seen: T) => Progress,
  limitMs: number,
): Promise<Waited<T>> {
  const waited = await waitFor(session, look, judge, limitMs, LOOK_MS)
  if (waited.outcome === 'interrupted') session.signal.throwIfAborted()
  return waited
}

const LOOK_MS = 1_000

/** @returns how its end was told: `resumed` by whoever resumed the node meanwhile */
async function work(
  session: Session,
  plan: Plan,
  node: string,
  say: (text: string) => void,
): Promise<'ended' | 'resumed'> {
  if (plan.command.length > 0) {
    const command = plan.command.map((word) => word.replaceAll('{}', node))
    say(`runs here: ${command.join(' ')}`)
    await runHere(session, command, node)
    return 'ended'
  }
  return told(session, node, say)
}

async function runHere(session: Session, command: readonly string[], node: string): Promise<void> {
  const [file = '', ...args] = command
  const { stdin, stdout, stderr, env, cwd } = session.surroundings
  // With --json standard output is the document's.
  const streams = { stdin, stdout: session.out.json ? stderr : stdout, stderr }
  const child = spawn(file, args, {
    stdio: [...stdioOf(streams)],
    env: { ...env, HOLDFAST_NODE: node },
    cwd,
  })
  connect(child, streams)
  session.signal.addEventListener('abort', () => child.kill('SIGINT'))
  const problem = await new Promise<string | null>((done) => {
    child.on('error', (error) => done(String(error.message)))
    child.on('close', (code, signal) =>
      done(
        code === 0 ? null : `it ended ${code === null ? `by ${signal}` : `with exit code ${code}`}`,
      ),
    )
  })
  session.signal.throwIfAborted()
  if (problem !== null) throw new Stopped('work', `${command.join(' ')}: ${problem}`)
}

/** Enter on this terminal, or a resume of the node from anywhere: that is how a hook says it. */
async function told(
  session: Session,
  node: string,
  say: (text: string) => void,
): Promise<'ended' | 'resumed'> {
  const { surroundings } = session
  const asks = isInteractive(surroundings) && !session.out.json
  say(`is yours. When done: ${asks ? 'Enter here, or ' : ''}holdfast node resume ${node}`)
  const over = new AbortController()
  const signal = AbortSignal.any([session.signal, over.signal])
  const resumed = untilResumed(session, node, signal).then(() => 'resumed' as const)
  const line = asks
    ? createInterface({ input: surroundings.stdin, output: surroundings.stderr })
    : null
  const entered = line?.question('', { signal }).then(() => 'ended' as const)
  try {
    return await (entered ? Promise.race([resumed, entered]) : resumed)
  } finally {
    over.abort()
    line?.close()
    await Promise.allSettled([resumed, entered])
  }
}

async function untilResumed(session: Session, node: string, signal: AbortSignal): Promise<void> {
  for (;;) {
    const { last } = await waitFor(
      session,
      () => session.inCluster('getNode', { params: { node } }),
      ({ paused }) => (paused ? 'going' : 'done'),
      LOOK_MS,
      LOOK_MS,
    )
    signal.throwIfAborted()
    if (!last.paused) return
  }
}

/** Its host is back, with all that it could run before. */
async function back(
  session: Session,
  plan: Plan,
  before: NodeView,
  say: (text: string) => void,
): Promise<void> {
  const { name: node, bootId } = before
  say(plan.reboots ? 'waits for its next boot' : 'is it well?')
  const is = (now: NodeView) =>
    now.state === 'up' && now.connected && (!plan.reboots || now.bootId !== bootId)
  const { last, outcome, tookMs } = await watched(
    session,
    () => session.inCluster('getNode', { params: { node } }),
    (now) => (is(now) ? 'done' : 'going'),
    plan.backMs,
  )
  if (outcome === 'timeout') {
    const same =
      plan.reboots && last.bootId === bootId ? ', and it is still the boot from before' : ''
    const without = last.connected ? '' : ', without a session'
    throw new Stopped(
      'back',
      `after ${formatDuration(tookMs)} it is ${last.state}${without}${same}`,
    )
  }
  const could = new Set(before.types.filter((t) => t.problem === undefined).map((t) => t.type))
  const now = new Map(last.types.map((t) => [t.type, t.problem ?? null]))
  for (const type of could) {
    const problem = now.has(type) ? now.get(type) : 'it has no module of it any more'
    if (problem) throw new Stopped('back', `it cannot host ${type} any more: ${problem}`)
  }
  if (last.quarantinedUntilMs !== null) throw new Stopped('back', 'it is quarantined')
}

/** Everything that was online is online; and back on the node, if it is to be. */
async function settle(
  session: Session,
  plan: Plan,
  before: ClusterView,
  node: string,
): Promise<void> {
  const well = new Set(before.groups.filter((g) => g.state === 'online').map((g) => g.id))
  const lived = new Set(before.groups.filter((g) => g.owner === node).map((g) => g.id))
  const missing = (view: ClusterView): string[] => [
    ...view.nodes
      .filter((n) => n.name === node && !n.connected)
      .map((n) => `${n.name} has no session`),
    ...view.groups.flatMap((g) => {
      if (well.has(g.id) && g.state !== 'online') return [`${g.name} is ${g.state}`]
      const away = plan.failback === 'now' && lived.has(g.id) && g.owner !== node
      return away ? [`${g.name} is still on ${g.owner ?? 'no node'}`] : []
    }),
  ]
  const { last, outcome, tookMs } = await watched(
    session,
    () => session.view(),
    (view) => (missing(view).length === 0 ? 'done' : 'going'),
    plan.settleMs,
  )
  if (outcome !== 'done')
    throw new Stopped('settle', `after ${formatDuration(tookMs)}: ${missing(last).join('; ')}`)
}
