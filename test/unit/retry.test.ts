/** What a module may have or lack: retry (S-42), any function at all (S-33), notify (S-86). */
import { beforeEach, describe, expect, test } from 'vitest'
import { Notifier } from '../../probe/rhs/notifier.ts'
import type { Call, ResourceModule, Step } from '../../schema/resource-type.ts'
import { A, Bench } from './rhs-bench.ts'

let rhs: Bench
beforeEach(() => {
  rhs = new Bench()
})

describe('retry (S-42)', () => {
  const failedOnline = () => {
    rhs.hasRetry = true
    rhs.hold()
    rhs.end()
    rhs.end({ ok: false, error: 'port taken' })
  }

  test('a failed Online is tried again by it, before it is counted; done is online', () => {
    failedOnline()
    expect(rhs.calls).toEqual(['retry'])
    expect(rhs.run()).toMatchObject({ status: 'onlinePending', restarts: [] })
    rhs.end()
    expect(rhs.reports).toMatchObject([{ status: 'online', restarts: 0, gaveUp: false }])
    expect(rhs.log).toEqual(['retry has brought it online; not counted: port taken'])
  })

  test('once for each failed Online: failing too it counts as one failure', () => {
    failedOnline()
    rhs.end({ ok: false, error: 'still taken' })
    expect(rhs.reports).toMatchObject([
      { status: 'failed', restarts: 1, detail: 'port taken; retry: still taken' },
    ])
    expect(rhs.calls).toEqual([])
    rhs.wait(500)
    expect(rhs.calls).toEqual(['online'])
    rhs.end({ ok: false, error: 'port taken' })
    expect(rhs.calls).toEqual(['retry'])
  })

  test('S-33: without it the call is discarded and logged, and the failure counts as ever', () => {
    rhs.hasRetry = true
    rhs.hold()
    rhs.end()
    rhs.end({ ok: false, error: 'port taken' })
    const before = rhs.run()
    rhs.end({ ok: 'notImplemented' })
    expect(rhs.log[0]).toBe('discarded: the module has no function retry (S-33)')
    expect(before).toMatchObject({ status: 'onlinePending', restarts: [] })
    expect(rhs.reports).toMatchObject([{ status: 'failed', restarts: 1, detail: 'port taken' }])
  })

  test('a timeout is not tried again: the call may still be under way', () => {
    rhs.hasRetry = true
    rhs.hold()
    rhs.end()
    rhs.wait(10_000)
    expect(rhs.calls).toEqual([])
    expect(rhs.run()).toMatchObject({ status: 'failed', restarts: [10_000] })
  })

  test('C3: refused by the guard it waits as Online does, and nothing is counted', () => {
    failedOnline()
    rhs.end({ ok: false, refused: 'noLease' })
    expect(rhs.run()).toMatchObject({ status: 'onlinePending', restarts: [] })
    rhs.wait(25)
    expect(rhs.calls).toEqual(['online'])
  })

  test('a retry that is no longer wanted is ended', () => {
    failedOnline()
    rhs.hold({ target: 0, persistentState: 0 })
    expect(rhs.effects.map((e) => e.type)).toContain('abort')
    expect(rhs.calls).toEqual(['terminate'])
  })
})

describe('S-33: a module without terminate', () => {
  const visible = () => {
    const { status, detail, restarts, gaveUp, opened, held, deliberate } = rhs.run() ?? {}
    return { status, detail, restarts, gaveUp, opened, held, deliberate }
  }

  test('of what has failed: logged, and the state is what it was', () => {
    rhs.online().push('failed', 'exit 1')
    rhs.hold({ target: 0 })
    rhs.wait(500)
    expect(rhs.calls).toEqual(['terminate'])
    rhs.end({ ok: 'notImplemented' })
    expect(rhs.log).toEqual(['discarded: the module has no function terminate (S-33)'])
    expect(rhs.run()).toMatchObject({ status: 'failed', detail: 'exit 1', call: null })
    rhs.wait(60_000)
    expect(rhs.calls).toEqual([])
  })

  test('of what is online, after an Offline that it lacks too: identical, and not asked again', () => {
    rhs.online().hold({ target: 0 })
    rhs.end({ ok: 'notImplemented' })
    const { status: _, ...rest } = visible()
    rhs.end({ ok: 'notImplemented' })
    expect(visible()).toEqual({ ...rest, status: 'online' })
    rhs.wait(60_000)
    expect(rhs.calls).toEqual([])
  })
})

test('S-44: what the thorough check finds is told once, and stays until it is gone', () => {
  rhs.online()
  const thorough = (detail?: string) => {
    rhs.wait(60_000)
    const effects = []
    for (const [key, { id }] of rhs.state.polls)
      effects.push(
        ...rhs.step({
          ...{ type: 'pollEnded', key, id },
          answers: [
            {
              ...{ guid: A, status: 'online' },
              ...(detail && key.endsWith('looksAlive') && { detail }),
            },
          ],
        }),
      )
    return effects.flatMap((e) => (e.type === 'report' ? e.items.map((i) => i.detail) : []))
  }
  expect(thorough('degraded: slow')).toEqual(['degraded: slow'])
  expect(thorough('degraded: slow')).toEqual([])
  expect(thorough()).toEqual([undefined])
})

describe('S-86: notify', () => {
  const step = (name: string): Step => ({ step: name, status: 'online', reason: '', atMs: 0 })
  const call = () => ({}) as Call
  const settled = () => new Promise((resolve) => setTimeout(resolve, 20))

  test('every step in order, one at a time, and never within the step that tells it', async () => {
    const told: string[] = []
    let at = 0
    const module = {
      notify: async (_: Call, { step }: Step) => {
        at += 1
        expect(at).toBe(1)
        await new Promise((resolve) => setTimeout(resolve, 1))
        told.push(step)
        at -= 1
      },
    } as unknown as ResourceModule
    const notifier = new Notifier(() => {})
    for (const name of ['open', 'online', 'status']) notifier.tell(A, module, call, step(name))
    expect(told).toEqual([])
    await settled()
    expect(told).toEqual(['open', 'online', 'status'])
  })

  test('a module without it: nothing; one that fails: logged once, and told of what comes next', async () => {
    const logged: string[] = []
    const notifier = new Notifier((_, message) => logged.push(message))
    notifier.tell(A, {} as ResourceModule, call, step('open'))
    let fails = true
    const told: string[] = []
    const module = {
      notify: async (_: Call, { step }: Step) => {
        if (fails) throw new Error('libvirtd is gone')
        told.push(step)
      },
    } as unknown as ResourceModule
    for (const name of ['open', 'online']) notifier.tell(A, module, call, step(name))
    await settled()
    expect(logged).toEqual(['notify: Error: libvirtd is gone'])
    fails = false
    notifier.tell(A, module, call, step('status'))
    await settled()
    expect(told).toEqual(['status'])
  })
})
