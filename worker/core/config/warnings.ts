/** What an operator would point out about a configuration, though it can be. */
import type { PlanView } from '../../../schema/api/config.ts'
import { CHECK_BUDGET, checkShare } from '../../../schema/check-cost.ts'
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
    ...dearChecks(draft),
    ...changedWhileUp.map((name) => ({
      subject: name,
      message: `${name} runs with its properties of before until it is started next`,
      remedy: `holdfast resource offline ${name}; holdfast resource online ${name}`,
    })),
  ]
}

/** S-96: short intervals cost CPU, and more than they are worth where there are many of them. */
function dearChecks(draft: Draft): Warning[] {
  return draft.nodes().flatMap((node): Warning[] => {
    const shares = draft
      .groupsOwnedBy(node.id)
      .flatMap((group) => draft.resourcesOf(group.id))
      .flatMap((r) => {
        const share = r.persistentState === 1 ? checkShare(r.type, r.poll) : null
        return share === null ? [] : [{ name: r.name, share }]
      })
    const sum = shares.reduce((all, { share }) => all + share, 0)
    if (sum <= CHECK_BUDGET) return []
    const dearest = shares.sort((a, b) => b.share - a.share).slice(0, 3)
    const percent = (share: number) => `${(100 * share).toFixed(1)} %`
    const names = dearest.map(({ name, share }) => `${name} ${percent(share)}`)
    return [
      {
        subject: node.name,
        message: `checks take about ${percent(sum)} of a CPU of ${node.name} (budget ${percent(CHECK_BUDGET)}): ${names.join(', ')}${shares.length > 3 ? ', …' : ''}`,
        remedy:
          'Lengthen poll.isAlive or poll.looksAlive of the dearest; what a host sees by itself (an exit) it sees at once all the same.',
      },
    ]
  })
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
