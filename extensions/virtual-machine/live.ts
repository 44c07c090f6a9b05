/** What of a change a running virtual machine can be given: how much it uses of what it was started with. */
import type { VmSettings } from '../../schema/api/vm-settings.ts'
import type { LiveChange } from '../extension.ts'

/** Whether it can be is for libvirt to say: what runs may have been started with other settings. */
export function liveOf(before: VmSettings, after: VmSettings): LiveChange | null {
  const memory = differs(before, after, (one) => one.currentMemoryMib ?? one.memoryMib)
  const cpus = differs(before, after, (one) => one.currentCpus ?? one.cpus)
  if (memory === null && cpus === null) return null
  const input = {
    ...(memory !== null && { currentMemoryMib: memory }),
    ...(cpus !== null && { currentCpus: cpus }),
  }
  return { code: 'resize', input }
}

function differs(
  before: VmSettings,
  after: VmSettings,
  of: (one: VmSettings) => number,
): number | null {
  return of(before) === of(after) ? null : of(after)
}
