import { type Hive, toDocument } from '../../schema/hive.ts'
import { LIMITS } from '../../schema/limits.ts'

/** Database Manager: when the journal has grown enough for a new snapshot to bound it. */
export function snapshotDue(seq: number, lastSnapshotSeq: number): boolean {
  return lastSnapshotSeq === 0 ? seq >= 1 : seq - lastSnapshotSeq >= LIMITS.snapshotEvery
}

type Json = string | number | boolean | null | Json[] | { [key: string]: Json }

/**
 * The hive as the key-value tree that operators of HKLM\Cluster know (S-63), for example
 * `/Cluster/Resources/{guid}/PersistentState`. There is no Status key (S-65).
 */
export function hiveTree(hive: Hive): Json {
  const document = toDocument(hive)
  const { cluster } = document
  return {
    Cluster: {
      Name: cluster?.name ?? null,
      ClusterGuid: cluster?.id ?? null,
      Profile: cluster?.profile ?? null,
      View: cluster?.view ?? 0,
      Nodes: table(document.nodes),
      Groups: table(document.groups),
      Resources: table(document.resources),
      Rules: table(document.rules),
      ResourceTypes: Object.fromEntries(
        document.types.map((row) => [row.manifest.type, capitalized(row)]),
      ),
    },
  }
}

/** One key of the tree, or undefined. */
export function hiveKey(hive: Hive, path: string): Json | undefined {
  let at: Json | undefined = hiveTree(hive)
  for (const key of path.split('/').filter((part) => part !== '')) {
    if (at === null || typeof at !== 'object' || Array.isArray(at)) return undefined
    at = Object.hasOwn(at, key) ? at[key] : undefined
  }
  return at
}

function table(rows: readonly { id: string }[]): Json {
  return Object.fromEntries(rows.map((row) => [row.id, capitalized(row)]))
}

/** Keys in the tree are written as the field writes them: `PersistentState`, not camelCase. */
function capitalized(row: object): Json {
  return Object.fromEntries(
    Object.entries(row).map(([key, value]) => [
      key.charAt(0).toUpperCase() + key.slice(1),
      value as Json,
    ]),
  )
}
