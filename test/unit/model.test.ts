/** The checker of the rules, and a few seconds of what it checks. The whole is `npm run model`. */
import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { checkRemoval, checkSafe } from '../model/check.ts'
import { SAFE_RUNS } from '../model/configurations.ts'
import { explore } from '../model/explore.ts'
import { exploreByFingerprint } from '../model/fingerprints.ts'
import type { Model } from '../model/model.ts'
import { REMOVALS } from '../model/removals.ts'

const safe = (id: string) => SAFE_RUNS.find((run) => run.id === id) ?? expect.fail(id)
const removal = (name: string) => REMOVALS.find((run) => run.name === name) ?? expect.fail(name)

describe('rules that stand', () => {
  it.each(['S7', 'N1', 'N3', 'N9', 'K1', 'V1', 'H2'])('run %s finds nothing', (id) => {
    expect(checkSafe(safe(id)).unexpected).toBeNull()
  })
})

describe('rules removed', () => {
  it.each([
    'noLeaseCheck',
    'acceptNoCas',
    'fenceOnRequest',
    'earlierWrite',
    'graceFromStart',
    'terminateFirst',
    'noStarting',
    'adoptAlways',
    'autoRun',
    'resumeAfterDown',
    'naive+noDoMajority',
    'holdMinority',
  ])('%s: the shortest counterexample is as long as it is known to be', (name) => {
    const { found, unexpected } = checkRemoval(removal(name))
    expect(unexpected).toBeNull()
    expect(found.violation?.trace.length).toBeGreaterThan(5)
  })
})

describe('what is not as expected is said', () => {
  it('of a run that is known to be safe', () => {
    const run = safe('N1')
    expect(checkSafe({ ...run, states: 700 }).unexpected).toBe(
      '699 states, where 700 were expected',
    )
    const broken = checkSafe({ ...run, model: removal('terminateFirst').model })
    expect(broken.unexpected).toBe('I1 dual ownership')
  })

  it('of a rule that is removed', () => {
    const run = removal('terminateFirst')
    const expected = (wrong: typeof run.expected) =>
      checkRemoval({ ...run, expected: wrong }).unexpected
    expect(expected({ breaks: 'I1', after: 9 })).toMatch(/^10 steps of the counterexample/)
    expect(expected({ breaks: 'I5', after: 10 })).toMatch(/^I1 dual ownership, where I5/)
    expect(expected({ breaks: null, states: 1 })).toMatch(/where nothing was expected$/)
    const harmless = checkRemoval({ ...run, model: safe('N1').model })
    expect(harmless.unexpected).toMatch(/^nothing breaks/)
  })
})

/** Counts up to five. Four is reached in many steps or by a jump; from there only a fault leads on. */
class Counter implements Model {
  readonly size = 1
  initial = () => Uint8Array.of(0)
  settled = ([value]: Uint8Array) => value === 0
  broken = ([value]: Uint8Array): string | null => (value === 6 ? 'six' : null)
  steps([value = 0]: Uint8Array, emit: (label: string, next: Uint8Array) => void): void {
    const to = (label: string, next: number) => emit(label, Uint8Array.of(next))
    if (value < 4) to(`to ${value + 1}`, value + 1)
    if (value === 1) to('jump', 4)
    if (value < 4) to('back', 0)
    if (value === 4) to('!fault', 5)
  }
}

describe('the checker', () => {
  it('sees every state, and those that cannot come back without a fault', () => {
    const found = explore(new Counter(), { liveness: true })
    expect(found).toMatchObject({ states: 6, complete: true, violation: null, stuck: 2 })
    expect(exploreByFingerprint(new Counter(), 100)).toMatchObject({ states: 6, complete: true })
  })

  it('finds a shortest way, and says when it was cut off', () => {
    const model = new Counter()
    model.broken = ([value]) => (value === 5 ? 'five' : null)
    expect(explore(model).violation).toEqual({ text: 'five', trace: ['to 1', 'jump', '!fault'] })
    expect(exploreByFingerprint(model, 100).violation?.text).toBe('five')
    expect(explore(new Counter(), { statesMax: 2 })).toMatchObject({ complete: false })
    expect(exploreByFingerprint(new Counter(), 2)).toMatchObject({ complete: false })
  })
})

describe('npm run model', () => {
  const run = (...args: string[]) =>
    new Promise<{ code: unknown; stdout: string; stderr: string }>((done) => {
      const main = join(import.meta.dirname, '../model/main.ts')
      execFile(process.execPath, [main, ...args], (error, stdout, stderr) =>
        done({ code: error?.code ?? 0, stdout, stderr }),
      )
    })

  it('trace prints what goes wrong, step by step', async () => {
    const { code, stdout } = await run('trace', 'earlierWrite', '--json')
    expect(code).toBe(0)
    expect(stdout).toContain('superseded instance sees the completion and answers')
    const last = JSON.parse(stdout.trim().split('\n').at(-1) as string)
    expect(last).toEqual({ model: true, safe: 0, counterexamples: 1, unexpected: [] })
  })

  it.each([
    ['a mode that there is not', ['fast']],
    ['a rule that there is not', ['trace', 'noSuchRule']],
    ['no rule to trace', ['trace']],
    ['too much', ['full', 'S1']],
  ])('refuses %s', async (_what, args) => {
    const { code, stderr, stdout } = await run(...args)
    expect(code).toBe(2)
    expect(stderr).toContain('usage: npm run model')
    expect(stdout).toBe('')
  })
})
