/** A change of settings, written into the domain XML where it belongs and nowhere else. */
import type { VmChange, VmSettings } from '../../schema/api/vm-settings.ts'
import { SettingsError } from '../extension.ts'
import { changeBoot } from './boot.ts'
import { changeDisks } from './disks.ts'
import { changeInterfaces } from './interfaces.ts'
import { MIB, readDomain, readSettings, unitBytes } from './settings.ts'
import { all, attributeOf, type Element, find, type XmlText } from './xml-text.ts'

/**
 * @param seed the same for one virtual machine at all times: addresses are made of it
 * @returns the same text, byte for byte, when everything is so already
 * @throws {SettingsError} the XML cannot be read, or the change cannot be
 */
export function withSettings(xml: string, change: VmChange, seed: string): string {
  const text = readDomain(xml)
  const now = readSettings(text.root)
  changeMemory(text, change, now)
  changeCpus(text, change, now)
  changeCpuModel(text, change)
  if (change.firmware !== undefined) changeFirmware(text, change.firmware, now)
  if (change.disks) changeDisks(text, change.disks)
  if (change.interfaces) changeInterfaces(text, change.interfaces, seed)
  if (change.boot) changeBoot(text, change.boot)
  // Whatever was changed together has to make sense together.
  readSettings(text.root)
  return text.text
}

function changeMemory(text: XmlText, change: VmChange, now: VmSettings): void {
  const { currentMemoryMib, memoryMib = now.memoryMib, maxMemoryMib = now.maxMemoryMib } = change
  const named = [change.memoryMib, currentMemoryMib, change.maxMemoryMib]
  if (named.every((one) => one === undefined)) return
  if (memoryMib !== now.memoryMib) refuseCells(text, '/memoryMib', 'memory')
  if (maxMemoryMib !== null && memoryMib > maxMemoryMib)
    throw new SettingsError(
      change.memoryMib === undefined ? '/maxMemoryMib' : '/memoryMib',
      `memory (${memoryMib} MiB) is more than its maximum (${maxMemoryMib} MiB)`,
    )
  if (currentMemoryMib !== undefined && currentMemoryMib > memoryMib)
    throw new SettingsError(
      '/currentMemoryMib',
      `the guest cannot be given more (${currentMemoryMib} MiB) than its memory (${memoryMib} MiB)`,
    )
  if (memoryMib !== now.memoryMib) setSize(text, 'memory', memoryMib, 'name')
  const before = now.currentMemoryMib
  const kept = before === null ? null : partOf(memoryMib, before, now.memoryMib)
  const current = currentMemoryMib ?? kept
  if (current !== null && current !== before) setSize(text, 'currentMemory', current, 'memory')
  if (maxMemoryMib === now.maxMemoryMib) return
  const max = find(text.root, 'maxMemory')
  if (maxMemoryMib === null && max) return text.remove(max)
  if (maxMemoryMib !== null) setSize(text, 'maxMemory', maxMemoryMib, 'name', " slots='16'")
}

/** Who had all of it has all of it; who had less keeps that, as far as there is so much. */
const partOf = (whole: number, part: number, wholeBefore: number): number =>
  part === wholeBefore ? whole : Math.min(part, whole)

/** In the unit that is there, if that gives a whole number. */
function setSize(text: XmlText, name: string, mib: number, behind: string, more = ''): void {
  const element = find(text.root, name)
  if (!element)
    return put(text, `<${name}${more} unit='MiB'>${mib}</${name}>`, [behind, 'name', 'uuid'])
  const count = (mib * MIB) / (unitBytes(attributeOf(element, 'unit')) ?? 0)
  if (Number.isSafeInteger(count)) return text.setText(element, String(count))
  text.setText(element, String(mib))
  text.setAttribute(find(text.root, name) as Element, 'unit', 'MiB')
}

function changeCpus(text: XmlText, change: VmChange, now: VmSettings): void {
  const { cpus = now.cpus, currentCpus, topology = now.topology } = change
  const named = [change.cpus, currentCpus, change.topology]
  if (named.every((one) => one === undefined)) return
  if (cpus !== now.cpus) refuseDivided(text)
  if (topology) refuseMisfit(cpus, topology, change.cpus === undefined ? '/topology' : '/cpus')
  if (currentCpus !== undefined && currentCpus > cpus)
    throw new SettingsError('/currentCpus', `${currentCpus} of ${cpus} CPUs cannot be plugged in`)
  if (cpus !== now.cpus) setOrPut(text, 'vcpu', String(cpus), ['currentMemory', 'memory', 'name'])
  const before = now.currentCpus
  const current = currentCpus ?? (before === null ? null : partOf(cpus, before, now.cpus))
  if (current !== null && current !== (before ?? cpus)) {
    if (!find(text.root, 'vcpu')) setOrPut(text, 'vcpu', String(cpus), ['currentMemory', 'memory'])
    text.setAttribute(find(text.root, 'vcpu') as Element, 'current', String(current))
  }
  if (change.topology !== undefined) setTopology(text, change.topology)
}

