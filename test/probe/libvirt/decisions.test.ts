import { describe, expect, test } from 'vitest'
import { tinyDomainXml } from '../../../demo/vm/domain.ts'
import { DOMAIN, EVENT } from '../../../probe/libvirt/client.ts'
import {
  domainDifferences,
  prepareDomainXml,
  readDomainFacts,
} from '../../../probe/libvirt/domain-xml.ts'
import {
  afterEvent,
  afterExit,
  NEW_RUN,
  type OnGuestShutdown,
  SHUTDOWN,
  SHUTOFF,
  STOPPED,
  statusOfState,
  verdictOfShutoff,
} from '../../../probe/libvirt/verdict.ts'
import { createVirtualMachine } from '../../../probe/resources/virtual-machine.ts'
import { virtualMachineProperties } from '../../../schema/resource-types/virtual-machine.ts'

const UUID = '0198c0de-0000-7000-8000-00000000000a'
const wanted = { name: 'web', uuid: UUID, emulator: '/opt/holdfast/gate/holdfast-gate' }
const xml = tinyDomainXml({ name: 'web', image: '/vm/a&b.img', serialLog: '/vm/web.log' })

describe('domain XML', () => {
  test('G4: the gate is the emulator, and the only one', () => {
    const two = xml.replace('<disk', '<emulator>/usr/bin/qemu-plain</emulator><disk')
    const prepared = prepareDomainXml(two, wanted)
    expect(prepared.xml.match(/<emulator>[^<]*<\/emulator>/g)).toEqual([
      `<emulator>${wanted.emulator}</emulator>`,
    ])
    expect(prepareDomainXml('<domain><name>web</name></domain>', wanted).facts.emulator).toBe(
      wanted.emulator,
    )
  })

  test('the UUID of the XML stays, or is the GUID of the resource; a crashed guest ends', () => {
    expect(prepareDomainXml(xml, wanted).uuid).toBe(UUID)
    const own = xml.replace('<vcpu>', '<uuid>AAAAAAAA-0000-4000-8000-000000000001</uuid><vcpu>')
    expect(prepareDomainXml(own, wanted).uuid).toBe('aaaaaaaa-0000-4000-8000-000000000001')
    const kept = xml.replace('<on_crash>destroy', '<on_crash>preserve')
    expect(prepareDomainXml(kept, wanted).xml).toContain('<on_crash>destroy</on_crash>')
  })

  test('attributes, entities, comments and CDATA come out as they went in', () => {
    const rich = xml.replace(
      '<vcpu>',
      "<!-- a & b --><title><![CDATA[<x>]]></title><vcpu a='&lt;'>",
    )
    const prepared = prepareDomainXml(rich, wanted).xml
    expect(prepared).toContain('<!-- a & b -->')
    expect(prepared).toContain('<![CDATA[<x>]]>')
    expect(prepared).toContain('a="&lt;"')
    expect(prepared).toContain('file="/vm/a&amp;b.img"')
  })

  test.each([
    ['another name', xml.replace('>web<', '>db<'), /domain "db"/],
    ['no domain', '<network/>', /not of a libvirt domain/],
    ['not well-formed', '<domain><name>', /not well-formed/],
    ['a document type', `<!DOCTYPE x [<!ENTITY a "b">]>${xml}`, /document type/],
    [
      'arguments for the emulator',
      xml.replace(
        "<domain type='qemu'",
        "<domain xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'",
      ),
      /reaches past libvirt/,
    ],
    [
      'a script of the host',
      xml.replace('<disk', "<interface><script path='/x'/></interface><disk"),
      /<script>/,
    ],
    [
      'a program of the host',
      xml.replace('<disk', "<filesystem><binary path='/x'/></filesystem><disk"),
      /<binary>/,
    ],
  ])('DESIGN 8: refuses %s', (_what, text, why) => {
    expect(() => prepareDomainXml(text, wanted)).toThrow(why)
  })

  test('S-44: what matters is compared, units and form are not', () => {
    const prepared = prepareDomainXml(xml, wanted)
    const same = prepared.xml
      .replace(/<memory unit="MiB">2</, '<memory unit="KiB">2048<')
      .replace('<vcpu>', '<currentMemory>2048</currentMemory><vcpu placement="static">')
    expect(domainDifferences(prepared.facts, readDomainFacts(same))).toEqual([])
    const other = same.replace(wanted.emulator, '/usr/bin/qemu').replace('a&amp;b', 'c')
    expect(domainDifferences(prepared.facts, readDomainFacts(other))).toEqual([
      `emulator is "/usr/bin/qemu" instead of "${wanted.emulator}"`,
      'files are "/vm/c.img" instead of "/vm/a&b.img"',
    ])
    expect(prepared.facts.files).toEqual([{ path: '/vm/a&b.img', writable: true }])
    expect(prepared.facts.memoryBytes).toBe(2 * 1024 * 1024)
  })
})

