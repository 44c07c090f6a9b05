/**
 * A Pacemaker cluster as a configuration document. What has no counterpart is listed, and nothing is
 * dropped in silence.
 */
import type { ConfigText } from '../../schema/api/config.ts'
import { child, childrenOf, type Element, pairs, parseCib } from './cib.ts'
import { convertConstraints } from './constraints.ts'
import { convertResources } from './resources.ts'

export interface Missed {
  /** The element of the CIB, e.g. `rsc_location`. */
  readonly what: string
  readonly id: string
  readonly why: string
}

export interface Imported {
  readonly config: ConfigText
  readonly unmapped: readonly Missed[]
  /** Hosts that have to join by these names. */
  readonly nodes: readonly string[]
}

type Groups = NonNullable<ConfigText['groups']>
type Rules = NonNullable<ConfigText['rules']>

/** What has been found so far. */
export class Found {
  readonly groups: Groups = {}
  readonly rules: Rules = {}
  readonly unmapped: Missed[] = []
  readonly nodes: string[] = []
  /** Id of a primitive or group of Pacemaker → our group. */
  readonly inGroup = new Map<string, string>()
  readonly stickiness = new Map<string, number>()
  readonly #names = new Map<string, string>()

  miss(what: string, id: string, why: string): void {
    this.unmapped.push({ what, id, why })
  }

  /** A name that can be one here, and the same for the same id. */
  name(id: string): string {
    const known = this.#names.get(id)
    if (known !== undefined) return known
    const plain = id.replace(/[^A-Za-z0-9._-]/g, '-').replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '')
    const taken = new Set(this.#names.values())
    let name = plain.slice(0, 60) || 'unnamed'
    for (let n = 2; taken.has(name); n += 1) name = `${plain.slice(0, 55)}-${n}`
    this.#names.set(id, name)
    return name
  }

  node(uname: string): string {
    if (!this.nodes.includes(uname)) this.nodes.push(uname)
    return uname
  }
}

/** Properties that need no counterpart, or of which the document says what matters. */
const KNOWN_PROPERTIES = new Set([
  ...['have-watchdog', 'dc-version', 'cluster-infrastructure', 'cluster-name', 'last-lrm-refresh'],
  ...['no-quorum-policy', 'symmetric-cluster', 'stonith-enabled'],
])

/** @throws {HoldfastError} BAD_REQUEST: it is no CIB */
export function importPacemaker(text: string, file: string): Imported {
  const configuration = parseCib(text, file)
  const found = new Found()
  for (const { attributes } of childrenOf(child(configuration, 'nodes'), 'node'))
    found.node(attributes['uname'] ?? attributes['id'] ?? '?')
  properties(configuration, found)
  convertResources(configuration, found)
  convertConstraints(configuration, found)
  const { groups, rules, unmapped, nodes } = found
  return { config: { groups, ...(Object.keys(rules).length > 0 && { rules }) }, unmapped, nodes }
}

function properties(configuration: Element, found: Found): void {
  const config = child(configuration, 'crm_config')
  const set = config ? pairs(config, 'cluster_property_set') : new Map<string, string>()
  for (const [name, value] of set)
    if (!KNOWN_PROPERTIES.has(name)) found.miss('property', name, value)
  if (set.get('stonith-enabled') === 'true')
    found.miss(
      'property',
      'stonith-enabled',
      'holdfast fence add for each node, then takeover: fence',
    )
  if (set.get('symmetric-cluster') === 'false')
    found.miss('property', 'symmetric-cluster', 'false: give each resource its possibleOwners')
}
