/** The guard ends a unit by its cgroup alone, with nobody's help (G4 mark, G5), on a real cgroup. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { endUnit, permitUnit } from '../../../probe/guard/undo/units.ts'
import { cgroupMount, inTree } from '../../../probe/os/cgroup-tree.ts'
import { missing } from './host.ts'

if (missing !== null) process.stderr.write(`skipped: the end of a unit: ${missing}\n`)

describe.skipIf(missing !== null)('a unit is ended by its cgroup', () => {
  let folder = ''
  let cgroup = ''
  const children: ChildProcess[] = []
  const name = 'ended.service'
  const unitOf = () => ({
    ...{ kind: 'unit' as const, unit: name, mark: join(folder, 'marks', name) },
    cgroup: cgroup.slice((cgroupMount() ?? '').length),
  })
  const slice = `hfend${process.pid}.slice`
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'holdfast-end-unit-'))
    cgroup = join(cgroupMount() ?? '', slice, name)
    mkdirSync(cgroup, { recursive: true })
  })
  afterEach(async () => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    while (inTree(cgroup).length > 0) await sleep(5)
    for (const inner of ['own/deeper', 'own', '']) {
      const path = join(cgroup, inner)
      if (existsSync(path)) rmdirSync(path)
    }
    rmdirSync(join(cgroup, '..'))
    rmSync(folder, { recursive: true, force: true })
  })

  async function run(inside = cgroup): Promise<void> {
    mkdirSync(inside, { recursive: true })
    const before = inTree(inside).length
    const script = `trap '' TERM; echo $$ > ${inside}/cgroup.procs; while :; do sleep 0.01; done`
    children.push(spawn('sh', ['-c', script], { stdio: 'ignore' }))
    while (inTree(inside).length <= before) await sleep(2)
  }

  test('G5: the permission goes, and all of the cgroup, cgroups of its own included', async () => {
    permitUnit(unitOf(), { HOLDFAST_EPOCH: '7', HOLDFAST_RESOURCE: 'a "b"\nX=1', PATH: '/bin' })
    const { mark } = unitOf()
    expect(readFileSync(mark, 'utf8')).toBe('HOLDFAST_EPOCH="7"\nHOLDFAST_RESOURCE="a _b__X=1"\n')
    await run()
    await run(join(cgroup, 'own/deeper'))
    expect(await endUnit(unitOf(), 50)).toBe(true)
    expect(inTree(cgroup)).toEqual([])
    expect(existsSync(mark)).toBe(false)
  })

  test('A7: what has passed the mark and comes to life within T_x is killed too', async () => {
    permitUnit(unitOf(), {})
    const ended = endUnit(unitOf(), 1_500)
    await sleep(100)
    const script = `echo $$ > ${cgroup}/cgroup.procs; exec sleep 1000`
    const late = spawn('sh', ['-c', script], { stdio: 'ignore' })
    children.push(late)
    expect(await once(late, 'exit')).toEqual([null, 'SIGKILL'])
    expect(await ended).toBe(true)
    expect(inTree(cgroup)).toEqual([])
  })

  test('it is not over before T_x has passed, however empty it is', async () => {
    const begunMs = performance.now()
    expect(await endUnit(unitOf(), 300)).toBe(true)
    expect(performance.now() - begunMs).toBeGreaterThan(300)
  })

  test('G5: a permission that cannot be taken back is no reason to leave it running, nor is it an end', async () => {
    mkdirSync(unitOf().mark, { recursive: true })
    writeFileSync(join(unitOf().mark, 'file'), '')
    await run()
    expect(await endUnit(unitOf(), 50)).toBe(false)
    expect(inTree(cgroup)).toEqual([])
  })
})
