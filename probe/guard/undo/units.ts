/** Permits starts of a unit of systemd, and ends it without systemd's help (G4 mark, G5). */
import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Undo } from '../../../schema/undo.ts'
import { cgroupMount, inTree } from '../../os/cgroup-tree.ts'
import { killPid } from '../../os/marks.ts'
import { withReserve } from '../../reserve.ts'

type Unit = Extract<Undo, { kind: 'unit' }>

const LOOK_MS = 5

/**
 * @param env of which the unit gets what is the cluster's to tell, its epoch above all
 * @throws {Error} the file cannot be made: then systemd starts nothing
 */
export function permitUnit({ mark }: Unit, env: Readonly<Record<string, string>>): void {
  mkdirSync(dirname(mark), { recursive: true, mode: 0o755 })
  const told = Object.entries(env).filter(([name]) => name.startsWith('HOLDFAST_'))
  const lines = told.map(([name, value]) => `${name}="${value.replace(/["\\\n]/g, '_')}"\n`)
  writeFileSync(`${mark}.new`, lines.join(''), { mode: 0o644 })
  // Whole, or not there: systemd may look at any moment.
  renameSync(`${mark}.new`, mark)
}

/**
 * The permission goes first. A start that has looked at it before becomes a process within T_x (A7),
 * so what comes until then is killed too.
 *
 * @returns whether nothing of it is left, nor can come; false: it is to be tried again
 */
export async function endUnit(unit: Unit, residualMs: number): Promise<boolean> {
  const forbidden = forbidUnit(unit)
  const setAtMs = performance.now()
  const mount = cgroupMount()
  if (mount === null) return false
  const folder = join(mount, unit.cgroup)
  for (;;) {
    const members = inTree(folder)
    if (members.length > 0) kill(folder, members)
    else if (!forbidden) return false
    else if (performance.now() - setAtMs > residualMs) return true
    await sleep(LOOK_MS)
  }
}

/** What cannot be forbidden is no reason to leave it running. */
function forbidUnit({ mark }: Unit): boolean {
  try {
    rmSync(mark, { force: true })
    return true
  } catch {
    return false
  }
}

/** All at once where the kernel can (5.14), so that nothing forks away meanwhile. */
function kill(folder: string, members: readonly number[]): void {
  try {
    withReserve(() => writeFileSync(join(folder, 'cgroup.kill'), '1'))
  } catch {
    for (const pid of members) killPid(pid)
  }
}
