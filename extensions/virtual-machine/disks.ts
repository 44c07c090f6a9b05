import type { DiskChange, VmChange } from '../../schema/api/vm-settings.ts'
import { SettingsError } from '../extension.ts'
import { DISK_SOURCE, disksOf, interfacesOf, targetOf } from './settings.ts'
import { attributeOf, type Element, encode, find, type XmlText } from './xml-text.ts'

type Changes = NonNullable<VmChange['disks']>

/** Changes first, then new names, then what goes, then what comes. */
export function changeDisks(text: XmlText, changes: Changes): void {
  const known = new Set(disksOf(text.root).map(targetOf))
  const entries = Object.entries(changes)
  for (const [target, change] of entries)
    if (change === null) {
      if (!known.has(target))
        throw new SettingsError(`/disks/${target}`, `there is no disk "${target}" to be removed`)
    } else if (known.has(target)) changeDisk(text, target, change)
  for (const [target, change] of entries) if (change === null) text.remove(diskOf(text, target))
  rename(text, changes, known)
  for (const [target, change] of entries)
    if (change !== null && !known.has(target)) addDisk(text, target, change)
}

/** All at once, so that two may change places. */
function rename(text: XmlText, changes: Changes, known: ReadonlySet<string>): void {
  const renamed = Object.entries(changes).flatMap(([target, change]) => {
    const to = change?.target
    return to !== undefined && to !== target && known.has(target) ? [{ target, to }] : []
  })
  const targets = disksOf(text.root).map(targetOf)
  const after = targets.map((one) => renamed.find((r) => r.target === one)?.to ?? one)
  for (const { target, to } of renamed)
    if (after.filter((one) => one === to).length > 1)
      throw new SettingsError(`/disks/${target}/target`, `two disks would have the target "${to}"`)
  for (const [at, to] of after.entries()) {
    const disk = find(text.root, 'devices')?.children.filter((one) => one.name === 'disk')[at]
    const element = find(disk, 'target')
    if (element) text.setAttribute(element, 'dev', to)
  }
}

function changeDisk(text: XmlText, target: string, change: DiskChange): void {
  const at = `/disks/${target}`
  const disk = () => diskOf(text, target)
  const before = attributeOf(disk(), 'device') ?? 'disk'
  const { device = before, bus, format, readonly } = change
  if (device !== before) text.setAttribute(disk(), 'device', device)
  changeSource(text, target, change, device)
  if (format !== undefined) {
    const driver = find(disk(), 'driver')
    if (driver) text.setAttribute(driver, 'type', format)
    else text.insert(disk(), `<driver name='qemu' type='${format}'/>`)
  }
  if (bus !== undefined && bus !== attributeOf(find(disk(), 'target'), 'bus')) {
    text.setAttribute(find(disk(), 'target') as Element, 'bus', bus)
    // Its place on the old bus means nothing on the new one.
    const address = find(disk(), 'address')
    if (address) text.remove(address)
  }
  if (readonly === undefined) return
  if (device === 'cdrom' && !readonly)
    throw new SettingsError(`${at}/readonly`, 'a CD-ROM is always read-only')
  const mark = find(disk(), 'readonly')
  if (mark && !readonly) text.remove(mark)
  if (!mark && readonly && device !== 'cdrom')
    text.insert(disk(), '<readonly/>', find(disk(), 'target') ?? null)
}

function changeSource(text: XmlText, target: string, change: DiskChange, device: string): void {
  const at = `/disks/${target}`
  const disk = () => diskOf(text, target)
  const before = attributeOf(disk(), 'type') ?? 'file'
  const { type = before, source } = change
  if (type === before && source === undefined) return
  if (before !== 'file' && before !== 'block')
    throw new SettingsError(`${at}/source`, `it is of type ${before}: change its source in the XML`)
  if (source === null) {
    refuseEmpty(at, device)
    const known = find(disk(), 'source')
    if (known) text.remove(known)
    return
  }
  const name = DISK_SOURCE[type] as string
  const old = find(disk(), 'source')
  const value = source ?? attributeOf(old, DISK_SOURCE[before] as string)
  if (type !== before) text.setAttribute(disk(), 'type', type)
  if (value === null) return
  if (!old)
    text.insert(disk(), `<source ${name}='${encode(value)}'/>`, find(disk(), 'driver') ?? null)
  else {
    if (type !== before)
      text.removeAttribute(find(disk(), 'source') as Element, DISK_SOURCE[before] as string)
    text.setAttribute(find(disk(), 'source') as Element, name, value)
  }
  // What lay below the old file does not lie below the new one.
  const chain = find(disk(), 'backingStore')
  if (chain && source !== undefined && old && attributeOf(old, name) !== value) text.remove(chain)
}

function addDisk(text: XmlText, target: string, change: DiskChange): void {
  const at = `/disks/${target}`
  const { device = 'disk', type = 'file', source = null, format = 'raw', readonly } = change
  if (change.target !== undefined && change.target !== target)
    throw new SettingsError(`${at}/target`, `there is no disk "${target}" to be named anew`)
  if (disksOf(text.root).some((one) => targetOf(one) === target))
    throw new SettingsError(at, `two disks would have the target "${target}"`)
  if (source === null) refuseEmpty(at, device)
  const lines = [
    `<disk type='${type}' device='${device}'>`,
    `  <driver name='qemu' type='${format}'/>`,
    ...(source === null ? [] : [`  <source ${DISK_SOURCE[type]}='${encode(source)}'/>`]),
    `  <target dev='${target}' bus='${change.bus ?? busOf(target)}'/>`,
    ...(readonly || device === 'cdrom' ? ['  <readonly/>'] : []),
    '</disk>',
  ]
  addDevice(text, lines, disksOf(text.root).at(-1))
}

/** A new device behind the last one of its kind, indented as the others are. */
export function addDevice(text: XmlText, lines: readonly string[], behind?: Element): void {
  if (!find(text.root, 'devices')) text.insert(text.root, '<devices/>', text.root.children.at(-1))
  const devices = find(text.root, 'devices') as Element
  const neighbour = behind ?? find(devices, 'emulator') ?? interfacesOf(text.root).at(-1) ?? null
  const { start } = neighbour ?? devices.children[0] ?? devices
  const line = /(?:^|\n)([^\S\n]*)$/.exec(text.text.slice(0, start))?.[1] ?? ''
  const indent = neighbour || devices.children[0] ? line : `${line}  `
  text.insert(devices, lines.join(`\n${indent}`), neighbour)
}

function refuseEmpty(at: string, device: string): void {
  if (device === 'cdrom' || device === 'floppy') return
  throw new SettingsError(`${at}/source`, 'a disk needs a source; only a CD-ROM or floppy has none')
}

const BUSES: readonly (readonly [string, string])[] = [
  ...([
    ['vd', 'virtio'],
    ['hd', 'ide'],
    ['fd', 'fdc'],
  ] as const),
]

const busOf = (target: string): string =>
  BUSES.find(([prefix]) => target.startsWith(prefix))?.[1] ?? 'sata'

function diskOf(text: XmlText, target: string): Element {
  return disksOf(text.root).find((one) => targetOf(one) === target) as Element
}
