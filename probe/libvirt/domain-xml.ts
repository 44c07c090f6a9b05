/** Domain XML as the cluster defines it. Pure: text in, text or facts out. */
import { XMLBuilder, XMLParser, XMLValidator } from 'fast-xml-parser'

export interface PreparedDomain {
  readonly xml: string
  readonly uuid: string
  readonly facts: DomainFacts
}

/** What must be the same in libvirt's definition and in ours. */
export interface DomainFacts {
  readonly name: string
  readonly uuid: string
  readonly emulator: string
  readonly onCrash: string
  readonly memoryBytes: number
  readonly processors: number
  readonly files: readonly DomainFile[]
}

export interface DomainFile {
  readonly path: string
  readonly writable: boolean
}

/** With `preserveOrder` an element is an object with one key, its children an array. */
type Node = Record<string, unknown>

const ATTRIBUTES = ':@'
const OPTIONS = {
  preserveOrder: true,
  ignoreAttributes: false,
  attributeNamePrefix: '',
  parseTagValue: false,
  parseAttributeValue: false,
  trimValues: false,
  // Text goes out as it came in; entities are never expanded while parsing.
  processEntities: false,
  cdataPropName: '#cdata',
  commentPropName: '#comment',
} as const

/**
 * Elements that name a program of the host to be run, or hand raw arguments to the emulator. The
 * host policy allows domains by name; without this the name would be a root shell (DESIGN 8).
 */
const RUNS_PROGRAMS = new Set(['script', 'downscript', 'binary', 'commandline'])
const VENDOR_NAMESPACE = /libvirt\.org\/schemas\/domain\//

/**
 * The definition for this host: the emulator is the gate (G4 b), a crashed guest ends (so that it
 * can be started again), the UUID is the same on all hosts.
 *
 * @throws {Error} not a domain, another name, or it would run programs of the host
 */
export function prepareDomainXml(
  xml: string,
  wanted: { readonly name: string; readonly uuid: string; readonly emulator: string },
): PreparedDomain {
  const document = parse(xml)
  const domain = domainOf(document)
  refuseHostPrograms(domain)
  const name = textOf(domain, 'name')
  if (name !== null && name !== wanted.name)
    throw new Error(`the XML is of domain "${name}", the resource is of "${wanted.name}"`)
  const uuid = textOf(domain, 'uuid')?.toLowerCase() ?? wanted.uuid
  setText(domain, 'name', wanted.name)
  setText(domain, 'uuid', uuid)
  setText(domain, 'on_crash', 'destroy')
  if (find(domain, 'devices') === undefined) domain.push({ devices: [] })
  for (const devices of all(domain, 'devices')) removeAll(devices, 'emulator')
  setText(find(domain, 'devices') ?? [], 'emulator', wanted.emulator)
  const text = String(
    new XMLBuilder({ ...OPTIONS, suppressBooleanAttributes: false }).build(document),
  )
  return { xml: text, uuid, facts: factsOf(domain) }
}

/** The same domain with another emulator: each host has a gate of its own. */
export function withEmulator(xml: string, emulator: string): string {
  const document = parse(xml)
  const domain = domainOf(document)
  setText(find(domain, 'devices') ?? [], 'emulator', emulator)
  return String(new XMLBuilder({ ...OPTIONS, suppressBooleanAttributes: false }).build(document))
}

/** @throws {Error} not a domain */
export function readDomainFacts(xml: string): DomainFacts {
  return factsOf(domainOf(parse(xml)))
}

/** What differs, in words for the operator. Empty: equal in all that matters. */
export function domainDifferences(wanted: DomainFacts, found: DomainFacts): readonly string[] {
  const differences: string[] = []
  for (const key of ['name', 'uuid', 'emulator', 'onCrash', 'memoryBytes', 'processors'] as const)
    if (wanted[key] !== found[key])
      differences.push(`${key} is "${found[key]}" instead of "${wanted[key]}"`)
  const paths = (facts: DomainFacts) => facts.files.map((f) => f.path).sort()
  if (paths(wanted).join('\n') !== paths(found).join('\n'))
    differences.push(
      `files are "${paths(found).join(', ')}" instead of "${paths(wanted).join(', ')}"`,
    )
  return differences
}

function parse(xml: string): Node[] {
  if (/<!DOCTYPE/i.test(xml)) throw new Error('the domain XML must not have a document type')
  const valid = XMLValidator.validate(xml)
  if (valid !== true) throw new Error(`the domain XML is not well-formed: ${valid.err.msg}`)
  return new XMLParser(OPTIONS).parse(xml) as Node[]
}

function domainOf(document: Node[]): Node[] {
  const domain = find(document, 'domain')
  if (domain === undefined) throw new Error('the XML is not of a libvirt domain')
  const root = document.find((node) => 'domain' in node)
  for (const [key, value] of Object.entries(attributesOf(root)))
    if (key.startsWith('xmlns') && VENDOR_NAMESPACE.test(value))
      throw new Error(`the domain XML may not use "${value}": it reaches past libvirt`)
  return domain
}

