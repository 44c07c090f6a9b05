/** What the steps of the tour share. */
import { setTimeout as sleep } from 'node:timers/promises'
import { bootMs } from '../../probe/clock.ts'
import { CLUSTER, type Demo, type LedgerLine } from '../cluster.ts'
import { breakDown, logSince } from './times.ts'

/** Boot time and wall clock are read together once: nothing steps the clock during a tour. */
const wallOffset = Date.now() - bootMs()
const wall = (bootTimeMs: number) => bootTimeMs + wallOffset

export function ensure(condition: unknown, text: string): asserts condition {
  if (!condition) throw new Error(text)
}

export async function moveTo(demo: Demo, group: string, to: string): Promise<void> {
  if ((await demo.group(group)).owner === to) return
  await demo.api('moveGroup', { params: { cluster: CLUSTER, group }, body: { to } })
  await demo.online(group, to)
}

export function otherNode(demo: Demo, than: string): string {
  return demo.hosts.find((host) => host.name !== than)?.name as string
}

export function lastStart(demo: Demo): LedgerLine {
  const start = starts(demo).at(-1)
  ensure(start, 'the witness has not started')
  return start
}

const starts = (demo: Demo) => demo.ledger('ledger').filter((line) => line.what === 'start')

export async function nextStart(demo: Demo, pid: number, timeoutMs = 15_000): Promise<LedgerLine> {
  const end = performance.now() + timeoutMs
  while (performance.now() < end) {
    const start = starts(demo).at(-1)
    if (start && start.pid !== pid) return start
    await sleep(2)
  }
  throw new Error(`the witness did not start again within ${timeoutMs} ms`)
}

export async function timesOf(
  demo: Demo,
  faultMs: number,
  start: LedgerLine,
  detected: RegExp,
  decided: RegExp,
) {
  // Lines of the hosts arrive a moment later.
  await sleep(100)
  const lines = await logSince(demo, faultMs)
  return { ...breakDown(lines, faultMs, wall(start.atMs), detected, decided), ...judged(demo) }
}

let seen = 0
/** Overlaps recorded since the last look. */
export function judged(demo: Demo): { overlaps: number } {
  const all = demo.overlaps('ledger')
  const overlaps = all - seen
  seen = all
  return { overlaps }
}
