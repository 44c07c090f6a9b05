/** What an outside reviewer found: faults of the host itself, and leftovers (layer 4). */
import { execFile } from 'node:child_process'
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Demo } from '../../demo/cluster.ts'
import { type DemoHost, killPid } from '../../demo/host.ts'
import { identityOf } from '../../probe/gate/proc.ts'
import { PROFILES } from '../../schema/timing.ts'
import { endDemo, eventually, LONGER_THAN_LEASE_MS, startDemo, starts } from './demo.ts'

describe('faults of the host', () => {
  let demo: Demo
  beforeAll(async () => {
    demo = await startDemo({ profile: 'standard' })
    await demo.addGroup('ledger')
    await demo.addWitness('ledger', 'ledger')
    await demo.online('ledger', 'n1')
    await eventually('the witness writes', () => starts(demo).length === 1)
  })
  afterAll(() => endDemo(demo))

  const owner = async (): Promise<DemoHost> =>
    demo.host((await demo.group('ledger')).owner as string)

  test('U1: agent killed, its replica lost: what runs here goes on', async () => {
    const host = await owner()
    const before = await host.status()
    writeFileSync(join(host.stateFolder, 'hive.json'), '{')
    killPid(before?.agent.pid as number)
    await eventually('a new session', async () => {
      const now = await host.status()
      const info = now?.agent.info
      return info?.connected && info.session !== before?.agent.info?.session
    })
    await sleep(LONGER_THAN_LEASE_MS)
    expect((await demo.online('ledger', host.name)).epoch).toBe(1)
    expect(starts(demo)).toHaveLength(1)
    await eventually('its status is known again', async () => {
      const group = await demo.group('ledger')
      return group.resources[0]?.status === 'online'
    })
  })

  test('G11: a second guard of the same identity is refused, whatever its run folder', async () => {
    const host = await owner()
    const run = promisify(execFile)(process.execPath, [
      host.options.probe,
      'run',
      '--state',
      host.stateFolder,
      '--run',
      join(host.options.folder, 'run2'),
    ])
    await expect(run).rejects.toMatchObject({ code: 7 })
  })

  test('G1, G9: a state file that cannot be written does not keep a lapse from its work', async () => {
    const host = await owner()
    const pid = starts(demo).at(-1)?.pid as number
    const guard = host.guardPid
    const { agent } = host.treePids()
    // As on a full disk: the new file cannot be made.
    const blocked = join(host.runFolder, 'guard.json.new')
    await eventually('the file is blocked', () => {
      try {
        mkdirSync(blocked)
        return true
      } catch {
        return false
      }
    })
    process.kill(agent as number, 'SIGSTOP')
    await eventually('the workload is gone', () => identityOf(pid) === null, 10_000)
    await eventually('it comes up elsewhere', () => starts(demo).length === 2, 20_000)
    expect(host.guardPid).toBe(guard)
    expect(demo.overlaps('ledger')).toBe(0)
    rmdirSync(blocked)
    // The agent is still stopped: the guard replaces it, and the host is back by itself.
    await demo.until(
      'the host is back',
      (v) => v.nodes.find((n) => n.name === host.name)?.connected,
      20_000,
    )
  })

  test('clean shutdown without a control plane: over as soon as nothing is left', async () => {
    const host = await owner()
    const pid = starts(demo).at(-1)?.pid as number
    await demo.control.stop()
    const begun = performance.now()
    await host.shutDown()
    // Its lease would have gone on for longer.
    expect(performance.now() - begun).toBeLessThan(
      PROFILES.standard.ttlMs - PROFILES.standard.stopMs,
    )
    expect(identityOf(pid)).toBeNull()
    // Asked to end, in order, and not merely killed.
    expect(demo.ledger('ledger').at(-1)).toMatchObject({ what: 'end', pid })
  })
})
