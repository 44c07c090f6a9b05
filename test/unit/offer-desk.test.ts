/** Target Failover Manager (O1): what an offer is answered with, and when. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { OfferDesk } from '../../probe/agent/offer-desk.ts'
import { couldHost } from '../../probe/rhs/could-host.ts'
import type { AgentToGuard, HeldResource } from '../../schema/ipc.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import type { NodeFrame } from '../../schema/session.ts'
import { heldResource } from './rhs-bench.ts'

const GROUP = '00000000-0000-4000-8000-0000000000f1'
const DB = '00000000-0000-4000-8000-00000000000a'
const WEB = '00000000-0000-4000-8000-00000000000b'
const NO_PLACE = '00000000-0000-4000-8000-00000000000c'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function bench(monitors: Record<string, string | null> = { process: 'rhs', script: 'rhs-exec' }) {
  const sent: AgentToGuard[] = []
  const answers: NodeFrame[] = []
  let why: string | null = null
  const desk = new OfferDesk({
    monitors: { hostOf: (type) => monitors[type] ?? null, isReady: (m) => m !== 'down' },
    toGuard: (frame) => sent.push(frame),
    answer: (frame) => answers.push(frame),
    whyNot: () => why,
    receive: async (_, __, mid) =>
      mid === NO_PLACE ? { problem: 'no way here' } : { to: { connect: mid } },
    members: () => [
      heldResource({ guid: DB, name: 'db', type: 'process' }),
      heldResource({ guid: WEB, name: 'web', type: 'script' }),
    ],
  })
  const says = (monitor: string, problems: { guid: string; problem: string }[] = [], request = 1) =>
    desk.heard(monitor, { t: 'couldHost', request, problems })
  return {
    desk,
    sent,
    answers,
    says,
    now: (reason: string | null) => {
      why = reason
    },
  }
}

const OFFER = { t: 'offer', groupId: GROUP, epoch: 7, reason: 'placement' } as const
const accepted = { t: 'accept', groupId: GROUP, epoch: 7 }

test('all monitors are asked, each for its own; the yes comes once all have answered', () => {
  const { desk, sent, answers, says } = bench()
  desk.take(OFFER)
  expect(sent.map((f) => 'monitor' in f && [f.monitor, f.frame.t])).toEqual([
    ['rhs', 'couldHost'],
    ['rhs-exec', 'couldHost'],
  ])
  says('rhs')
  expect(answers).toEqual([])
  says('rhs-exec')
  expect(answers).toEqual([accepted])
})

test('a problem is a no, at once and with the name of the resource', () => {
  const { desk, answers, says } = bench()
  desk.take(OFFER)
  says('rhs-exec', [{ guid: WEB, problem: 'there is no /opt/web on this host' }])
  says('rhs')
  const reason = 'web: there is no /opt/web on this host'
  expect(answers).toEqual([{ t: 'refuse', groupId: GROUP, epoch: 7, reason }])
})

test('a monitor that hangs, or is down, has nothing against it', () => {
  const { desk, answers, says } = bench()
  desk.take(OFFER)
  says('rhs')
  vi.advanceTimersByTime(399)
  expect(answers).toEqual([])
  vi.advanceTimersByTime(1)
  expect(answers).toEqual([accepted])
  says('rhs-exec', [{ guid: WEB, problem: 'late' }])
  expect(answers).toHaveLength(1)
  const down = bench({ process: 'down', script: null })
  down.desk.take(OFFER)
  expect(down.answers).toEqual([accepted])
})

test('what has come up meanwhile counts, and what is known before is asked of nobody', () => {
  const first = bench()
  first.now('this host shuts down')
  first.desk.take(OFFER)
  expect(first.sent).toEqual([])
  expect(first.answers).toMatchObject([{ t: 'refuse', reason: 'this host shuts down' }])
  const then = bench()
  then.desk.take(OFFER)
  then.now('it is still being stopped here')
  then.says('rhs')
  then.says('rhs-exec')
  expect(then.answers).toMatchObject([{ t: 'refuse', reason: 'it is still being stopped here' }])
})

test('an answer to another question is none', () => {
  const { desk, answers, says } = bench()
  desk.take(OFFER)
  says('rhs', [{ guid: DB, problem: 'of an earlier agent' }], 99)
  expect(answers).toEqual([])
})

test('modules: what validate rejects with is the problem; hanging or lacking it is none', async () => {
  vi.useRealTimers()
  const modules: Record<string, Partial<ResourceModule>> = {
    refuses: { validate: () => Promise.reject(new Error('no such user')) },
    hangs: { validate: () => new Promise(() => {}) },
    throws: {
      validate: () => {
        throw new Error('at once')
      },
    },
    takes: { validate: async () => {} },
    lacks: {},
    // Properties that do not fit are a problem, whether or not it has the function.
    misfits: {},
  }
  const all = [...Object.keys(modules), 'unknown'].map(
    (type): HeldResource => heldResource({ guid: type, type }),
  )
  const found = await couldHost(
    all,
    (type) => modules[type] as ResourceModule | undefined,
    (one) => {
      if (one.type === 'misfits') throw new Error('port: expected a number')
      return { guid: one.guid } as Call
    },
    () => () => {},
  )
  expect(found).toEqual([
    { guid: 'refuses', problem: 'no such user' },
    { guid: 'throws', problem: 'at once' },
    { guid: 'misfits', problem: 'port: expected a number' },
  ])
})

test('M1: an offer of a live move is answered with a place for the copy, or why there is none', async () => {
  const { desk, answers, says } = bench()
  desk.take({ ...OFFER, mid: WEB })
  says('rhs')
  says('rhs-exec')
  await vi.advanceTimersByTimeAsync(1)
  expect(answers).toEqual([{ ...accepted, receives: { mid: WEB, to: { connect: WEB } } }])
  desk.take({ ...OFFER, mid: NO_PLACE })
  says('rhs', [], 2)
  says('rhs-exec', [], 2)
  await vi.advanceTimersByTimeAsync(1)
  expect(answers[1]).toEqual({ ...accepted, receivesNot: 'no way here' })
})
