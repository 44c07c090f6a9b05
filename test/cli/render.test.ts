import { describe, expect, it } from 'vitest'
import { renderWhy } from '../../cli/commands/why.ts'
import { diffViews } from '../../cli/diff-views.ts'
import { formatDuration, formatInstant, parseDuration } from '../../cli/duration.ts'
import { Output, wantsColor } from '../../cli/output.ts'
import { failureOf, renderFailure } from '../../cli/render-error.ts'
import { renderStatus } from '../../cli/render-status.ts'
import { nearest } from '../../cli/suggest.ts'
import type { WhyView } from '../../schema/api/why.ts'
import { ERRORS, type ErrorCode, HoldfastError } from '../../schema/errors.ts'
import { surroundings } from './run-cli.ts'
import { NOW_MS, sampleGroup, sampleNode, sampleView, troubledView } from './sample-view.ts'

const ESCAPE = '\u001b'

describe('status', () => {
  it('of a healthy cluster', () => {
    expect(renderStatus(sampleView())).toMatchInlineSnapshot(`
      "prod  HEALTHY   profile standard   seq 41   view 3   12:03:11Z
      nodes
        ● n1  up  1 group   answered 120 ms ago
        ● n2  up  0 groups  answered 240 ms ago
        ● n3  up  0 groups  answered 360 ms ago
      groups
        ● web  online  n1  epoch 4  since 12:02:11Z
          ├─ nginx1  process  online
          └─ app     process  online  1 restart
      "
    `)
  })

  it('of a cluster with every kind of trouble, in 80 columns', () => {
    const screen = renderStatus(troubledView())
    expect(screen).toMatchInlineSnapshot(`
      "prod  OUTAGE   profile standard   seq 41   view 3   12:03:11Z
      nodes
        ● n1  up       2 groups  answered 120 ms ago
        ○ n2  paused   0 groups  answered 240 ms ago
        ✗ n3  DOWN     0 groups  no session
        ! n4  up       0 groups  no session, lease may run
        ○ n5  leaving  0 groups  answered 600 ms ago
      groups
        ✗ web    FAILED         n1       epoch 4  since 12:02:11Z
          ├─ nginx1  process  FAILED                  3 restarts; exit code 1 [2J
          ├─ nginx2  process  starting
          ├─ nginx3  process  offline, wanted online
          ├─ nginx4  process  online, wanted offline
          └─ nginx5  process  unknown
        ◐ db     stopping       n1 → n2  epoch 4  since 12:02:11Z
        ! batch  WAITING        -        epoch 4  since 12:02:11Z
            n1  is not a possible owner of "importer"
            n2  is paused
            n3  is down since 12:00:05Z, and its lease has surely ended by now
        ○ idle   offline        -        epoch 4
        ◐ some   partly online  n1       epoch 4  since 12:02:11Z
      problems (2)
        ! n3: node n3 is down
            → Start its host; it joins by itself.
        ! nginx1: nginx1 failed on n1: exit code 1, and this sentence is long enough
                  to need a second line
            → holdfast log --resource nginx1
      "
    `)
    expect(Math.max(...screen.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('in ASCII', () => {
    const screen = renderStatus(troubledView(), { ascii: true })
    expect([...screen].every((sign) => sign.charCodeAt(0) < 128)).toBe(true)
  })

  it('of a cluster without anything says what to do', () => {
    expect(renderStatus(sampleView({ nodes: [], groups: [] }))).toMatchInlineSnapshot(`
      "prod  HEALTHY   profile standard   seq 41   view 3   12:03:11Z
      nodes
        none yet. Make a join token: holdfast token create
      groups
        none yet. Make one: holdfast group create web
      "
    `)
  })

  it('wide has GUIDs, narrow fits', () => {
    expect(renderStatus(sampleView(), { wide: true })).toContain(sampleNode(1).id)
    const narrow = renderStatus(troubledView(), { width: 44 }).split('\n').slice(1)
    expect(Math.max(...narrow.map((line) => line.length))).toBeLessThanOrEqual(44)
  })

  it('in colour says the same words', () => {
    const colored = renderStatus(troubledView(), { color: true })
    expect(colored).toContain(ESCAPE)
    for (const word of ['DOWN', 'FAILED', 'WAITING', 'OUTAGE']) expect(colored).toContain(word)
  })

  it('never passes on what would move the cursor', () => {
    expect(renderStatus(troubledView())).not.toContain(ESCAPE)
  })

  it('says that it shows the past', () => {
    expect(renderStatus(sampleView(), { staleSinceMs: NOW_MS })).toContain(
      'STALE: no answer since 12:03:11Z',
    )
  })
})

it('changes between two views, one line each', () => {
  const after = sampleView({
    health: 'warning',
    nodes: [sampleNode(1, { groups: 1 }), sampleNode(2, { state: 'down', connected: false })],
    groups: [sampleGroup(1, { name: 'web', owner: 'n2', epoch: 5 }), sampleGroup(2)],
  })
  expect(diffViews(sampleView(), after)).toEqual([
    'node n2: down, no session',
    'node n3: removed',
    'group web: online on n2, epoch 5',
    'group group2: online on n1, epoch 4',
    'resource nginx1: removed',
    'resource app: removed',
    'cluster prod: warning',
  ])
  expect(diffViews(after, after)).toEqual([])
})

it('why: verdict first, one row a node, what led to it, what would change it', () => {
  const look = { color: false, ascii: false, width: 80 }
  const view: WhyView = {
    kind: 'group',
    id: 'g',
    name: 'web',
    verdict: 'web waits: no node may take it now',
    sinceMs: NOW_MS,
    chain: [
      {
        seq: 7,
        atMs: NOW_MS,
        type: 'group.free',
        subject: 'web',
        message: 'group web: free at epoch 4, was on n1\u001b[2J (its node is down)',
        because: { manager: 'FM', code: 'nodeLost' },
        correlationId: 'u6',
      },
    ],
    nodes: [
      { node: 'n2', eligible: true, owner: false, reason: 'preferred owner 1' },
      { node: 'n1', eligible: false, owner: true, reason: 'down' },
    ],
    change: ['holdfast why n1'],
  }
  expect(renderWhy(view, look, NOW_MS)).toMatchInlineSnapshot(`
    "web waits: no node may take it now  (since 12:03:11Z)
      n2  yes  preferred owner 1
      n1  no   owner, down
    what led to it
      2026-11-23T12:03:11.000Z  7  group.free  group web: free at epoch 4, was on n1 [2J (its node is down)
    what would change it
      → holdfast why n1"
  `)
})

describe('errors', () => {
  it('have four parts', () => {
    const error = new HoldfastError({
      code: 'NO_ELIGIBLE_NODE',
      message: 'group "web" stays offline',
      why: 'n1 is down, n2 is paused.',
      remedy: 'holdfast node resume n2',
      errors: [{ pointer: '/to', message: 'n3 is not a possible owner' }],
    })
    const look = { color: false, ascii: false, width: 80 }
    expect(renderFailure(failureOf(error), look)).toMatchInlineSnapshot(`
      "error: group "web" stays offline   [NO_ELIGIBLE_NODE]
        why:  n1 is down, n2 is paused.
              /to: n3 is not a possible owner
        try:  holdfast node resume n2
        docs: https://holdfast.dev/errors/NO_ELIGIBLE_NODE
      "
    `)
  })

  it.each(Object.keys(ERRORS) as ErrorCode[])('%s ends with the exit code of the table', (code) => {
    const failure = failureOf(new HoldfastError({ code, message: 'm' }))
    expect(failure.exit).toBe(ERRORS[code].exit)
    expect([1, 2, 3, 5, 6, 7, 8]).toContain(failure.exit)
    expect(failure.why).not.toBe('')
  })

  it('that nobody thought of end with 1', () => {
    expect(failureOf(new Error('x'))).toMatchObject({ code: 'INTERNAL', exit: 1, why: 'x' })
    expect(failureOf(new SyntaxError('x')).message).toContain('cannot be read')
  })
})

it('durations', () => {
  expect(['500ms', '1.5s', '2m', '1h', '1d'].map(parseDuration)).toEqual([
    500, 1_500, 120_000, 3_600_000, 86_400_000,
  ])
  for (const bad of ['', '5', '5 s', '-1s', '1y']) expect(() => parseDuration(bad)).toThrow()
  expect([7, 1_234, 5_000, 61_000, 119_900, 3_600_000, 90_000_000].map(formatDuration)).toEqual([
    '7 ms',
    '1.2 s',
    '5 s',
    '1 min 1 s',
    '2 min',
    '1 h',
    '1 d 1 h',
  ])
  expect(formatInstant(NOW_MS - 86_400_000, NOW_MS)).toBe('2026-11-22 12:03Z')
})

it('the nearest name, when one is near', () => {
  expect(nearest('wbe', ['db', 'web'])).toBe('web')
  expect(nearest('nginx', ['ngnix'])).toBe('ngnix')
  expect(nearest('web', ['batch', 'database'])).toBeNull()
})

it('colour and signs follow the flag, NO_COLOR, FORCE_COLOR and the terminal', () => {
  expect(wantsColor(undefined, {}, true)).toBe(true)
  expect(wantsColor(undefined, {}, false)).toBe(false)
  expect(wantsColor(undefined, { NO_COLOR: '1', FORCE_COLOR: '1' }, true)).toBe(false)
  expect(wantsColor(undefined, { FORCE_COLOR: '1' }, false)).toBe(true)
  expect(wantsColor(undefined, { TERM: 'dumb' }, true)).toBe(false)
  expect(wantsColor('always', { NO_COLOR: '1' }, false)).toBe(true)
  expect(wantsColor('never', { FORCE_COLOR: '1' }, true)).toBe(false)
  const look = (env: Record<string, string>) => new Output({}, surroundings({ env })).look
  expect(look({ TERM: 'dumb' }).ascii).toBe(true)
  expect(look({ LANG: 'C' }).ascii).toBe(true)
  expect(look({ LANG: 'de_DE.UTF-8' }).ascii).toBe(false)
})
