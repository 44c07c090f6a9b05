/** What the guard of the host n1 says of its resource monitors. */
import type { Demo } from '../../demo/cluster.ts'
import type { HostStatus } from '../../demo/host.ts'

export type Monitor = HostStatus['monitors'][number]

/** @param demo as soon as there is one */
export function monitorsOf(demo: () => Demo) {
  const status = async () => (await demo().host('n1').status()) as HostStatus
  const monitor = async (name: string) =>
    (await status()).monitors.find((one) => one.monitor === name)
  const groups = async (name: string) => {
    const tables = (await monitor(name))?.tables
    return tables === undefined || tables === 'no answer' ? [] : tables.groups
  }
  const online = async (name: string) =>
    (await groups(name)).flatMap((g) => g.members).filter((m) => m.status === 'online')
  return { status, monitor, groups, online }
}