function refuseHostPrograms(nodes: readonly Node[]): void {
  for (const node of nodes) {
    for (const [tag, children] of Object.entries(node)) {
      if (tag === ATTRIBUTES || !Array.isArray(children)) continue
      // Metadata is for others; libvirt only keeps it.
      if (tag === 'metadata') continue
      const local = tag.slice(tag.indexOf(':') + 1)
      if (RUNS_PROGRAMS.has(local))
        throw new Error(`the domain XML may not have <${tag}>: it runs a program on the host`)
      if (Object.keys(attributesOf(node)).some((key) => key.startsWith('xmlns')))
        throw new Error(`the domain XML may not have a namespace at <${tag}>`)
      refuseHostPrograms(children as Node[])
    }
  }
}

function factsOf(domain: readonly Node[]): DomainFacts {
  const devices = find(domain, 'devices') ?? []
  const memory = domain.find((node) => 'memory' in node)
  return {
    name: textOf(domain, 'name') ?? '',
    uuid: textOf(domain, 'uuid')?.toLowerCase() ?? '',
    emulator: textOf(devices, 'emulator') ?? '',
    onCrash: textOf(domain, 'on_crash') ?? 'destroy',
    memoryBytes: bytesOf(textOf(domain, 'memory') ?? '0', attributesOf(memory)['unit'] ?? 'KiB'),
    processors: Number(textOf(domain, 'vcpu') ?? '1'),
    files: [...bootFiles(domain), ...diskFiles(devices)],
  }
}

function bootFiles(domain: readonly Node[]): DomainFile[] {
  const os = find(domain, 'os') ?? []
  return ['kernel', 'initrd', 'dtb', 'loader']
    .map((tag) => textOf(os, tag))
    .filter((path): path is string => path?.startsWith('/') === true)
    .map((path) => ({ path, writable: false }))
}

function diskFiles(devices: readonly Node[]): DomainFile[] {
  const files: DomainFile[] = []
  for (const node of devices) {
    const disk = node['disk'] as Node[] | undefined
    if (disk === undefined) continue
    const source = attributesOf(disk.find((child) => 'source' in child))
    const path = source['file'] ?? source['dev']
    // The administrator said that the guest may start without it.
    if (path === undefined || source['startupPolicy'] === 'optional') continue
    const cdrom = attributesOf(node)['device'] === 'cdrom'
    files.push({ path, writable: !cdrom && find(disk, 'readonly') === undefined })
  }
  return files
}

/** libvirt's units: KB is 1000, KiB and K are 1024. */
function bytesOf(text: string, unit: string): number {
  const [, prefix = '', decimal] = /^([kmgtpe]?)(b?)$/i.exec(unit.replace(/^(b|bytes)$/i, '')) ?? []
  const binary = /^([kmgtpe])ib$/i.exec(unit)?.[1]
  const power = 'kmgtpe'.indexOf((binary ?? prefix).toLowerCase() || '-') + 1
  return Number(text) * (binary === undefined && decimal ? 1000 : 1024) ** power
}

function all(nodes: readonly Node[], tag: string): Node[][] {
  return nodes.filter((node) => tag in node).map((node) => node[tag] as Node[])
}

function find(nodes: readonly Node[], tag: string): Node[] | undefined {
  return all(nodes, tag)[0]
}

function removeAll(nodes: Node[], tag: string): void {
  for (let at = nodes.length - 1; at >= 0; at--) if (tag in (nodes[at] ?? {})) nodes.splice(at, 1)
}

function setText(nodes: Node[], tag: string, text: string): void {
  const at = nodes.findIndex((node) => tag in node)
  removeAll(nodes, tag)
  nodes.splice(at < 0 ? 0 : at, 0, { [tag]: [{ '#text': encode(text) }] })
}

function textOf(nodes: readonly Node[], tag: string): string | null {
  const children = find(nodes, tag)
  if (children === undefined) return null
  const text = children.map((child) => ('#text' in child ? decode(String(child['#text'])) : ''))
  return text.join('').trim()
}

function attributesOf(node: Node | undefined): Record<string, string> {
  const raw = (node?.[ATTRIBUTES] ?? {}) as Record<string, unknown>
  return Object.fromEntries(Object.entries(raw).map(([key, value]) => [key, decode(String(value))]))
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decode(text: string): string {
  return text.replace(/&(#x[0-9a-f]+|#[0-9]+|[a-z]+);/gi, (all, name: string) => {
    if (name.startsWith('#x')) return String.fromCodePoint(Number.parseInt(name.slice(2), 16))
    if (name.startsWith('#')) return String.fromCodePoint(Number(name.slice(1)))
    return ENTITIES[name] ?? all
  })
}

function encode(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
