/** What a libvirt domain XML says of the settings that people change. */
import type { VmDisk, VmInterface, VmSettings } from '../../schema/api/vm-settings.ts'
import { SettingsError } from '../extension.ts'
import { all, attributeOf, type Element, find, textOf, XmlText } from './xml-text.ts'

/** libvirt's kinds of boot devices, in `<os>`. */
export const BOOT_KINDS: readonly string[] = ['hd', 'cdrom', 'network', 'fd']
export const MIB = 1024 * 1024

/** @throws {SettingsError} not the XML of a domain, or one that libvirt could not take */
export function settingsOf(xml: string): VmSettings {
  return readSettings(readDomain(xml).root)
}

/** @throws {SettingsError} not the XML of a domain */
export function readDomain(xml: string): XmlText {
  const text = new XmlText(xml)
  if (text.root.name === 'domain') return text
  throw new SettingsError('/xml', `the XML is of a <${text.root.name}>, not of a libvirt <domain>`)
}

export function readSettings(domain: Element): VmSettings {
  const memory = find(domain, 'memory')
  const model = textOf(find(domain, 'cpu', 'model'))
  return {
    memoryMib: mibOf(memory, '/memoryMib') ?? cellsMib(domain),
    currentMemoryMib: mibOf(find(domain, 'currentMemory'), '/currentMemoryMib'),
    maxMemoryMib: mibOf(find(domain, 'maxMemory'), '/maxMemoryMib'),
    cpus: countOf(textOf(find(domain, 'vcpu')), '/cpus') ?? 1,
    currentCpus: countOf(attributeOf(find(domain, 'vcpu'), 'current'), '/currentCpus'),
    topology: topologyOf(domain),
    cpuMode: attributeOf(find(domain, 'cpu'), 'mode') ?? (model === null ? null : 'custom'),
    cpuModel: model,
    firmware: firmwareOf(domain),
    boot: bootOf(domain),
    disks: Object.fromEntries(disksOf(domain).map((disk) => [targetOf(disk), readDisk(disk)])),
    interfaces: Object.fromEntries(
      interfacesOf(domain).map((one, n) => [`net${n}`, readInterface(one)]),
    ),
  }
}

/** Every disk, each with a target of its own. */
export function disksOf(domain: Element): Element[] {
  const disks = all(find(domain, 'devices'), 'disk')
  const seen = new Set<string>()
  for (const target of disks.map(targetOf)) {
    if (seen.has(target))
      throw new SettingsError(`/disks/${target}`, `two disks have the target "${target}"`)
    seen.add(target)
  }
  return disks
}

export const interfacesOf = (domain: Element): Element[] =>
  all(find(domain, 'devices'), 'interface')

export function targetOf(disk: Element): string {
  const target = attributeOf(find(disk, 'target'), 'dev')
  if (target) return target
  throw new SettingsError('/disks', 'a disk has no <target dev=…>: libvirt needs one')
}

function readDisk(disk: Element): VmDisk {
  const device = attributeOf(disk, 'device') ?? 'disk'
  return {
    device,
    type: attributeOf(disk, 'type') ?? 'file',
    source: diskSource(find(disk, 'source')),
    format: attributeOf(find(disk, 'driver'), 'type'),
    bus: attributeOf(find(disk, 'target'), 'bus'),
    readonly: device === 'cdrom' || find(disk, 'readonly') !== undefined,
  }
}

/** Which attribute of `<source>` names it, by the type of the disk. */
export const DISK_SOURCE: Readonly<Record<string, string>> = {
  ...{ file: 'file', block: 'dev', dir: 'dir', nvme: 'namespace', vhostuser: 'path' },
}

function diskSource(source: Element | undefined): string | null {
  for (const name of Object.values(DISK_SOURCE))
    if (attributeOf(source, name) !== null) return attributeOf(source, name)
  const [protocol, pool] = [attributeOf(source, 'protocol'), attributeOf(source, 'pool')]
  if (protocol !== null) return `${protocol}:${attributeOf(source, 'name') ?? ''}`
  return pool === null ? null : `${pool}/${attributeOf(source, 'volume') ?? ''}`
}

