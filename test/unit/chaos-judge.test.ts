/** `npm run chaos` would see what it looks for: its judge, its arguments, its sum and its lines. */
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LedgerLine } from '../../demo/cluster.ts'
import { Random } from '../../sim/world/random.ts'
import { parseArguments } from '../chaos/arguments.ts'
import { Urn } from '../chaos/faults.ts'
import { judge } from '../chaos/judge.ts'
import { FAULT_KINDS } from '../chaos/kinds.ts'
import { Relay } from '../chaos/relay.ts'
import { passed, type Sum, summary } from '../chaos/sum.ts'

const at = (what: LedgerLine['what'], owner: string, epoch: number, atMs: number): LedgerLine => ({
  what,
  owner,
  epoch,
  atMs,
  name: 'w',
  pid: epoch * 10,
})

describe('judge', () => {
  const ledger = [
    at('start', 'n1', 1, 1_000),
    at('overlap', 'n2', 2, 5_000),
    at('start', 'n2', 2, 5_001),
  ]
  const writes = [
    at('write', 'n1', 1, 1_000),
    at('write', 'n2', 2, 5_001),
    at('write', 'n1', 1, 6_000),
  ]

  test('an overlap, and a write of an older epoch after a newer one, count', () => {
    const verdict = judge(ledger, writes, [])
    expect(verdict).toMatchObject({ byFreeze: 0, refusedWrites: 0 })
    expect(verdict.overlaps).toEqual([
      'w on n2 in epoch 2: the lock was held',
      'w: n1 wrote in epoch 1 after n2 in 2',
    ])
  })

  test('A5: those of a host that stood still are counted apart', () => {
    const freeze = { host: 'n1', fromMs: 2_000, untilMs: 6_010 }
    const verdict = judge(ledger, writes, [freeze])
    expect(verdict).toEqual({ overlaps: [], byFreeze: 1, refusedWrites: 1 })
  })

  test.each([
    ['of another host', { host: 'n3', fromMs: 2_000, untilMs: 9_000 }],
    ['of the host that took over', { host: 'n2', fromMs: 2_000, untilMs: 9_000 }],
    ['that was over before', { host: 'n1', fromMs: 2_000, untilMs: 4_900 }],
    ['that began later', { host: 'n1', fromMs: 7_000, untilMs: 9_000 }],
  ])('a freeze %s excuses nothing', (_, freeze) => {
    expect(judge(ledger, writes, [freeze]).overlaps).toHaveLength(2)
  })

  test('twice on the same host is not excused by a freeze of it', () => {
    const same = [at('start', 'n1', 1, 1_000), at('overlap', 'n1', 1, 5_000)]
    const freeze = { host: 'n1', fromMs: 0, untilMs: 9_000 }
    expect(judge(same, [], [freeze]).overlaps).toHaveLength(1)
  })

  test('a restart in place writes on in its epoch', () => {
    const again = [at('write', 'n1', 1, 1_000), at('write', 'n1', 1, 2_000)]
    expect(judge([], again, [])).toEqual({ overlaps: [], byFreeze: 0, refusedWrites: 0 })
  })
})

describe('sum', () => {
  const none: Sum = {
    ...{ rounds: [], overlaps: [], byFreeze: 3, refusedWrites: 2, acks: 5 },
    ...{ lost: [], differ: [], resumeOverlapMs: [12, 40, 20] },
  }
  const late = { faults: [], tookMs: 1, recoverMs: 99_999, silentMs: 0, problem: 'late' }
  const sumOf = (more: Partial<Sum>) => summary({ ...none, ...more }, parseArguments([]))

  test('what freezes do is reported, and fails nothing', () => {
    const result = sumOf({})
    expect(result.resumeOverlapMs).toEqual({ count: 3, median: 20, max: 40 })
    expect(passed(result)).toBe(true)
  })

  test.each<[string, Partial<Sum>]>([
    ['an overlap', { overlaps: ['w on n2'] }],
    ['a lost write', { lost: ['group made-1'] }],
    ['a replica that differs', { differ: ['n1 has 4'] }],
    ['one that did not come back in time', { rounds: [late] }],
  ])('%s fails it', (_, more) => {
    expect(passed(sumOf(more))).toBe(false)
  })
})

describe('arguments', () => {
  test.each([
    [['--faults', 'x'], '--faults takes a whole number'],
    [['--faults', '0'], '--faults takes a whole number'],
    [['--faults', '1.5'], '--faults takes a whole number'],
    [['--seed', '-1'], '--seed'],
    [['--only', 'powerCut,flood'], 'no fault "flood"; there are killGuard'],
    [['--fault', '3'], '--fault'],
    [['3'], '3'],
  ])('%j makes no sense', (words, message) => {
    expect(() => parseArguments(words)).toThrow(message)
  })

  test('the same seed, the same faults; each kind once before one comes again', () => {
    const drawn = (seed: number) => {
      const urn = new Urn(new Random(seed), FAULT_KINDS)
      return FAULT_KINDS.map(() => urn.next())
    }
    expect(drawn(7)).toEqual(drawn(7))
    expect(drawn(7)).not.toEqual(drawn(8))
    expect(new Set(drawn(7).map((one) => one.kind)).size).toBe(FAULT_KINDS.length)
  })
})

describe('relay', () => {
  let echo: Server
  let relay: Relay
  let client: Socket
  let seen = ''
  beforeAll(async () => {
    echo = createServer((socket) => socket.pipe(socket))
    await new Promise<void>((done) => echo.listen(0, '127.0.0.1', done))
    relay = await Relay.listen('127.0.0.1', 0)
    relay.target = { host: '127.0.0.1', port: (echo.address() as { port: number }).port }
    client = connect(relay.port, '127.0.0.1')
    client.on('data', (bytes) => {
      seen += bytes
    })
  })
  afterAll(() => {
    client.destroy()
    relay.close()
    echo.close()
  })
  const says = (text: string) => expect.poll(() => seen, { timeout: 5_000 }).toBe(text)

  test('carries bytes; delays them, in their order', async () => {
    client.write('one ')
    await says('one ')
    relay.delay(100)
    const begun = performance.now()
    client.write('two ')
    client.write('three ')
    await says('one two three ')
    expect(performance.now() - begun).toBeGreaterThan(190)
    relay.delay(0)
  })

  test.each(['in', 'out'] as const)(
    'stalls one way (%s) within a frame, and loses nothing',
    async (way) => {
      seen = ''
      relay.stall(way)
      client.write('frame')
      await says('f')
      await sleep(100)
      expect(seen).toBe('f')
      relay.flow(way)
      await says('frame')
    },
  )
})
