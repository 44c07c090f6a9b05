import type { TypeView } from '../../schema/api/types.ts'
import {
  controlViews,
  jsonSchemaOf,
  RESOURCE_TYPES,
  typeInfo,
} from '../../schema/resource-types/index.ts'
import type { ClusterState } from './decision.ts'
import { Draft } from './draft.ts'
import { whyNotHosted } from './eligibility.ts'

/** Without what only the surface knows: whether there is a management extension. */
export type CatalogueEntry = Omit<TypeView, 'managed'>

/** The catalogue (S-55): types that come with the probe, then the cluster's own, each with who has it. */
export function typeViews(state: ClusterState): CatalogueEntry[] {
  const draft = new Draft(state, 0, '')
  const own = [...state.hive.types.keys()].sort()
  return [...RESOURCE_TYPES.keys(), ...own].flatMap((type) => {
    const info = typeInfo(state.hive.types, type)
    return info ? [viewOf(draft, info)] : []
  })
}

function viewOf(draft: Draft, info: NonNullable<ReturnType<typeof typeInfo>>): CatalogueEntry {
  const { type, title, host } = info
  const nodes: string[] = []
  const unable: { node: string; why: string }[] = []
  const versions = new Set((draft.type(type)?.versions ?? []).map((v) => v.version))
  for (const node of draft.nodes()) {
    const hosted = node.types.find((t) => t.type === type)
    if (!hosted) continue
    const why = whyNotHosted(draft, node, type)
    if (why === null) nodes.push(node.name)
    else unable.push({ node: node.name, why: why.replace(/^: /, '') })
    if (!draft.type(type)) versions.add(hosted.version)
  }
  const shipped = RESOURCE_TYPES.has(type)
  const properties = jsonSchemaOf(draft.typesByName, info)
  const controls = controlViews(info)
  return {
    type,
    title,
    host,
    shipped,
    versions: [...versions],
    properties,
    controls,
    nodes,
    unable,
  }
}