/** Which attribute of `<source>` names it, by the type of the interface; null: it has none. */
export const INTERFACE_SOURCE: Readonly<Record<string, string | null>> = {
  ...{ network: 'network', bridge: 'bridge', direct: 'dev', user: null },
}

function readInterface(one: Element): VmInterface {
  const source = find(one, 'source')
  // Of what runs libvirt may say how the network was carried out; it is the network all the same.
  const type = attributeOf(source, 'network') ? 'network' : (attributeOf(one, 'type') ?? 'user')
  const named = INTERFACE_SOURCE[type]
  return {
    type,
    source: named ? attributeOf(source, named) : null,
    mac: attributeOf(find(one, 'mac'), 'address')?.toLowerCase() ?? null,
    model: attributeOf(find(one, 'model'), 'type'),
  }
}

/** Devices that have a place in the boot order, first one first. */
export function bootPlaces(domain: Element): { device: Element; order: number }[] {
  const devices = find(domain, 'devices')?.children ?? []
  return devices
    .map((device) => ({ device, order: Number(attributeOf(find(device, 'boot'), 'order') ?? 0) }))
    .filter(({ order }) => order > 0)
    .sort((a, b) => a.order - b.order)
}

function bootOf(domain: Element): string[] {
  const kinds = all(find(domain, 'os'), 'boot').map((one) => attributeOf(one, 'dev') ?? '')
  if (kinds.length > 0) return kinds
  const interfaces = interfacesOf(domain)
  return bootPlaces(domain).map(({ device }) => {
    if (device.name === 'disk') return targetOf(device)
    return device.name === 'interface' ? `net${interfaces.indexOf(device)}` : device.name
  })
}

function firmwareOf(domain: Element): VmSettings['firmware'] {
  const os = find(domain, 'os')
  const asked = attributeOf(os, 'firmware')
  if (asked === 'efi' || asked === 'bios') return asked
  return textOf(find(os, 'loader')) === null ? 'bios' : 'loader'
}

function topologyOf(domain: Element): VmSettings['topology'] {
  const topology = find(domain, 'cpu', 'topology')
  if (!topology) return null
  const part = (name: string) => countOf(attributeOf(topology, name), '/topology') ?? 1
  return {
    ...{ sockets: part('sockets'), dies: part('dies') },
    ...{ cores: part('cores'), threads: part('threads') },
  }
}

/** libvirt's units: KB is 1000, K and KiB are 1024; without one it is KiB. */
export function unitBytes(unit: string | null): number | null {
  const [, prefix, decimal] = /^(?:b|bytes|([kmgtpe])(?:ib|(b))?)$/i.exec(unit ?? 'KiB') ?? []
  if (prefix === undefined) return /^(?:b|bytes)$/i.test(unit ?? '') ? 1 : null
  return (decimal ? 1000 : 1024) ** ('kmgtpe'.indexOf(prefix.toLowerCase()) + 1)
}

function mibOf(element: Element | undefined, pointer: string): number | null {
  const text = textOf(element)
  if (!element || text === null) return null
  const bytes = unitBytes(attributeOf(element, 'unit'))
  if (bytes === null || !/^\d{1,19}$/.test(text))
    throw new SettingsError(pointer, `<${element.name}> is no size: "${text.slice(0, 40)}"`)
  return (Number(text) * bytes) / MIB
}

/** Memory that is divided among NUMA cells may be said there alone. */
function cellsMib(domain: Element): number {
  const cells = all(find(domain, 'cpu', 'numa'), 'cell')
  const sizes = cells.map((cell) => {
    const bytes = unitBytes(attributeOf(cell, 'unit')) ?? 1024
    return (Number(attributeOf(cell, 'memory') ?? 0) * bytes) / MIB
  })
  return sizes.reduce((sum, one) => sum + one, 0)
}

function countOf(text: string | null, pointer: string): number | null {
  if (text === null) return null
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new SettingsError(pointer, `"${text.slice(0, 40)}" is no whole number`)
}
