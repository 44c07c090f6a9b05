/** G4 (a): a workload that runs as another user is in its kill group, and its output is kept. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { killHandles } from '../../probe/guard/cgroup.ts'
import { Workloads } from '../../probe/guard/workloads.ts'
import { eventually } from '../e2e/demo.ts'

const NOBODY = 65_534
const OWNER = '00000000-0000-4000-8000-0000000000dd'

test('as another user: in its group, with its output, killed whole', async (ctx) => {
  ctx.skip(process.getuid?.() !== 0, 'only root may start something as another user')
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-user-'))
  const ended: (number | null)[] = []
  let gone = 0
  const handles = killHandles(OWNER)
  const workloads = new Workloads(handles, folder, {
    mainEnded: (_, __, exit) => ended.push(exit.code),
    nothingRuns: () => {
      gone += 1
    },
  })
  const spec = {
    command: '/bin/sh',
    args: ['-c', 'id -u; sleep 300 & sleep 300'],
    env: {},
    uid: NOBODY,
    gid: NOBODY,
  }
  const { process: started, group } = workloads.spawn('r', spec)
  await eventually('it writes', () =>
    readFileSync(join(folder, 'workloads', 'r.log'), 'utf8').includes(String(NOBODY)),
  )
  await eventually('both are in the group', () => handles.members(group).length === 3)
  const record = {
    resourceId: 'r',
    groupId: 'g',
    epoch: 1,
    way: 'child',
    phase: 'running',
  } as const
  workloads.terminate({ ...record, process: started, group })
  await eventually('all of it is gone', () => gone > 0)
  expect(handles.members(group)).toEqual([])
  rmSync(folder, { recursive: true })
})
