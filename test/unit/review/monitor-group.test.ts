/** S-21, G5: what a monitor of scripts calls dies with it, or there is no such monitor. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type KillHandles, killHandles } from '../../../probe/guard/cgroup.ts'
import { Monitors } from '../../../probe/guard/monitors.ts'

const NODE = '00000000-0000-4000-8000-0000000000ed'

test('a monitor that cannot be put into its kill group is ended, and another one is started', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-monitor-'))
  const file = join(folder, 'rhs.mjs')
  writeFileSync(file, 'process.on("disconnect", () => process.exit()); setInterval(() => {}, 1000)')
  const entered: number[] = []
  let failures = 4
  const handles: KillHandles = {
    ...killHandles(NODE, { HOLDFAST_NO_CGROUP: '1' }),
    enter(_, pid) {
      entered.push(pid)
      if (failures === 0) return
      failures -= 1
      throw Object.assign(new Error('ENFILE'), { code: 'ENFILE' })
    },
  }
  const told: string[] = []
  const monitors = new Monitors(
    { rhsFile: file, runFolder: folder, nodeId: NODE },
    ['rhs-exec'],
    handles,
    {
      message: () => {},
      up: (_, generation) => void told.push(`up ${generation}`),
      down: (_, generation) => void told.push(`down ${generation}`),
    },
  )
  try {
    monitors.start()
    for (let n = 0; n < 500 && !told.includes('up 2'); n += 1)
      await new Promise((resolve) => setTimeout(resolve, 10))
    // Three tries with the first one; the second one is in by its second try.
    expect(told).toEqual(['down 1', 'up 2'])
    expect(new Set(entered).size).toBe(2)
    expect(monitors.pids['rhs-exec']).toBe(entered.at(-1))
  } finally {
    monitors.end()
    rmSync(folder, { recursive: true, force: true })
  }
})
