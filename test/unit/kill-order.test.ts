/** At a lapse everything is killed before anything is looked at or undone (G1, G5). */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type KillHandles, killHandles } from '../../probe/guard/cgroup.ts'
import { Workloads } from '../../probe/guard/workloads.ts'

/** Kill groups without a process, which write down what is done to them. */
function recorded(done: string[]): KillHandles {
  const env = { HOLDFAST_NO_CGROUP: '1' }
  return {
    ...killHandles('11111111-1111-4111-8111-111111111111', env),
    killAll: (group) => void done.push(`kill ${group}`),
    members(group) {
      done.push(`look at ${group}`)
      return []
    },
  }
}

test('all that lapse at once are killed before the first is looked at (G1)', async () => {
  const done: string[] = []
  const over: string[] = []
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-kills-'))
  const events = { mainEnded: () => {}, nothingRuns: (id: string) => void over.push(id) }
  const workloads = new Workloads(recorded(done), folder, events, () => 0)
  for (const id of ['a', 'b', 'c'])
    workloads.terminate({ resourceId: id, process: null, group: `w-${id}` })
  await expect.poll(() => over).toEqual(['a', 'b', 'c'])
  const kills = done.filter((what) => what.startsWith('kill'))
  expect(done.slice(0, 3)).toEqual(['kill w-a', 'kill w-b', 'kill w-c'])
  expect(kills).toHaveLength(3)
})
