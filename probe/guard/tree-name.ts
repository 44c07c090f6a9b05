import { identityOf } from '../gate/proc.ts'

/** Names this guard among all guards of this boot: a pid alone comes back. */
export const GUARD_NAME = `${process.pid}-${identityOf(process.pid)?.startTicks ?? 0}`

/** Kill group of the guard and its children that hold no workload. */
export const TREE_GROUP = `tree-${GUARD_NAME}`
