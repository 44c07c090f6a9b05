import { readFileSync } from 'node:fs'

/** Proportional set size of the processes together: shared pages counted once, in MB. */
export async function pssMb(pids: Readonly<Record<string, number>>): Promise<number> {
  let kb = 0
  for (const pid of Object.values(pids)) {
    const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1')
    kb += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0)
  }
  return kb / 1024
}
