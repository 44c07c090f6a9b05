/** Where what runs is not as configured. */
import type { VmInterface, VmSettings } from '../../schema/api/vm-settings.ts'
import type { Difference } from '../extension.ts'

type Value = Difference['configured']

/** What is not configured is libvirt's choice, and no difference. */
export function differencesOf(configured: VmSettings, running: VmSettings): Difference[] {
  const found: Difference[] = []
  const compare = (field: string, wanted: Value, has: Value) => {
    if (wanted === null || JSON.stringify(wanted) === JSON.stringify(has)) return
    found.push({ field, configured: wanted, running: has })
  }
  for (const key of ['memoryMib', 'currentMemoryMib', 'maxMemoryMib', 'cpus'] as const)
    compare(key, configured[key], running[key])
  // All of them are plugged in where nothing else is said.
  if (configured.cpus === running.cpus)
    compare(
      'currentCpus',
      configured.currentCpus ?? configured.cpus,
      running.currentCpus ?? running.cpus,
    )
  const { topology } = configured
  if (topology)
    for (const part of ['sockets', 'dies', 'cores', 'threads'] as const)
      compare(`topology.${part}`, topology[part], running.topology?.[part] ?? null)
  // libvirt writes down which model the host's own has become.
  if (configured.cpuMode !== 'host-model') {
    compare('cpuMode', configured.cpuMode, running.cpuMode)
    compare('cpuModel', configured.cpuModel, running.cpuModel)
  }
  compare('firmware', configured.firmware, running.firmware)
  if (configured.boot.length > 0) compare('boot', configured.boot, running.boot)
  for (const pair of [...disks(configured, running), ...interfaces(configured, running)]) {
    const { field, wanted, has } = pair
    if (!wanted || !has) found.push({ field, configured: wanted ?? null, running: has ?? null })
    // No medium is a statement too.
    else
      for (const [key, value] of Object.entries(wanted))
        if (field.startsWith('disks') && key === 'source' && value === null) {
          if (has[key] !== null)
            found.push({ field: `${field}.${key}`, configured: null, running: has[key] ?? null })
        } else compare(`${field}.${key}`, value, has[key] ?? null)
  }
  return found
}

interface Pair {
  readonly field: string
  readonly wanted: Readonly<Record<string, Value>> | undefined
  readonly has: Readonly<Record<string, Value>> | undefined
}

function disks(configured: VmSettings, running: VmSettings): Pair[] {
  const targets = new Set([...Object.keys(configured.disks), ...Object.keys(running.disks)])
  return [...targets].map((target) => ({
    field: `disks.${target}`,
    wanted: configured.disks[target],
    has: running.disks[target],
  }))
}

/** By address where both have one; the others in their order. */
function interfaces(configured: VmSettings, running: VmSettings): Pair[] {
  const left = new Set(Object.values(running.interfaces))
  const take = (one: VmInterface | undefined) => {
    if (one) left.delete(one)
    return one
  }
  const byMac = new Map(
    Object.entries(configured.interfaces).map(([name, wanted]) => [
      name,
      take([...left].find((one) => one.mac !== null && one.mac === wanted.mac)),
    ]),
  )
  const pairs = Object.entries(configured.interfaces).map(([name, wanted]) => {
    const next = wanted.mac === null ? [...left][0] : undefined
    return { field: `interfaces.${name}`, wanted, has: byMac.get(name) ?? take(next) }
  })
  const more = [...left].map((has) => ({
    ...{ field: `interfaces.${has.mac ?? 'more'}`, wanted: undefined, has },
  }))
  return [...pairs, ...more]
}