function refuseDivided(text: XmlText): void {
  refuseCells(text, '/cpus', 'CPUs')
  if (find(text.root, 'vcpus'))
    throw new SettingsError('/cpus', 'each CPU has settings of its own (<vcpus>): change the XML')
}

function refuseMisfit(cpus: number, of: NonNullable<VmSettings['topology']>, at: string): void {
  const all = of.sockets * of.dies * of.cores * of.threads
  if (all !== cpus)
    throw new SettingsError(
      at,
      `${cpus} CPUs do not fit the topology, which has ${all}: ${of.sockets} sockets, ` +
        `${of.cores} cores, ${of.threads} threads`,
    )
}

function setTopology(text: XmlText, topology: VmSettings['topology']): void {
  const known = () => find(text.root, 'cpu', 'topology')
  const before = known()
  if (topology === null) return before && text.remove(before)
  if (!before) {
    const cpu = cpuOf(text)
    text.insert(cpu, '<topology/>', find(cpu, 'vendor') ?? find(cpu, 'model') ?? null)
  }
  for (const [name, value] of Object.entries(topology)) {
    const element = known() as Element
    // Dies are for those who say so.
    if (name !== 'dies' || value !== 1 || element.attributes.has('dies'))
      text.setAttribute(element, name, String(value))
  }
}

function changeCpuModel(text: XmlText, { cpuMode, cpuModel }: VmChange): void {
  if (cpuMode === undefined && cpuModel === undefined) return
  if (cpuModel !== undefined && cpuMode !== undefined && cpuMode !== 'custom')
    throw new SettingsError('/cpuModel', `CPU mode ${cpuMode} has no model to be chosen`)
  const model = () => find(text.root, 'cpu', 'model')
  if (cpuModel === undefined && cpuMode === 'custom' && !model())
    throw new SettingsError('/cpuModel', 'CPU mode custom needs a model')
  const mode = cpuModel === undefined ? cpuMode : 'custom'
  // A model without a mode is custom too.
  const before = attributeOf(find(text.root, 'cpu'), 'mode') ?? (model() ? 'custom' : null)
  if (mode !== 'custom') removeModel(text)
  else if (cpuModel !== undefined) {
    const known = model()
    if (known) text.setText(known, cpuModel)
    else text.insert(cpuOf(text), `<model fallback='forbid'>${cpuModel}</model>`)
  }
  const cpu = find(text.root, 'cpu')
  if (mode === before || (mode === null && !cpu)) return
  if (mode === null) text.removeAttribute(cpu as Element, 'mode')
  else text.setAttribute(cpuOf(text), 'mode', mode as string)
}

function removeModel(text: XmlText): void {
  const model = find(text.root, 'cpu', 'model')
  if (!model) return
  text.remove(model)
  text.removeAttribute(cpuOf(text), 'match')
}

/** `<cpu>`, made where there is none. */
function cpuOf(text: XmlText): Element {
  if (!find(text.root, 'cpu')) put(text, '<cpu/>', ['features', 'os', 'vcpu', 'memory', 'name'])
  return find(text.root, 'cpu') as Element
}

function changeFirmware(text: XmlText, firmware: 'bios' | 'efi', now: VmSettings): void {
  if (firmware === now.firmware) return
  if (now.firmware === 'loader')
    throw new SettingsError('/firmware', 'its firmware is a file (<loader>): change the XML')
  const os = () => find(text.root, 'os')
  const found = os()
  if (!found) throw new SettingsError('/firmware', 'the domain has no <os>')
  if (firmware === 'efi') return text.setAttribute(found, 'firmware', 'efi')
  text.removeAttribute(found, 'firmware')
  for (const name of ['firmware', 'loader', 'nvram'])
    for (let one = find(os(), name); one; one = find(os(), name)) text.remove(one)
}

/** What is divided among NUMA cells cannot be changed as one number. */
function refuseCells(text: XmlText, pointer: string, what: string): void {
  if (all(find(text.root, 'cpu', 'numa'), 'cell').length > 0)
    throw new SettingsError(pointer, `${what} are divided among NUMA cells: change the XML`)
}

function setOrPut(text: XmlText, name: string, value: string, behind: readonly string[]): void {
  const element = find(text.root, name)
  if (element) text.setText(element, value)
  else put(text, `<${name}>${value}</${name}>`, behind)
}

/** Into the domain, behind the first of these that there is. */
function put(text: XmlText, xml: string, behind: readonly string[]): void {
  const neighbour = behind.map((name) => find(text.root, name)).find((one) => one !== undefined)
  text.insert(text.root, xml, neighbour ?? null)
}