describe('O1: a host refuses what it could not start, and says why', () => {
  const module = createVirtualMachine({
    ...{ gate: wanted.emulator, paths: ['/*'], hostMemoryBytes: 64 * 1024 * 1024 },
    domains: ['web'],
  })
  const validate = (text: string, domain = 'web') => {
    const properties = virtualMachineProperties.parse({ domain, xml: text })
    return module.validate?.({ guid: UUID, properties, dependent: false } as never)
  }
  const sized = (memory: string) => xml.replace("<memory unit='MiB'>2<", `<memory ${memory}<`)

  test.each([
    ['XML that is none', xml.replace('</os>', '</so>'), /not well-formed/],
    ['more memory than it has', sized("unit='MiB'>65"), /wants 65 MiB of memory.* host has 64 MiB/],
    ['more, in other units', sized("unit='KB'>70000"), /wants 66 MiB/],
    ['a disk that is not there', xml, /"\/vm\/a&b.img" cannot be read and written \(ENOENT\)/],
    ['no disk and just its memory', sized("unit='MiB'>64").replace(/<disk[\s\S]*disk>/, ''), null],
  ])('%s', async (_what, text, says) => {
    if (says === null) await expect(validate(text)).resolves.toBeUndefined()
    else await expect(validate(text)).rejects.toThrow(says)
  })

  test('a domain that its policy does not allow', async () => {
    await expect(validate(xml, 'db')).rejects.toThrow(/does not allow domain db/)
  })
})

describe('what the end of a virtual machine means', () => {
  const event = (type: keyof typeof EVENT, detail: number) => ({ event: EVENT[type], detail })
  const end = (
    events: ReturnType<typeof event>[],
    policy: OnGuestShutdown = 'stop',
    run = NEW_RUN,
  ) => events.reduce((now, next) => afterEvent(now, next, policy), run).verdict

  test.each([
    ['killed', [event('stopped', STOPPED.failed)], 'offline'],
    ['panicked', [event('crashed', 0), event('stopped', STOPPED.crashed)], 'offline'],
    ['SIGTERM', [event('shutdown', SHUTDOWN.host), event('stopped', STOPPED.shutdown)], 'offline'],
    [
      'destroyed',
      [event('shutdown', SHUTDOWN.host), event('stopped', STOPPED.destroyed)],
      'stopped',
    ],
    [
      'shut down',
      [event('shutdown', SHUTDOWN.guest), event('stopped', STOPPED.shutdown)],
      'stopped',
    ],
    ['saved', [event('suspended', 0), event('stopped', STOPPED.saved)], 'stopped'],
    ['migrated', [event('suspended', 1), event('stopped', STOPPED.migrated)], 'stopped'],
  ])('S-62: %s', (_what, events, status) => {
    expect(end(events)?.status).toBe(status)
  })

  test('S-62: a shutdown from inside may mean "start it again"; a reboot and a pause are no end', () => {
    const shutDown = [event('shutdown', SHUTDOWN.guest), event('stopped', STOPPED.shutdown)]
    expect(end(shutDown, 'restart')?.status).toBe('offline')
    expect(end([event('suspended', 0), event('resumed', 0)])).toBeNull()
  })

  test('S-40: what the cluster stops itself is never "stopped"', () => {
    const ours = { ...NEW_RUN, ours: true }
    for (const detail of Object.values(STOPPED))
      expect(
        end([event('shutdown', SHUTDOWN.guest), event('stopped', detail)], 'stop', ours)?.status,
      ).toBe('offline')
    for (const reason of Object.values(SHUTOFF))
      expect(verdictOfShutoff(ours, reason).status).toBe('offline')
  })

  test('M5: what has left in a move of the cluster is not "stopped", whoever has seen the end of it', () => {
    const moves = { ...NEW_RUN, moves: true }
    for (const detail of [STOPPED.migrated, STOPPED.saved])
      expect(end([event('stopped', detail)], 'stop', moves)?.status).toBe('offline')
    for (const reason of [SHUTOFF.migrated, SHUTOFF.saved])
      expect(verdictOfShutoff(moves, reason).status).toBe('offline')
    // Other ends keep their meaning.
    expect(end([event('stopped', STOPPED.destroyed)], 'stop', moves)?.status).toBe('stopped')
  })

  test('one end has one meaning: the first; a start begins anew', () => {
    const dead = afterExit(NEW_RUN, false, 'stop')
    expect(dead.verdict?.status).toBe('offline')
    expect(end([event('stopped', STOPPED.destroyed)], 'stop', dead)).toEqual(dead.verdict)
    expect(afterEvent(dead, event('started', 0), 'stop')).toEqual(NEW_RUN)
  })

  test("S-62: a process that has ended waits for libvirt's reason, and not for ever", () => {
    expect(afterExit(NEW_RUN, true, 'stop').verdict).toBeNull()
    expect(afterExit(NEW_RUN, false, 'stop').verdict?.status).toBe('offline')
    const guest = afterEvent(NEW_RUN, event('shutdown', SHUTDOWN.guest), 'stop')
    expect(afterExit(guest, true, 'stop').verdict?.status).toBe('stopped')
  })

  test("S-43: polled after the fact, only libvirt's own reason is intent", () => {
    expect(verdictOfShutoff(NEW_RUN, SHUTOFF.destroyed).status).toBe('stopped')
    expect(verdictOfShutoff(NEW_RUN, SHUTOFF.shutdown).status).toBe('offline')
    expect(verdictOfShutoff(NEW_RUN, SHUTOFF.migrated).status).toBe('stopped')
    expect(verdictOfShutoff(NEW_RUN, SHUTOFF.saved).status).toBe('stopped')
    expect(verdictOfShutoff(NEW_RUN, SHUTOFF.daemon).status).toBe('offline')
  })

  test('S-43: paused by an I/O error has failed, paused by somebody has not', () => {
    expect(statusOfState(DOMAIN.paused, 5)).toMatchObject({ status: 'failed' })
    expect(statusOfState(DOMAIN.paused, 1)).toMatchObject({ status: 'online', askQemu: true })
    expect(statusOfState(DOMAIN.running, 1)).toMatchObject({ status: 'online', askQemu: true })
    expect(statusOfState(DOMAIN.shutdown, 1)).toMatchObject({ status: 'offlinePending' })
  })
})
