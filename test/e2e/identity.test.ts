/** Who a host is: a copied disk image, another key, a node that was removed (profile `standard`). */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { killPid } from '../../demo/host.ts'
import { askGuard } from '../../probe/host/ask-guard.ts'
import { endDemo, eventually, startDemo, starts } from './demo.ts'

let demo: Demo
beforeAll(async () => {
  demo = await startDemo({ profile: 'standard' })
  await demo.addGroup('ledger')
  await demo.addWitness('ledger', 'ledger')
  await demo.online('ledger', 'n1')
  await eventually('the witness writes', () => starts(demo).length === 1)
})
afterAll(() => endDemo(demo))

/**
 * What a second machine has: processes and cgroups of its own. A guard finds what an earlier one of
 * its node has left wherever it is, so a copy that could see the first one's would end them.
 */
const SECOND_MACHINE = ['--fork', '--kill-child', '--pid', '--mount-proc', '--mount', '--cgroup']

function ownCgroup(): { path: string; mount: string } | null {
  const own = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'latin1'))?.[1]
  const mount = /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/self/mounts', 'latin1'))?.[1]
  if (own === undefined || mount === undefined) return null
  if (spawnSync('unshare', [...SECOND_MACHINE, 'true']).status !== 0) return null
  const path = join(mount, own, `test-copy-${process.pid}`)
  try {
    mkdirSync(path)
    return { path, mount }
  } catch {
    return null
  }
}

interface Info {
  connected: boolean
  problem: string
  session: number | null
}
const infoOf = async (run: string): Promise<Info | null> =>
  (
    (await askGuard(run, { do: 'status' }).catch(() => null)) as {
      agent: { info: Info | null }
    } | null
  )?.agent.info ?? null

test('IDENTITY_IN_USE: a copied disk image: the copy is refused, the first one is not disturbed', async (ctx) => {
  const cgroup = ownCgroup()
  ctx.skip(
    cgroup === null,
    'no cgroup v2 or namespaces to be had: a second machine cannot be played',
  )
  const host = demo.host('n1')
  const folder = join(demo.folder, 'copy')
  cpSync(host.stateFolder, join(folder, 'state'), { recursive: true })
  writeFileSync(
    join(folder, 'policy.json'),
    readFileSync(join(host.options.folder, 'policy.json')),
    {
      mode: 0o600,
    },
  )
  const before = await host.status()
  const args = ['run', '--state', join(folder, 'state'), '--run', join(folder, 'run')]
  const words = [process.execPath, host.options.probe, ...args, '--policy', `${folder}/policy.json`]
  const second = cgroup as { path: string; mount: string }
  // The cgroup first: what unshare makes the root of its view is the one it is in.
  const enter = `echo $$ > ${second.path}/cgroup.procs && exec unshare ${SECOND_MACHINE.join(' ')} "$@"`
  const mountOwn = `umount ${second.mount} && mount -t cgroup2 cgroup2 ${second.mount} && exec "$@"`
  const copy = spawn('/bin/sh', ['-c', enter, '-', 'sh', '-c', mountOwn, '-', ...words], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let said = ''
  copy.stderr?.on('data', (chunk) => {
    said += chunk
  })
  try {
    await eventually('the copy is refused', () => /otherGuard/.test(said), 15_000).catch(() => {
      throw new Error(`the copy says: ${said}`)
    })
    // Over some leases: it goes on trying, and the first one goes on running.
    await sleep(7_000)
    expect((await infoOf(join(folder, 'run')))?.connected).toBe(false)
    expect((await infoOf(join(folder, 'run')))?.problem).toContain('another guard')
    const after = await host.status()
    expect(after?.agent.info).toMatchObject({
      connected: true,
      session: before?.agent.info?.session,
    })
    expect(starts(demo)).toHaveLength(1)
    expect((await demo.group('ledger')).epoch).toBe(1)
    expect(demo.overlaps('ledger')).toBe(0)
  } finally {
    await ended(copy, second.path)
  }
})

test('ATTEMPT_USED: a host that lost its count, with its clock behind, goes on from the last number', async () => {
  const host = demo.host('n2')
  const path = join(host.stateFolder, 'attempt')
  // As if the count had been made by a clock that was a day ahead, and was lost since.
  const ahead = Date.now() + 24 * 3_600_000
  writeFileSync(path, String(ahead))
  killPid((await host.status())?.agent.pid as number)
  await eventually(
    'it is connected with that number',
    () => Number(readFileSync(path, 'utf8')) > ahead,
  )
  await demo.allUp()
  rmSync(path)
  killPid((await host.status())?.agent.pid as number)
  await eventually('it has learnt the number', () => {
    try {
      return Number(readFileSync(path, 'utf8')) > ahead + 1
    } catch {
      return false
    }
  })
  await demo.allUp()
})

test('NOT_A_MEMBER, WRONG_KEY: after a minute of it the probe ends with exit code 6', async () => {
  const [removed, forged] = [demo.host('n2'), demo.host('n3')]
  const { privateKey } = generateKeyPairSync('ed25519')
  writeFileSync(
    join(forged.stateFolder, 'identity.key'),
    privateKey.export({ type: 'pkcs8', format: 'pem' }),
    { mode: 0o600 },
  )
  await demo.api('evictNode', { params: { cluster: CLUSTER, node: 'n2' } })
  killPid((await forged.status())?.agent.pid as number)
  const log = (name: string) =>
    readFileSync(join(demo.host(name).options.folder, 'probe.log'), 'utf8')
  await eventually(
    'both say why',
    () => /NOT_A_MEMBER/.test(log('n2')) && /WRONG_KEY/.test(log('n3')),
  )
  // Time may mend it: for a minute both go on trying, and do not end.
  await sleep(5_000)
  expect([removed.guardPid, forged.guardPid]).not.toContain(undefined)
  await eventually(
    'both have ended',
    () => removed.guardPid === undefined && forged.guardPid === undefined,
    75_000,
  )
  for (const name of ['n2', 'n3']) expect(log(name)).toMatch(/gives up.*\n[\s\S]*guard ended \(6\)/)
  // Nobody starts them again, and what runs elsewhere goes on.
  await sleep(500)
  expect(removed.guardPid).toBeUndefined()
  expect(starts(demo)).toHaveLength(1)
})

async function ended(child: ChildProcess, cgroup: string): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const over = child.exitCode !== null || child.signalCode !== null
  writeFileSync(join(cgroup, 'cgroup.kill'), '1')
  if (!over) await gone
}
