import type { InterfaceChange, VmChange } from '../../schema/api/vm-settings.ts'
import { fingerprint } from '../../schema/fingerprint.ts'
import { SettingsError } from '../extension.ts'
import { addDevice } from './disks.ts'
import { INTERFACE_SOURCE, interfacesOf } from './settings.ts'
import { attributeOf, type Element, encode, find, type XmlText } from './xml-text.ts'

type Changes = NonNullable<VmChange['interfaces']>

export function changeInterfaces(text: XmlText, changes: Changes, seed: string): void {
  const macs = interfacesOf(text.root).map(macOf)
  const named = Object.entries(changes).map(([name, change]) => {
    const lower = name.toLowerCase()
    const at = lower.startsWith('net') ? Number(lower.slice(3)) : macs.indexOf(lower)
    return { name, lower, change, at: at >= 0 && at < macs.length ? at : -1 }
  })
  for (const { name, at } of named)
    if (at >= 0 && named.filter((one) => one.at === at).length > 1)
      throw new SettingsError(`/interfaces/${name}`, `"${name}" is named twice`)
  for (const { name, change, at } of named)
    if (at >= 0 && change) changeInterface(text, name, at, change)
    else if (at < 0 && change === null)
      throw new SettingsError(
        `/interfaces/${name}`,
        `there is no interface "${name}" to be removed`,
      )
  const gone = named.filter((one) => one.change === null).map((one) => one.at)
  for (const at of gone.sort((a, b) => b - a)) text.remove(interfacesOf(text.root)[at] as Element)
  const added = named.filter((one) => one.at < 0).sort((a, b) => (a.lower < b.lower ? -1 : 1))
  for (const [n, { name, lower, change }] of added.entries()) {
    const next = `net${macs.length + n}`
    if (lower.startsWith('net') && lower !== next)
      throw new SettingsError(`/interfaces/${name}`, `there is no "${name}"; the next is "${next}"`)
    const own = lower.startsWith('net') ? freeMac(text, seed, next) : lower
    addInterface(text, name, { mac: own, ...change })
  }
  refuseTwins(text)
}

function changeInterface(text: XmlText, name: string, at: number, change: InterfaceChange): void {
  const one = () => interfacesOf(text.root)[at] as Element
  const { type, source, mac, model } = change
  if (type !== undefined || source !== undefined) changeSource(text, name, at, change)
  if (mac !== undefined && mac !== macOf(one())) {
    const known = find(one(), 'mac')
    if (known) text.setAttribute(known, 'address', mac)
    else text.insert(one(), `<mac address='${mac}'/>`)
  }
  if (model === undefined) return
  const known = find(one(), 'model')
  if (known) text.setAttribute(known, 'type', model)
  else
    text.insert(
      one(),
      `<model type='${model}'/>`,
      find(one(), 'source') ?? find(one(), 'mac') ?? null,
    )
}

function changeSource(text: XmlText, name: string, at: number, change: InterfaceChange): void {
  const pointer = `/interfaces/${name}/source`
  const one = () => interfacesOf(text.root)[at] as Element
  const before = attributeOf(one(), 'type') ?? 'user'
  const { type = before, source } = change
  const [was, is] = [INTERFACE_SOURCE[before], INTERFACE_SOURCE[type]]
  if (was === undefined || is === undefined)
    throw new SettingsError(pointer, `it is of type ${before}: change its source in the XML`)
  const element = find(one(), 'source')
  const value = source ?? (type === before && was ? attributeOf(element, was) : null)
  refuseSource(pointer, type, value)
  if (type === before) {
    if (is && element) text.setAttribute(element, is, value ?? '')
    else if (is) text.insert(one(), sourceXml(type, value), find(one(), 'mac') ?? null)
    return
  }
  if (element) text.remove(element)
  // What is below it, and how it was named on the host, are of the old type.
  text.setAttribute(one(), 'type', type)
  if (is) text.insert(one(), sourceXml(type, value), find(one(), 'mac') ?? null)
}

function addInterface(text: XmlText, name: string, change: InterfaceChange): void {
  const { type = 'network', source = null, mac = '', model = 'virtio' } = change
  refuseSource(`/interfaces/${name}/source`, type, source)
  const lines = [
    `<interface type='${type}'>`,
    `  <mac address='${mac}'/>`,
    ...(INTERFACE_SOURCE[type] ? [`  ${sourceXml(type, source)}`] : []),
    `  <model type='${model}'/>`,
    '</interface>',
  ]
  addDevice(text, lines, interfacesOf(text.root).at(-1) ?? lastDisk(text))
}

function sourceXml(type: string, value: string | null): string {
  const mode = type === 'direct' ? " mode='bridge'" : ''
  return `<source ${INTERFACE_SOURCE[type]}='${encode(value ?? '')}'${mode}/>`
}

function refuseSource(pointer: string, type: string, value: string | null): void {
  const needs = INTERFACE_SOURCE[type] !== null
  if (needs && !value)
    throw new SettingsError(pointer, `an interface of type ${type} needs a source`)
  if (!needs && value)
    throw new SettingsError(pointer, `an interface of type ${type} has no source`)
}

function refuseTwins(text: XmlText): void {
  const macs = interfacesOf(text.root).map(macOf)
  const twin = macs.find((mac, at) => mac !== null && macs.indexOf(mac) !== at)
  if (twin) throw new SettingsError('/interfaces', `two interfaces would have the address ${twin}`)
}

/**
 * The same on every host, so that the guest knows its interface again, and another one for another
 * virtual machine.
 */
function freeMac(text: XmlText, seed: string, name: string): string {
  const taken = interfacesOf(text.root).map(macOf)
  for (let n = 0; ; n++) {
    const digits = fingerprint([seed, name, n]).slice(0, 6)
    const mac = `52:54:00:${digits.replace(/(..)(..)(..)/, '$1:$2:$3')}`
    if (!taken.includes(mac)) return mac
  }
}

const macOf = (one: Element): string | null =>
  attributeOf(find(one, 'mac'), 'address')?.toLowerCase() ?? null

const lastDisk = (text: XmlText): Element | undefined =>
  find(text.root, 'devices')
    ?.children.filter((one) => one.name === 'disk')
    .at(-1)
