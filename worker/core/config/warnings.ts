/** What an operator would point out about a configuration, though it can be. */
import type { PlanView } from '../../../schema/api/config.ts'
import type { Group, Node } from '../../../schema/hive.ts'
import type { ClusterState } from '../decision.ts'
import { Draft } from '../draft.ts'
import { whyNotHosted } from '../eligibility.ts'

type Warning = PlanView['warnings'][number]

/** @param changedWhileUp resources that run, and whose properties are changed */
export function warningsOf(
  state: ClusterState,
  nowMs: number,
  changedWhileUp: readonly string[] = [],
): Warning[] {
  const draft = new Draft(state, nowMs, '')
  return [
    ...draft.groups().flatMap((group) => onlyPlace(draft, group)),
    ...withoutFence(draft),
    ...changedWhileUp.map((name) => ({
      subject: name,
      message: `${name} runs with its properties of before until it is started next`,
      remedy: `holdfast resource offline ${name}; holdfast resource online ${name}`,
    })),
  ]
}

/** Whatever is down or paused now: is there more than one node that could ever have it? */
function onlyPlace(draft: Draft, group: Group): Warning[] {
  const members = draft.resourcesOf(group.id)
  if (!members.some((r) => r.persistentState === 1)) return []
  const possible = draft.nodes().filter((node) => couldEver(draft, group, node))
  if (possible.length > 1) return []
  const [only] = possible
  return [
    {
      subject: group.name,
      message: only
        ? `${group.name} can only be on ${only.name}: when that is lost there is no other`
        : `no node can have ${group.name}`,
      remedy: `Widen its possible owners, or join another host that can: holdfast why ${group.name}`,
    },
  ]
}

const couldEver = (draft: Draft, group: Group, node: Node): boolean =>
  draft
    .resourcesOf(group.id)
    .every(
      (r) =>
        (!r.possibleOwners || r.possibleOwners.includes(node.id)) &&
        whyNotHosted(draft, node, r.type) === null,
    )

function withoutFence(draft: Draft): Warning[] {
  if (draft.cluster?.takeover !== 'fence') return []
  return draft
    .nodes()
    .filter((node) => node.fence === undefined)
    .map(({ name }) => ({
      subject: name,
      message: `${name} has no fence agent: when it is lost its groups wait for an operator`,
      remedy: `holdfast fence add ${name} --agent …, or takeover: lease`,
    }))
}
