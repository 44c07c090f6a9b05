/** Which files of the host a domain names. Pure. */
import { XMLParser } from 'fast-xml-parser'
import { allows } from '../../schema/host-policy.ts'

type Node = { [key: string]: unknown }

/** libvirt's own folder: what a host allows when its policy says nothing of paths. */
export const DEFAULT_PATHS: readonly string[] = ['/var/lib/libvirt/images/*']

/** Devices of the host itself, which no path names. */
const HOST_DEVICES = new Set(['hostdev', 'filesystem', 'tpm', 'smartcard', 'redirdev'])

/**
 * Why the host policy does not allow this domain, or null. Every absolute path anywhere in it has
 * to be allowed, whatever element it stands in: a list of the elements that matter would be
 * outrun by libvirt's next version.
 */
export function pathProblem(xml: string, patterns: readonly string[]): string | null {
  if (xml.includes('&#')) return 'a character reference could hide a path: write it out'
  const tree = new XMLParser({
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    processEntities: true,
    parseTagValue: false,
    parseAttributeValue: false,
  }).parse(xml) as Node
  for (const { path, tag } of mentions(tree, '')) {
    if (HOST_DEVICES.has(tag)) return `<${tag}> hands a device of the host to the guest`
    if (path === null) continue
    if (path.split('/').includes('..')) return `"${path}" leaves its folder`
    if (!allows(patterns, path)) return `"${path}" is not among the paths that this host allows`
  }
  return null
}

function* mentions(value: unknown, tag: string): Generator<{ path: string | null; tag: string }> {
  if (typeof value === 'string') {
    if (value.trim().startsWith('/')) yield { path: value.trim(), tag }
    return
  }
  if (Array.isArray(value)) {
    for (const item of value) yield* mentions(item, tag)
    return
  }
  if (value === null || typeof value !== 'object') return
  for (const [key, child] of Object.entries(value)) {
    // The emulator is replaced by the gate; metadata is only kept.
    if (key === 'emulator' || key === 'metadata') continue
    const name = key.startsWith('@') || key === '#text' ? tag : key.slice(key.indexOf(':') + 1)
    if (!key.startsWith('@') && HOST_DEVICES.has(name)) yield { path: null, tag: name }
    yield* mentions(child, name)
  }
}
