import { SettingsError } from '../extension.ts'
import { BOOT_KINDS, bootPlaces, disksOf, interfacesOf, targetOf } from './settings.ts'
import { all, type Element, find, type XmlText } from './xml-text.ts'

/** libvirt has two ways to say it, and takes only one of them at a time. */
export function changeBoot(text: XmlText, order: readonly string[]): void {
  const twice = order.find((one, at) => order.indexOf(one) !== at)
  if (twice) throw new SettingsError('/boot', `"${twice}" is named twice`)
  const devices = bootable(text.root)
  const unknown = order.find((one) => !BOOT_KINDS.includes(one) && !devices.has(one))
  if (unknown !== undefined)
    throw new SettingsError(
      '/boot',
      `there is no boot device "${unknown}"; there are ${[...BOOT_KINDS, ...devices.keys()].join(', ')}`,
    )
  const kinds = order.filter((one) => BOOT_KINDS.includes(one))
  if (kinds.length > 0 && kinds.length < order.length)
    throw new SettingsError(
      '/boot',
      `kinds (${kinds.join(', ')}) and names of devices cannot stand in one order`,
    )
  const foreign = bootPlaces(text.root).find(({ device }) => !OURS.includes(device.name))
  if (foreign)
    throw new SettingsError(
      '/boot',
      `a <${foreign.device.name}> has a place in the boot order: change the XML`,
    )
  if (kinds.length > 0) byKind(text, kinds)
  else byDevice(text, order)
}

const OURS = ['disk', 'interface']

function bootable(domain: Element): Map<string, Element> {
  return new Map([
    ...disksOf(domain).map((disk) => [targetOf(disk), disk] as const),
    ...interfacesOf(domain).map((one, n) => [`net${n}`, one] as const),
  ])
}

function byKind(text: XmlText, kinds: readonly string[]): void {
  for (let [first] = bootPlaces(text.root); first; [first] = bootPlaces(text.root))
    text.remove(find(first.device, 'boot') as Element)
  const boots = () => all(find(text.root, 'os'), 'boot')
  if (!find(text.root, 'os')) throw new SettingsError('/boot', 'the domain has no <os>')
  for (const [at, kind] of kinds.entries()) {
    const known = boots()[at]
    if (known) text.setAttribute(known, 'dev', kind)
    else {
      const os = find(text.root, 'os') as Element
      text.insert(os, `<boot dev='${kind}'/>`, boots().at(-1) ?? os.children.at(-1) ?? null)
    }
  }
  for (let more = boots()[kinds.length]; more; more = boots()[kinds.length]) text.remove(more)
}

function byDevice(text: XmlText, order: readonly string[]): void {
  const kinds = () => all(find(text.root, 'os'), 'boot')
  for (let [first] = kinds(); first; [first] = kinds()) text.remove(first)
  for (const name of bootable(text.root).keys()) {
    const place = order.indexOf(name) + 1
    const device = bootable(text.root).get(name) as Element
    const known = find(device, 'boot')
    if (known && place === 0) text.remove(known)
    else if (known) text.setAttribute(known, 'order', String(place))
    else if (place > 0) text.insert(device, `<boot order='${place}'/>`, lastPart(device))
  }
}

/** Behind what says which device it is. */
const lastPart = (device: Element): Element | null =>
  find(device, 'model') ?? find(device, 'target') ?? find(device, 'source') ?? null
