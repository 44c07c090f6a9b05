/**
 * S-58: a control plane that was built without management extensions: settings by name are refused, and
 * nothing else is missing. The real one, with pretend nodes.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { EXIT } from '../../cli/exit-codes.ts'
import { tinyDomainXml } from '../../demo/vm/domain.ts'
import { bundleWorker } from '../../tools/bundle.ts'
import { RealCluster } from './real-cluster.ts'
import { runCli } from './run-cli.ts'

let real: RealCluster
beforeAll(async () => {
  real = await RealCluster.start({ extensions: false })
  await real.online('web', ['nginx'])
}, 60_000)
afterAll(() => real?.stop())

const run = (line: string) => runCli(line.split(' '), { env: real.env })

it('is built without them, and without what only they need', async () => {
  const [all, without] = [await bundleWorker(), await bundleWorker({ extensions: false })]
  expect(all).toContain('fast-xml-parser')
  expect(all).toContain('extensions/virtual-machine/')
  expect(without).not.toContain('fast-xml-parser')
  expect(without).not.toContain('extensions/virtual-machine/')
})

it('settings by name are refused, with what to do instead', async () => {
  const xml = join(real.folder, 'box.xml')
  writeFileSync(xml, tinyDomainXml({ name: 'box', image: '/vm/a.img', serialLog: '/vm/a.log' }))
  expect((await run('group create boxes')).code).toBe(EXIT.done)
  const made = await run(
    `resource create box --type virtual-machine --group boxes --offline --prop domain=box --prop-file xml=${xml}`,
  )
  expect(made.code, made.stderr).toBe(EXIT.done)
  for (const line of ['vm settings box', 'vm set box memory=4G']) {
    const { code, stderr, stdout } = await run(line)
    expect({ code, stdout }).toEqual({ code: EXIT.notFound, stdout: '' })
    expect(stderr).toMatch(/\[NO_MANAGEMENT_EXTENSION\]\n.*virtual-machine has no management/)
    expect(stderr).toContain('holdfast resource show box')
  }
  const { stdout } = await run('describe type virtual-machine --json')
  expect(JSON.parse(stdout)).toMatchObject({ type: { managed: false } })
})

it('all else works: looks, changes, control codes, health, failover', async () => {
  for (const line of [
    'status',
    'describe resource box',
    'resource types',
    'resource change box --prop shutdownTimeoutMs=1000',
    'resource control nginx reload',
    'why web',
    'events',
  ]) {
    const { code, stderr } = await run(line)
    expect(code, `${line}: ${stderr}`).toBe(EXIT.done)
  }
  expect((await run('resource show box')).stdout).toMatch(/shutdownTimeoutMs +1000/)
  const web = async () => (await real.view()).groups.find((group) => group.name === 'web')
  const owner = (await web())?.owner
  real.nodes.find((node) => node.name === owner)?.close()
  await real.until(
    ({ groups }) =>
      groups.some((one) => one.name === 'web' && one.state === 'online' && one.owner !== owner),
    30_000,
  )
}, 60_000)
