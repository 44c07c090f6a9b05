/** The management extension of virtual machines: what it reads, what it changes, and what it leaves alone. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { tinyDomainXml } from '../../demo/vm/domain.ts'
import { SettingsError } from '../../extensions/extension.ts'
import { MANAGEMENT_EXTENSIONS } from '../../extensions/index.ts'
import { withSettings } from '../../extensions/virtual-machine/change.ts'
import { differencesOf } from '../../extensions/virtual-machine/differences.ts'
import { settingsOf } from '../../extensions/virtual-machine/settings.ts'
import { prepareDomainXml } from '../../probe/libvirt/domain-xml.ts'
import { type VmChange, vmChange, vmSettings } from '../../schema/api/vm-settings.ts'
import { RESOURCE_TYPES } from '../../schema/resource-types/index.ts'

const TINY = tinyDomainXml({ name: 'web', image: '/vm/a&b.img', serialLog: '/vm/web.log' })

/** As people write them: comments, foreign elements, all kinds of quotes, more than one device a line. */
const RICH = `<?xml version="1.0"?>
<!-- made by hand -->
<domain type="kvm" xmlns:own='urn:own'>
  <name>db</name>
  <metadata><own:team name="a 'b'"/><memory>7</memory></metadata>
  <memory unit='GiB'><!-- as agreed --> 4 </memory>
  <currentMemory unit='KiB'>2097152</currentMemory>
  <vcpu placement='static' current='2'>4</vcpu>
  <os firmware="efi">
    <type arch='x86_64' machine='q35'>hvm</type>
    <boot dev='hd'/><boot dev='network'/>
    <nvram>/vm/nvram.fd</nvram>
  </os>
  <cpu mode='custom' match='exact'>
    <model fallback='allow'>qemu64</model>
    <topology sockets='2' cores='2' threads='1'/>
  </cpu>
  <devices>
    <!-- the system -->
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2' cache="none"/>
      <source file='/vm/db.qcow2'/>
      <target dev='vda' bus='virtio'/>
      <address type='pci' slot='0x04'/>
    </disk>
    <disk type='block' device='disk'><source dev='/dev/vg/db'/><target dev='vdb'/><readonly/></disk>
    <disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>
    <disk type='network'><source protocol='rbd' name='pool/x'/><target dev='vdc'/></disk>
    <interface type='network'>
      <mac address='52:54:00:AA:bb:01'/>
      <source network='lan' portgroup='x'/>
      <model type='virtio'/>
    </interface>
    <interface type='user'/>
    <weird a = "1"   ><![CDATA[<disk>]]></weird>
  </devices>
</domain>
`

const change = (xml: string, what: VmChange | object) =>
  withSettings(xml, vmChange.parse(what), 'seed')

describe('reading', () => {
  test('S-58: what libvirt writes in many ways is one thing each', () => {
    const read = settingsOf(RICH)
    expect(read).toEqual({
      ...{ memoryMib: 4096, currentMemoryMib: 2048, maxMemoryMib: null },
      ...{ cpus: 4, currentCpus: 2, cpuMode: 'custom', cpuModel: 'qemu64', firmware: 'efi' },
      topology: { sockets: 2, dies: 1, cores: 2, threads: 1 },
      boot: ['hd', 'network'],
      disks: {
        vda: disk({ source: '/vm/db.qcow2', format: 'qcow2', bus: 'virtio' }),
        vdb: disk({ type: 'block', source: '/dev/vg/db', readonly: true }),
        sda: disk({ device: 'cdrom', bus: 'sata', readonly: true }),
        vdc: disk({ type: 'network', source: 'rbd:pool/x' }),
      },
      interfaces: {
        net0: { type: 'network', source: 'lan', mac: '52:54:00:aa:bb:01', model: 'virtio' },
        net1: { type: 'user', source: null, mac: null, model: null },
      },
    })
    expect(vmSettings.parse(read)).toEqual(read)
  })

  test.each([
    ['not well-formed', '<domain>\n<name>x</nam>\n</domain>', /not well-formed at line 2, column/],
    ['no XML', 'memory: 2', /not well-formed/],
    ['nothing', '', /not well-formed|cannot be read/],
    ['a document type', '<!DOCTYPE a []><domain/>', /document type/],
    ['another thing', '<network/>', /of a <network>/],
    [
      'two of one target',
      RICH.replace("dev='vdb'", "dev='vda'"),
      /two disks have the target "vda"/,
    ],
    ['no target', RICH.replace("<target dev='vdb'/>", ''), /no <target/],
    ['a size that is none', RICH.replace(' 4 ', ' lots '), /<memory> is no size: "lots"/],
    ['a unit that is none', RICH.replace("'GiB'", "'furlong'"), /is no size/],
  ])('bad input: %s', (_what, xml, says) => {
    expect(() => settingsOf(xml)).toThrow(SettingsError)
    expect(() => settingsOf(xml)).toThrow(says)
    expect(() => change(xml, {})).toThrow(SettingsError)
  })
})

