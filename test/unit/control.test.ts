/** Control codes on a host: from the agent to the module, and back (S-33). */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { ControlDesk } from '../../probe/agent/control-desk.ts'
import { Asks } from '../../probe/rhs/asks.ts'
import { CallBook } from '../../probe/rhs/call-book.ts'
import type { Shelf } from '../../probe/rhs/shelf.ts'
import type { AgentToGuard, FromRhs } from '../../schema/ipc.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import type { NodeFrame } from '../../schema/session.ts'
import { A, GROUP, heldResource } from './rhs-bench.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const REQUEST = '00000000-0000-4000-8000-0000000000aa'
const order = { t: 'control', request: REQUEST, resourceId: A, groupId: GROUP, epoch: 1 } as const

function deskWith(grants = [{ groupId: GROUP, epoch: 1 }], monitor: string | null = 'rhs') {
  const sent: AgentToGuard[] = []
  const answers: NodeFrame[] = []
  const desk = new ControlDesk({
    monitorOf: () => monitor,
    grants: () => grants,
    toGuard: (frame) => sent.push(frame),
    answer: (frame) => answers.push(frame),
  })
  return { desk, sent, answers, take: () => desk.take({ ...order, code: 'reload', input: {} }) }
}

test('what this host does not run at that epoch is handed to nobody', () => {
  for (const { take, sent, answers } of [
    deskWith([]),
    deskWith([{ groupId: GROUP, epoch: 2 }]),
    deskWith(undefined, null),
  ]) {
    take()
    expect(sent).toEqual([])
    expect(answers).toMatchObject([
      {
        t: 'controlled',
        request: REQUEST,
        outcome: { error: expect.stringContaining('any more') },
      },
    ])
  }
})

test('the answer goes back once; a monitor that does not answer is said to', () => {
  const { desk, sent, answers, take } = deskWith()
  take()
  expect(sent).toMatchObject([{ t: 'toRhs', monitor: 'rhs', frame: { t: 'control', guid: A } }])
  desk.heard({ t: 'controlled', request: 1, outcome: { answer: 'null' } })
  desk.heard({ t: 'controlled', request: 1, outcome: { answer: '"again"' } })
  expect(answers).toEqual([{ t: 'controlled', request: REQUEST, outcome: { answer: 'null' } }])
  take()
  vi.advanceTimersByTime(11_000)
  expect(answers[1]).toMatchObject({ outcome: { error: 'its resource monitor does not answer' } })
})

async function ask(
  module: Partial<ResourceModule> | undefined,
  code: string,
  input = {},
  epoch = 1,
) {
  const told: FromRhs[] = []
  const asks = new Asks({
    shelf: { get: () => module } as unknown as Shelf,
    book: new CallBook(),
    heldOf: (guid) => (guid === A ? heldResource() : undefined),
    callOf: () => ({ guid: A }) as Call,
    tell: (frame) => told.push(frame),
    sayAlive: () => {},
    log: () => {},
  })
  asks.take({ t: 'control', request: 3, guid: A, epoch, code, input })
  for (let turn = 0; turn < 20 && told.length === 0; turn += 1) await Promise.resolve()
  return told[0]?.t === 'controlled' ? told[0].outcome : null
}

test('in the monitor: done, refused by the schema, thrown, lacking, too much, of another epoch', async () => {
  const controls = {
    look: {
      title: '',
      changes: false,
      input: z.strictObject({ deep: z.boolean().default(false) }),
    },
  }
  const module = (control: ResourceModule['control']) => ({ controls, ...(control && { control }) })
  const says = module(async (_, code, input) => ({ code, ...input }))
  expect(await ask(says, 'look')).toEqual({ answer: '{"code":"look","deep":false}' })
  expect(await ask(says, 'look', { wide: 1 })).toMatchObject({
    error: expect.stringContaining('wide'),
  })
  expect(await ask(says, 'toString')).toEqual({ error: 'not implemented: control toString' })
  expect(await ask(module(undefined), 'look')).toEqual({ error: 'not implemented: control look' })
  expect(await ask(undefined, 'look')).toEqual({ error: 'not implemented: control look' })
  const throws = module(() => Promise.reject(new Error('no luck')))
  expect(await ask(throws, 'look')).toEqual({ error: 'no luck' })
  const nothing = module(async () => undefined)
  expect(await ask(nothing, 'look')).toEqual({ answer: 'null' })
  const much = module(async () => 'x'.repeat(70_000))
  expect(await ask(much, 'look')).toMatchObject({
    error: expect.stringContaining('65536 are the most'),
  })
  expect(await ask(says, 'look', {}, 2)).toEqual({ error: 'it is not held here any more' })
})
