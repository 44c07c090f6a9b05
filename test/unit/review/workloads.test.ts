import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import type { KillHandles } from '../../../probe/guard/cgroup.ts'
import { Workloads } from '../../../probe/guard/workloads.ts'

const folder = mkdtempSync(join(tmpdir(), 'holdfast-workloads-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('G5, G10: a start recorded without its process is not over while a kill group of nobody lives', async () => {
  // The old guard died between the fork and its record: the group is known to nobody.
  let alive = [process.pid]
  let kills = 0
  const handles: KillHandles = {
    kind: 'mark',
    enterScript: () => '',
    enter: () => {},
    folder: () => null,
    mark: () => ({}),
    members: (group) => (group === 'w-9-1' ? alive : []),
    killAll: () => {
      kills += 1
    },
    remove: () => {},
    end: () => {},
    groups: () => ['w-9-1', 'w-9-2', 'tree-9'],
    marked: () => [],
  }
  const said: string[] = []
  const workloads = new Workloads(handles, folder, {
    mainEnded: () => {},
    nothingRuns: (resourceId) => said.push(resourceId),
  })
  const known = { resourceId: 'k', groupId: 'g', epoch: 1, way: 'child', phase: 'running' } as const
  workloads.killStrays([{ ...known, group: 'w-9-2', process: null }], 'gate')
  workloads.terminate({ resourceId: 'r', process: null })
  await expect.poll(() => kills, { timeout: 10_000 }).toBeGreaterThan(2)
  expect(said).toEqual([])
  alive = []
  await expect.poll(() => said, { timeout: 10_000 }).toEqual(['r'])
})