const disk = (more: object) => ({
  ...{ device: 'disk', type: 'file', source: null, format: null, bus: null, readonly: false },
  ...more,
})

describe('changing', () => {
  test('in the unit that is there; comments and the form around it stay', () => {
    expect(change(RICH, { memoryMib: 8192 })).toBe(RICH.replace(' 4 ', ' 8 '))
    expect(change(RICH, { memoryMib: 5000 })).toBe(
      RICH.replace("unit='GiB'><!-- as agreed --> 4 <", "unit='MiB'><!-- as agreed --> 5000 <"),
    )
    expect(change(RICH, { cpus: 8, topology: { sockets: 2, cores: 4, threads: 1 } })).toBe(
      RICH.replace('>4</vcpu>', '>8</vcpu>').replace("cores='2'", "cores='4'"),
    )
    expect(change(RICH, { disks: { vda: { source: '/vm/<new>.qcow2' } } })).toBe(
      RICH.replace('/vm/db.qcow2', '/vm/&lt;new&gt;.qcow2'),
    )
    expect(change(RICH, { boot: ['network', 'hd'] })).toBe(
      RICH.replace("dev='hd'/><boot dev='network'", "dev='network'/><boot dev='hd'"),
    )
  })

  test('with less memory the guest is given less; one that had all has all', () => {
    expect(settingsOf(change(RICH, { memoryMib: 1024 })).currentMemoryMib).toBe(1024)
    const all = RICH.replace('2097152', '4194304')
    expect(settingsOf(change(all, { memoryMib: 8192 })).currentMemoryMib).toBe(8192)
  })

  test('devices come and go with their lines, a new bus takes the old place along', () => {
    const gone = change(RICH, { disks: { vdb: null }, interfaces: { '52:54:00:aa:bb:01': null } })
    expect(gone).toBe(
      RICH.replace(/\n.*vdb.*/, '').replace(
        /\n {4}<interface type='network'>[\s\S]*?<\/interface>/,
        '',
      ),
    )
    const more = change(TINY, {
      disks: { vdb: { source: '/vm/b.img' }, sdb: { device: 'cdrom' } },
      interfaces: { net0: { source: 'lan' } },
      boot: ['sda', 'net0'],
    })
    expect(settingsOf(more)).toMatchObject({
      disks: {
        vdb: { source: '/vm/b.img', bus: 'virtio', format: 'raw' },
        sdb: { device: 'cdrom', source: null, readonly: true },
      },
      interfaces: { net0: { type: 'network', source: 'lan', model: 'virtio' } },
      boot: ['sda', 'net0'],
    })
    expect(more).toContain(
      "\n    <disk type='file' device='disk'>\n      <driver name='qemu' type='raw'/>\n      <source file='/vm/b.img'/>",
    )
    expect(more).not.toContain('<boot dev')
    const bus = change(RICH, { disks: { vda: { bus: 'sata', target: 'sdb' } } })
    expect(bus).toContain("<target dev='sdb' bus='sata'/>")
    expect(bus).not.toContain('slot=')
  })

  test('a new interface has the same address on every host, and another one in another machine', () => {
    const of = (seed: string) => {
      const xml = withSettings(TINY, { interfaces: { net0: { type: 'user' } } }, seed)
      return settingsOf(xml).interfaces['net0']?.mac
    }
    expect(of('a')).toMatch(/^52:54:00(:[0-9a-f]{2}){3}$/)
    expect(of('a')).toBe(of('a'))
    expect(of('a')).not.toBe(of('b'))
  })

  test('two disks change places', () => {
    const read = settingsOf(
      change(RICH, { disks: { vda: { target: 'vdb' }, vdb: { target: 'vda' } } }),
    )
    expect([read.disks['vda']?.source, read.disks['vdb']?.source]).toEqual([
      '/dev/vg/db',
      '/vm/db.qcow2',
    ])
  })

  test('firmware, CPU and medium', () => {
    const bios = change(RICH, { firmware: 'bios', cpuMode: 'host-passthrough' })
    expect(settingsOf(bios)).toMatchObject({ firmware: 'bios', cpuMode: 'host-passthrough' })
    expect(bios).not.toMatch(/nvram|<model fallback|match=/)
    expect(settingsOf(change(TINY, { firmware: 'efi', cpuModel: 'Nehalem' }))).toMatchObject({
      ...{ firmware: 'efi', cpuMode: 'custom', cpuModel: 'Nehalem' },
    })
    const iso = change(RICH, { disks: { sda: { source: '/iso/a.iso' } } })
    expect(settingsOf(iso).disks['sda']?.source).toBe('/iso/a.iso')
    expect(settingsOf(change(iso, { disks: { sda: { source: null } } }))).toEqual(settingsOf(RICH))
  })

  test.each([
    [
      { disks: { vda: { target: 'vdb' } } },
      '/disks/vda/target',
      /two disks would have the target "vdb"/,
    ],
    [{ disks: { vdd: null } }, '/disks/vdd', /there is no disk "vdd"/],
    [{ disks: { vdd: {} } }, '/disks/vdd/source', /a disk needs a source/],
    [{ disks: { vda: { source: null } } }, '/disks/vda/source', /a disk needs a source/],
    [{ disks: { vdc: { source: '/a' } } }, '/disks/vdc/source', /of type network/],
    [{ disks: { sda: { readonly: false } } }, '/disks/sda/readonly', /always read-only/],
    [{ boot: ['vdz'] }, '/boot', /no boot device "vdz"; there are hd, .*vda, .*net0/],
    [{ boot: ['hd', 'vda'] }, '/boot', /cannot stand in one order/],
    [{ boot: ['hd', 'hd'] }, '/boot', /named twice/],
    [{ boot: ['vdb'], disks: { vdb: null } }, '/boot', /no boot device "vdb"/],
    [{ cpus: 3 }, '/cpus', /3 CPUs do not fit the topology, which has 4/],
    [{ currentCpus: 5 }, '/currentCpus', /5 of 4 CPUs/],
    [{ currentMemoryMib: 5000 }, '/currentMemoryMib', /more \(5000 MiB\) than its memory/],
    [{ memoryMib: 4096, maxMemoryMib: 2048 }, '/memoryMib', /more than its maximum/],
    [{ cpuMode: 'host-model', cpuModel: 'x' }, '/cpuModel', /has no model/],
    [{ interfaces: { net7: { type: 'user' } } }, '/interfaces/net7', /the next is "net2"/],
    [{ interfaces: { net2: {} } }, '/interfaces/net2/source', /needs a source/],
    [{ interfaces: { net1: { mac: '52:54:00:aa:bb:01' } } }, '/interfaces', /two interfaces would/],
    [{ interfaces: { net0: null, '52:54:00:aa:bb:01': {} } }, '/interfaces/net0', /named twice/],
  ])('bad input: %j', (what, pointer, says) => {
    expect(() => change(RICH, what)).toThrow(says)
    expect(() => change(RICH, what)).toThrow(expect.objectContaining({ pointer }))
  })

  test.each([
    [{ memoryMib: 0 }],
    [{ memoryMib: 1.5 }],
    [{ cpus: 0 }],
    [{ memory: 4 }],
    [{ boot: [] }],
    [{ disks: { vda: { source: 'relative' } } }],
    [{ disks: { vda: { source: '/a\u0000' } } }],
    [{ disks: { '../x': {} } }],
    [{ interfaces: { eth0: {} } }],
  ])('bad input, by the schema: %j', (what) => {
    expect(vmChange.safeParse(what).success).toBe(false)
  })

  test('what is divided among NUMA cells, or among CPUs, is not changed as one', () => {
    const numa = RICH.replace('</cpu>', "<numa><cell id='0' memory='4' unit='GiB'/></numa></cpu>")
    expect(() => change(numa, { memoryMib: 1 })).toThrow(/NUMA cells/)
    const each = RICH.replace('<os ', "<vcpus><vcpu id='0'/></vcpus><os ")
    expect(() => change(each, { cpus: 1, topology: null })).toThrow(/<vcpus>/)
  })
})

