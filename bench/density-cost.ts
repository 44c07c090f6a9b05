/**
 * What one idle cluster of three real hosts costs on the platform: wakes and rows counted in workerd, times list
 * prices beyond what a plan includes. Prices: developers.cloudflare.com/durable-objects/platform/pricing.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { CLUSTER, Demo } from '../demo/cluster.ts'
import { type Counts, counted } from './counted.ts'

/** Dollars. */
const PRICE = { request: 0.15e-6, rowWritten: 1e-6, rowRead: 0.001e-6, gbSecond: 12.5e-6 }
/** Messages of a WebSocket that count as one request. */
const MESSAGES_PER_REQUEST = 20
/** An object is billed with so much memory while it is awake, here for so long an event. */
const [AWAKE_GB, AWAKE_S] = [0.128, 0.01]
const MONTH_MINUTES = 30 * 24 * 60

interface Billed {
  readonly messages: number
  readonly alarms: number
  readonly requests: number
  readonly rowsWritten: number
  readonly rowsRead: number
}

export interface Cost {
  readonly minutes: number
  readonly wakes: Record<string, number>
  readonly perMonth: Billed
  readonly dollarsPerMonth: number
  readonly perFailover: Billed
  readonly dollarsPerFailover: number
}

export async function idleCost(minutes: number): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const demo = await Demo.start({ folder, port: 0, profile: 'standard', vm: false, made: counted })
  const look = async () => (await (await fetch(`${demo.control.url}/bench`)).json()) as Counts
  try {
    await demo.allUp()
    const params = { cluster: CLUSTER }
    await demo.api('createGroup', { params, body: { name: 'web' } })
    await demo.api('createResource', {
      params,
      body: {
        ...{ name: 'web', group: 'web', type: 'process' },
        properties: { command: '/bin/sleep', args: ['1000000'] },
        persistentState: 1,
      },
    })
    const owner = async () => {
      const group = await demo.group('web')
      return group.state === 'online' ? group.owner : null
    }
    while (!(await owner())) await sleep(200)
    // Behind the last thing that was set up.
    await sleep(70_000)
    const first = await look()
    await sleep(minutes * 60_000)
    const idle = less(await look(), first)
    const before = await look()
    const from = await owner()
    demo.host(from as string).powerCut()
    while (((await owner()) ?? from) === from) await sleep(200)
    await sleep(5_000)
    const failover = billed(less(await look(), before))
    const perMonth = scaled(billed(idle), MONTH_MINUTES / minutes)
    return {
      ...{ minutes, wakes: idle.wakes, perMonth, dollarsPerMonth: dollars(perMonth) },
      ...{ perFailover: failover, dollarsPerFailover: dollars(failover) },
    }
  } finally {
    await demo.kill()
    rmSync(folder, { recursive: true, force: true })
  }
}

function less(after: Counts, before: Counts): Counts {
  const wakes = Object.entries(after.wakes)
    .map(([kind, n]) => [kind, n - (before.wakes[kind] ?? 0)] as const)
    .filter(([, n]) => n > 0)
  return {
    wakes: Object.fromEntries(wakes),
    rowsWritten: after.rowsWritten - before.rowsWritten,
    rowsRead: after.rowsRead - before.rowsRead,
    alarmsSet: after.alarmsSet - before.alarmsSet,
  }
}

/** Pings are answered by the platform, and free. An alarm that is set counts as a row. */
function billed({ wakes, rowsWritten, rowsRead, alarmsSet }: Counts): Billed {
  const { alarm = 0, fetch = 0, start: _, close: __, ...frames } = wakes
  const messages = Object.values(frames).reduce((a, b) => a + b, 0)
  return {
    ...{ messages, alarms: alarm, requests: fetch },
    ...{ rowsWritten: rowsWritten + alarmsSet, rowsRead },
  }
}

function scaled(of: Billed, by: number): Billed {
  return Object.fromEntries(
    Object.entries(of).map(([name, n]) => [name, Math.round(n * by)]),
  ) as unknown as Billed
}

function dollars({ messages, alarms, requests, rowsWritten, rowsRead }: Billed): number {
  const events = messages + alarms + requests
  const sum =
    (messages / MESSAGES_PER_REQUEST + alarms + requests) * PRICE.request +
    rowsWritten * PRICE.rowWritten +
    rowsRead * PRICE.rowRead +
    events * AWAKE_S * AWAKE_GB * PRICE.gbSecond
  return Math.round(sum * 1e6) / 1e6
}
