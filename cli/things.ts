/** Finding what a name means: a node, a group or a resource, by name, GUID or unique beginning. */
import type { ClusterView, GroupView, NodeView, ResourceView } from '../schema/api/bodies.ts'
import { HoldfastError } from '../schema/errors.ts'
import { nearest } from './suggest.ts'

export type Kind = 'node' | 'group' | 'resource'
export const KINDS: readonly Kind[] = ['group', 'resource', 'node']

export type Thing =
  | { kind: 'node'; node: NodeView }
  | { kind: 'group'; group: GroupView }
  | { kind: 'resource'; resource: ResourceView }

interface Named {
  readonly id: string
  readonly name: string
}

export function thingsIn(view: ClusterView, kind: Kind): readonly Named[] {
  if (kind === 'node') return view.nodes
  if (kind === 'group') return view.groups
  return view.groups.flatMap((group) => group.resources)
}

/** What begins with these letters, regardless of case. */
export function beginningWith(known: readonly Named[], typed: string): Named[] {
  const start = typed.toLowerCase()
  return known.filter((one) => one.name.toLowerCase().startsWith(start))
}

/**
 * For commands that only look. `kind/name` says which is meant; without it a group comes before a
 * resource of the same name, since it says more.
 *
 * @throws {HoldfastError} NOT_FOUND with near names, or BAD_REQUEST when a beginning fits several
 */
export function findThing(view: ClusterView, typed: string): Thing {
  const [, said, rest] = /^(node|group|resource)\/(.+)$/.exec(typed) ?? []
  const kinds = said ? [said as Kind] : KINDS
  const name = rest ?? typed
  for (const kind of kinds) {
    const exact = thingsIn(view, kind).find((one) => one.id === name || one.name === name)
    if (exact) return asThing(view, kind, exact.id)
  }
  const begun = kinds.flatMap((kind) =>
    beginningWith(thingsIn(view, kind), name).map((one) => ({ kind, ...one })),
  )
  const [first] = begun
  if (!first) throw noThing(view, kinds, name)
  if (new Set(begun.map((one) => one.name)).size > 1) throw several(name, begun)
  return asThing(view, first.kind, first.id)
}

export const nameOf = (thing: Thing): string => named(thing).name
export const idOf = (thing: Thing): string => named(thing).id

function named(thing: Thing): Named {
  if (thing.kind === 'node') return thing.node
  return thing.kind === 'group' ? thing.group : thing.resource
}

function asThing(view: ClusterView, kind: Kind, id: string): Thing {
  const of = <T extends Named>(all: readonly T[]) => all.find((one) => one.id === id) as T
  if (kind === 'node') return { kind, node: of(view.nodes) }
  if (kind === 'group') return { kind, group: of(view.groups) }
  return { kind, resource: of(view.groups.flatMap((group) => group.resources)) }
}

function noThing(view: ClusterView, kinds: readonly Kind[], name: string): HoldfastError {
  const known = kinds.flatMap((kind) => thingsIn(view, kind).map((one) => one.name))
  const near = nearest(name, known)
  return new HoldfastError({
    code: 'NOT_FOUND',
    message: `there is no ${kinds.join(', ').replace(/, ([^,]+)$/, ' or $1')} "${name}"`,
    why: kinds.map((kind) => `${kind}s: ${namesOf(thingsIn(view, kind))}`).join('; '),
    remedy: near ? `did you mean "${near}"?` : 'List what there is: holdfast status',
  })
}

export function several(name: string, fitting: readonly Named[]): HoldfastError {
  return new HoldfastError({
    code: 'BAD_REQUEST',
    message: `"${name}" may mean several things`,
    why: `It is the beginning of ${namesOf(fitting)}.`,
    remedy: 'Write more of the name.',
  })
}

const NAMES_SHOWN = 10

export function namesOf(known: readonly Named[]): string {
  const names = [...new Set(known.map((one) => one.name))]
  const more = names.length > NAMES_SHOWN ? ', …' : ''
  return names.length === 0 ? 'none' : names.slice(0, NAMES_SHOWN).join(', ') + more
}