describe('whatever the XML is like', () => {
  const word = fc.stringMatching(/^[a-z]{1,8}$/)
  const value = fc
    .string({ maxLength: 12 })
    .map((one) => one.replace(/[<&"'\p{Cc}\ufffe\uffff]/gu, ''))
  const noise: fc.Arbitrary<string> = fc.oneof(
    value.map((one) => `<!--${one.replaceAll('-', '')}-->`),
    fc.tuple(word, word, value).map(([a, b, c]) => `<own-${a} ${b} = "${c}" />`),
    fc.tuple(word, value).map(([a, c]) => `<own-${a}\n\t>${c.replaceAll(']]>', '')}</own-${a}>`),
    value.map((one) => `<own-x><![CDATA[${one.replaceAll(']]>', '')}]]></own-x>`),
    fc.constantFrom('\n', '  ', '\t', '\r\n', '<?own a?>'),
  )
  /** The rich one with noise between its elements. */
  const xml = fc.array(fc.tuple(fc.nat(), noise), { maxLength: 6 }).map((all) =>
    all.reduce((text, [n, one]) => {
      const gaps = [...text.matchAll(/>(?=\s*<)/g)].map((gap) => gap.index + 1)
      const inside = gaps.filter(
        (at) => at > text.indexOf('<name>') && at <= text.lastIndexOf('</devices>'),
      )
      const at = inside[n % inside.length] ?? 0
      return text.slice(0, at) + one + text.slice(at)
    }, RICH),
  )
  const anyChange = fc.record(
    {
      memoryMib: fc.integer({ min: 1, max: 100_000 }),
      cpuMode: fc.constantFrom('host-passthrough', 'host-model', null),
      firmware: fc.constantFrom('bios', 'efi'),
      boot: fc.constantFrom(['hd'], ['vda', 'net0'], ['cdrom', 'hd', 'fd'], ['net1', 'sda', 'vdb']),
      disks: fc.record(
        {
          vda: fc.record({ source: value.map((one) => `/${one}`), bus: fc.constant('sata') }),
          vdb: fc.record({ readonly: fc.boolean(), format: fc.constant('qcow2') }),
          vdd: fc.constant({ source: '/new' }),
        },
        { requiredKeys: [] },
      ),
      interfaces: fc.record(
        { net0: fc.record({ model: word }), net1: fc.constant({ type: 'bridge', source: 'br0' }) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )

  test('S-58: an empty change, and one that says what is, give the same text byte for byte', () => {
    fc.assert(
      fc.property(xml, (text) => {
        expect(change(text, {})).toBe(text)
        const now = settingsOf(text)
        const { memoryMib, cpus, boot, cpuMode, topology } = now
        expect(change(text, { memoryMib, cpus, boot, cpuMode, topology, firmware: 'efi' })).toBe(
          text,
        )
      }),
    )
  })

  test('S-58: what was asked for is there, what was not is as it was, twice is once', () => {
    fc.assert(
      fc.property(xml, anyChange, (text, what) => {
        const before = settingsOf(text)
        const changed = change(text, what)
        const after = settingsOf(changed)
        const wanted = vmChange.parse(what)
        for (const key of ['memoryMib', 'cpuMode', 'firmware', 'boot'] as const)
          expect(after[key]).toEqual(wanted[key] === undefined ? before[key] : wanted[key])
        for (const [target, one] of Object.entries(after.disks))
          expect(one).toMatchObject({ ...before.disks[target], ...wanted.disks?.[target] })
        for (const [name, one] of Object.entries(after.interfaces))
          expect(one).toMatchObject({ ...before.interfaces[name], ...wanted.interfaces?.[name] })
        expect(change(changed, what)).toBe(changed)
        // Comments and what nobody knows are all there, in their order.
        const kept = (of: string) =>
          of.match(/<!--[\s\S]*?-->|<own-[\s\S]*?>|<\?own a\?>|<weird.*/g)
        expect(kept(changed)).toEqual(kept(text))
        // The host reads it as we do.
        const host = { name: 'db', uuid: 'u', emulator: '/gate' }
        const { facts } = prepareDomainXml(changed.replace(" xmlns:own='urn:own'", ''), host)
        expect(facts.memoryBytes / 1024 / 1024).toBe(after.memoryMib)
      }),
    )
  })
})

describe('what runs', () => {
  test('what is not configured is no difference', () => {
    const live = settingsOf(
      TINY.replace('<vcpu>', "<currentMemory>2048</currentMemory><vcpu placement='static'>")
        .replace('<features>', "<cpu mode='custom'><model>qemu64</model></cpu><features>")
        .replace('</disk>', '<readonly/></disk>')
        .replace('<readonly/>', '<backingStore/>'),
    )
    expect(differencesOf(settingsOf(TINY), live)).toEqual([])
  })

  test('each that is other is named, with both values', () => {
    const wanted = settingsOf(
      change(RICH, {
        ...{ memoryMib: 8192, boot: ['vda'] },
        disks: { vdb: null, vdd: { source: '/d' }, sda: { source: '/iso' } },
        interfaces: { net0: { source: 'dmz' }, net1: null },
      }),
    )
    expect(differencesOf(wanted, settingsOf(RICH))).toEqual([
      { field: 'memoryMib', configured: 8192, running: 4096 },
      { field: 'boot', configured: ['vda'], running: ['hd', 'network'] },
      { field: 'disks.sda.source', configured: '/iso', running: null },
      { field: 'disks.vdd', configured: expect.objectContaining({ source: '/d' }), running: null },
      { field: 'disks.vdb', configured: null, running: expect.objectContaining({ type: 'block' }) },
      { field: 'interfaces.net0.source', configured: 'dmz', running: 'lan' },
      {
        ...{ field: 'interfaces.more', configured: null },
        running: expect.objectContaining({ type: 'user' }),
      },
    ])
    // An ejected medium is a difference too.
    expect(
      differencesOf(settingsOf(RICH), wanted).find((one) => one.field === 'disks.sda.source'),
    ).toEqual({ field: 'disks.sda.source', configured: null, running: '/iso' })
  })
})

test('every extension is of a type there is, and asks for a control code of it', () => {
  expect(MANAGEMENT_EXTENSIONS.map((one) => one.type)).toEqual(['virtual-machine'])
  for (const { type, runningCode } of MANAGEMENT_EXTENSIONS)
    expect(Object.keys(RESOURCE_TYPES.get(type)?.controls ?? {})).toContain(runningCode)
})
