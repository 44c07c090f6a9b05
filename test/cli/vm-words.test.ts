/** Settings of a virtual machine on a command line: what the words mean, and which are none. */
import { describe, expect, it } from 'vitest'
import { changeOf } from '../../cli/vm-words.ts'
import { vmChange } from '../../schema/api/vm-settings.ts'
import type { HoldfastError } from '../../schema/errors.ts'

const said = (line: string) => changeOf(line.split(' ')) as object

describe('settings in words (S-58)', () => {
  it.each([
    ['memory=4G', { memoryMib: 4096 }],
    ['memory=512 cpus=4', { memoryMib: 512, cpus: 4 }],
    [
      'memory=1TiB max-memory=none current-memory=64MB',
      { memoryMib: 1048576, maxMemoryMib: null, currentMemoryMib: 64 },
    ],
    [
      'current-cpus=2 topology=2x4x1',
      { currentCpus: 2, topology: { sockets: 2, cores: 4, threads: 1 } },
    ],
    ['topology=none', { topology: null }],
    ['cpu=host-passthrough', { cpuMode: 'host-passthrough' }],
    ['cpu=Nehalem', { cpuModel: 'Nehalem' }],
    ['cpu=none firmware=efi', { cpuMode: null, firmware: 'efi' }],
    ['boot=vda,net0', { boot: ['vda', 'net0'] }],
    [
      'disk.vda.source=/a=b.img disk.vda.readonly=yes disk.vdb=none disk.sda.source=none',
      { disks: { vda: { source: '/a=b.img', readonly: true }, vdb: null, sda: { source: null } } },
    ],
    [
      'nic.net0.network=lan nic.net1.user=yes nic.52:54:00:aa:bb:01.bridge=br0 nic.net2=none',
      {
        interfaces: {
          net0: { type: 'network', source: 'lan' },
          net1: { type: 'user' },
          '52:54:00:aa:bb:01': { type: 'bridge', source: 'br0' },
          net2: null,
        },
      },
    ],
  ])('%s', (line, change) => {
    // What the words say is what the control plane takes.
    expect(said(line)).toEqual(change)
    expect(vmChange.safeParse(said(line)).success).toBe(true)
  })

  it.each([
    ['memory', /SETTING=VALUE/],
    ['=4', /SETTING=VALUE/],
    ['memory=lots', /A size is a number/],
    ['memory=-1', /A size is a number/],
    ['memory=1.5G', /A size is a number/],
    ['cpus=two', /whole number/],
    ['topology=4', /sockets x cores x threads/],
    ['memory=1G memory=2G', /said twice/],
    ['disk.vda=/a', /Only "none"/],
    ['disk.vda=none disk.vda.bus=ide', /changed and removed/],
    ['disk.vda.bus=ide disk.vda=none', /changed and removed/],
    ['disk.vda.readonly=perhaps', /yes or no/],
    ['disk.vda.constructor=x', /There are: source/],
    ['constructor=x', /There are: memory/],
  ])('bad input: %s', (line, why) => {
    const refusal = refusalOf(line)
    expect(refusal).toMatchObject({ code: 'BAD_REQUEST', why: expect.stringMatching(why) })
    expect(refusal?.why).toMatch(/Nothing was changed\.$/)
  })

  it('a slip gets the nearest word', () => {
    expect(refusalOf('memmory=4G')?.remedy).toBe('did you mean "memory"?')
    expect(refusalOf('disk.vda.sorce=/a')?.remedy).toBe('did you mean "source"?')
  })

  it('no name reaches past its own record', () => {
    said('disk.__proto__.source=/a')
    expect(({} as { source?: string }).source).toBeUndefined()
  })
})

function refusalOf(line: string) {
  try {
    said(line)
    return null
  } catch (error) {
    return (error as HoldfastError).refusal
  }
}
