/** S-27, S-32: whatever a module says, each resource that was asked about has one answer that makes sense. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LogLimit } from '../../probe/rhs/log-limit.ts'
import { soundAnswer, soundAnswers } from '../../probe/rhs/module-answers.ts'
import { isDegraded, reportedStatus } from '../../schema/status.ts'

const [A, B] = ['a', 'b']

test('answers that fit are taken as they are, in the order of the question', () => {
  expect(
    soundAnswers(
      [A, B],
      [
        { guid: B, status: 'failed', detail: 'exit 1' },
        { guid: A, status: 'online' },
      ],
    ),
  ).toEqual([
    { guid: A, status: 'online' },
    { guid: B, status: 'failed', detail: 'exit 1' },
  ])
})

test('S-51: degraded is online with evidence, and what is not online is not degraded', () => {
  const say = (answer: object) => soundAnswers([A], [{ guid: A, ...answer }])[0]
  const detail = 'HTTP 200, but the data is 40 s old'
  expect(say({ status: 'online', degraded: true, detail })).toEqual({
    ...{ guid: A, status: 'online', detail: `degraded: ${detail}` },
  })
  expect(say({ status: 'online', degraded: true })?.detail).toBe('degraded: it does not say why')
  expect(say({ status: 'online', degraded: 'yes', detail })?.detail).toBe(detail)
  expect(say({ status: 'failed', degraded: true, detail })?.detail).toBe(detail)
  expect(isDegraded({ status: 'online', detail: `degraded: ${detail}` })).toBe(true)
  expect(isDegraded({ status: 'failed', detail: `degraded: ${detail}` })).toBe(false)
  expect(isDegraded({ status: 'online', detail })).toBe(false)
})

test.each([
  [
    'a seventh status',
    [{ guid: A, status: 'degraded' }],
    'the module says "degraded", which is no status',
  ],
  ['no status', [{ guid: A }], 'the module says undefined, which is no status'],
  ['nobody', [null, 7, 'x'], 'the module has given no answer for it'],
  [
    'somebody else alone',
    [{ guid: 'c', status: 'online' }],
    'the module has given no answer for it',
  ],
  [
    'twice',
    [
      { guid: A, status: 'online' },
      { guid: A, status: 'failed' },
    ],
    'the module has given several answers for it',
  ],
  ['no list', { guid: A, status: 'online' }, 'the module has not returned a list of answers'],
  ['nothing', undefined, 'the module has not returned a list of answers'],
])('%s: its resource is unknown and says why, its neighbour is not touched', (_, said, detail) => {
  const withB = Array.isArray(said) ? [...said, { guid: B, status: 'online' }] : said
  const [a, b] = soundAnswers([A, B], withB)
  expect(a).toEqual({ guid: A, status: 'unknown', detail })
  if (Array.isArray(said)) expect(b).toEqual({ guid: B, status: 'online' })
})

test('a detail that is no text, or endless, is made one that can be told', () => {
  const circle: Record<string, unknown> = {}
  circle['self'] = circle
  expect(soundAnswer(A, { status: 'online', detail: circle })).toMatchObject({
    detail: '[object Object]',
  })
  expect(soundAnswer(A, { status: 'online', detail: 'x'.repeat(1e6) }).detail).toHaveLength(1_000)
})

test('anything at all: one answer each, with a status there is', () => {
  fc.assert(
    fc.property(fc.anything(), fc.uniqueArray(fc.string(), { maxLength: 5 }), (said, asked) => {
      const answers = soundAnswers(asked, said)
      expect(answers.map((a) => a.guid)).toEqual(asked)
      for (const { status } of answers) reportedStatus.parse(status)
    }),
  )
})

test('a module that logs without end: two hundred lines in ten seconds, and how many more there were', () => {
  const limit = new LogLimit()
  const passed: string[] = []
  for (let n = 0; n < 10_000; n += 1) passed.push(...limit.lines(A, `line ${n}`, n / 10))
  expect(passed).toHaveLength(201)
  expect(passed.at(-1)).toBe('its module logs more than 200 lines in 10 s: the rest is left out')
  expect(limit.lines(B, 'another one', 1_000)).toEqual(['another one'])
  expect(limit.lines(A, 'later', 10_000)).toEqual([
    '9800 more lines of its module were left out',
    'later',
  ])
  expect(limit.lines(A, 'and on', 10_001)).toEqual(['and on'])
})
