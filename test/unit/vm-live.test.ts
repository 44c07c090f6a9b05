/** S-58: what of a change of settings a running virtual machine can be given, and what came of it. */
import { expect, test } from 'vitest'
import { virtualMachine } from '../../extensions/virtual-machine/index.ts'
import { resize } from '../../probe/libvirt/resize.ts'
import type { VmSettings } from '../../schema/api/vm-settings.ts'

const settings = (over: Partial<VmSettings>) =>
  ({ memoryMib: 2_048, currentMemoryMib: null, cpus: 4, currentCpus: null, ...over }) as VmSettings
const live = (before: Partial<VmSettings>, after: Partial<VmSettings>) =>
  virtualMachine.liveOf(settings(before) as never, settings(after) as never)

test.each([
  ['nothing of it', {}, { firmware: 'efi' as const }, null],
  ['less memory of the same maximum', {}, { currentMemoryMib: 1_024 }, { currentMemoryMib: 1_024 }],
  ['all of it again', { currentMemoryMib: 1_024 }, {}, { currentMemoryMib: 2_048 }],
  ['another maximum', {}, { memoryMib: 4_096 }, { currentMemoryMib: 4_096 }],
  ['a maximum alone', { currentCpus: 2 }, { cpus: 8, currentCpus: 2 }, null],
  [
    'both',
    {},
    { currentMemoryMib: 512, currentCpus: 1 },
    { currentMemoryMib: 512, currentCpus: 1 },
  ],
])('%s', (_, before, after, input) => {
  expect(live(before, after)).toEqual(input && { code: 'resize', input })
})

test('each for itself: that one cannot be is said, and the other is done', async () => {
  const asked: [string, number][] = []
  const client = {
    setMemory: async () => Promise.reject(new Error('no balloon')),
    setCpus: async (_: unknown, cpus: number) => void asked.push(['cpus', cpus]),
  }
  const sizes = { currentMemoryMib: 512, currentCpus: 2 }
  const said = await resize(client, {} as never, sizes, { timeoutMs: 1 })
  expect(said).toEqual({ currentMemoryMib: 'no balloon', currentCpus: null })
  expect(asked).toEqual([['cpus', 2]])
  expect(virtualMachine.triedOf(said)).toEqual(said)
  expect(() => virtualMachine.triedOf({ currentCpus: 7 })).toThrow()
})
