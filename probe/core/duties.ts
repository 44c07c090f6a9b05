/**
 * What a node has to do, derived from its replica of the hive: nodes are driven by state, not by
 * commands. Local Resource Control Manager: dependency order on start and stop (S-85, S-93).
 */
import { isUnplaced } from '../../schema/carry.ts'
import { hasNeeded } from '../../schema/dependency.ts'
import type { Group, Hive, Resource } from '../../schema/hive.ts'
import type { HeldResource } from '../../schema/ipc.ts'
import { maintenanceOf } from '../../schema/maintenance.ts'
import { typeInfo } from '../../schema/resource-types/index.ts'
import type { HeldGroup } from '../../schema/session.ts'
import type { ReportedStatus } from '../../schema/status.ts'
import { inStartOrder, startState } from './start-order.ts'

export interface Duties {
  /** Resources that RHS is to hold, and what each is to do now. */
  readonly hold: readonly HeldResource[]
  /** Groups that the guard is to stop (G5), their resources being offline as far as they could. */
  readonly stop: readonly HeldGroup[]
}

/** A deliberate stop made on this host that the hive does not have yet: 0 is wanted (S-68). */
export interface Override {
  /** Holds for this placement of the group and no other. */
  readonly epoch: number
  readonly how: 'stop' | 'kill'
  /** The hive as the host knew it then: who has said otherwise with more knowledge is heeded. */
  readonly knownSeq: number
}

export interface Known {
  readonly nodeId: string
  readonly hive: Hive
  /** Grants that stand in the guard. Without one nothing is held (C3, U1). */
  readonly grants: readonly HeldGroup[]
  /**
   * Whether the replica has everything up to a welcome of this run. One from disk may be older than
   * a grant, and then its silence about the grant says nothing.
   */
  readonly current?: boolean
  /** The host shuts down and has no session: every group is to be stopped, in order. */
  readonly shutsDown?: boolean
  /** Resources that ran before this run of the agent: no status yet does not mean stopped (G8). */
  readonly adopted?: ReadonlySet<string>
  /** By GUID of the resource; they override the replica. */
  readonly overrides?: ReadonlyMap<string, Override>
  /** Resources that no monitor of this host has: nobody can be asked to stop one. */
  readonly unhosted?: (resource: Pick<Resource, 'id' | 'type'>) => boolean
  /** Whether RHS was told to bring it online at this epoch: such a start is not taken back. */
  readonly wasTold?: (resourceId: string, epoch: number) => boolean
  /** Last status of each resource that RHS reported, at the epoch of the grant. */
  readonly statuses: ReadonlyMap<string, { status: ReportedStatus; epoch: number }>
}

export function duties(known: Known): Duties {
  const hold: HeldResource[] = []
  const stop: HeldGroup[] = []
  const members = membersByGroup(known.hive, known.grants)
  for (const grant of known.grants) {
    const group = known.hive.groups.get(grant.groupId)
    const { owner, epoch } = group?.ownership ?? {}
    // U1: a grant that the hive no longer gives is dropped, without ceremony.
    if (!group || owner !== known.nodeId || epoch !== grant.epoch) {
      const older = known.current === false && (epoch ?? -1) < grant.epoch
      if (!older) stop.push(grant)
      continue
    }
    const resources = members.get(group.id) ?? []
    const target = targetsOf(known, group, resources)
    hold.push(...resources.map((r) => heldResource(known, group, r, target(r))))
    if (leaves(known, group) && resources.every((r) => !runs(known, r, epoch))) stop.push(grant)
  }
  const wasTold = ({ guid, epoch }: HeldResource) => known.wasTold?.(guid, epoch) === true
  const inOrder = inStartOrder(known.hive, hold, (one) =>
    startState(
      statusOf(known, one.guid, one.epoch),
      wasTold(one),
      known.adopted?.has(one.guid) === true,
    ),
  )
  return { hold: inOrder, stop }
}

function heldResource(known: Known, group: Group, r: Resource, target: 0 | 1): HeldResource {
  const { epoch, correlationId } = group.ownership
  const override = overrideOf(known, r, epoch)
  return {
    guid: r.id,
    name: r.name,
    groupId: group.id,
    epoch,
    type: r.type,
    properties: r.properties,
    dependent: r.dependsOn.length > 0,
    persistentState: override ? 0 : r.persistentState,
    target,
    leaving: leaves(known, group),
    ...(isObserved(known, r) && { observe: true as const }),
    ...(inHurry(known, group) && { hurry: true as const }),
    stopHere: override?.how ?? 'no',
    ...travel(known, group, r),
    hiveSeq: known.hive.seq,
    restart: r.restart,
    poll: r.poll,
    correlationId,
  }
}

/** How the state of this one is to leave, or what it is to go on from (M1, M4). */
function travel(known: Known, { ownership }: Group, r: Resource) {
  const moves = typeInfo(known.hive.types, r.type)?.moves
  if (ownership.phase === 'owned' && ownership.resume && moves?.[ownership.resume.method])
    return { resume: ownership.resume }
  if (ownership.phase !== 'releasing' || known.shutsDown || !ownership.carry) return {}
  const { carry } = ownership
  // Only what is to run on the other side has a state that anybody wants.
  return moves?.[carry.method] && r.persistentState === 1 ? { carry } : {}
}

/** O1: what this host would hold if it took the group at this epoch. */
export function offered(hive: Hive, groupId: string, epoch: number): HeldResource[] {
  const group = hive.groups.get(groupId)
  if (!group) return []
  const members = [...hive.resources.values()].filter((r) => r.groupId === groupId)
  return members.map((r) => ({
    ...{ guid: r.id, name: r.name, groupId, epoch, type: r.type, properties: r.properties },
    ...{ dependent: r.dependsOn.length > 0, persistentState: r.persistentState, target: 0 },
    ...{ leaving: false, stopHere: 'no', hiveSeq: hive.seq, restart: r.restart, poll: r.poll },
  }))
}

/** The group is to go from here, whatever its members are wanted to be. */
function leaves(known: Known, group: Group): boolean {
  if (known.shutsDown === true) return true
  // M1: until there is a place for the copy, nothing has begun.
  return group.ownership.phase === 'releasing' && !isUnplaced(group.ownership)
}

/** The service is away already, or the host goes: whoever waits for it waits for the stop as well (S-50). */
function inHurry(known: Known, group: Group): boolean {
  if (known.shutsDown === true) return true
  const { ownership } = group
  if (ownership.phase !== 'releasing' || ownership.carry) return false
  return ownership.reason === 'failover' || ownership.reason === 'hostShutdown'
}

/**
 * For each member: may run now, being wanted and having what it needs online; or must still run, because
 * something that needs it does and has nothing else for it.
 */
function targetsOf(
  known: Known,
  group: Group,
  members: readonly Resource[],
): (r: Resource) => 0 | 1 {
  const { epoch } = group.ownership
  const byId = new Map(members.map((m) => [m.id, m]))
  // S-93: whatever is wanted of it, nothing is to run until other groups are online.
  const goes = leaves(known, group) || group.waitsFor !== undefined
  const judged = new Map<string, boolean>()
  const isWanted = (id: string): boolean => {
    const before = judged.get(id)
    if (before !== undefined) return before
    const r = byId.get(id)
    const isMeant = r?.persistentState === 1 && !goes && !overrideOf(known, r, epoch)
    const wanted = isMeant && hasNeeded(r, isWanted)
    judged.set(id, wanted)
    return wanted
  }
  const isThere = (r: Resource, id: string) =>
    isWanted(id) && isReady(known, r, byId.get(id), epoch)
  return (r) => {
    if (isWanted(r.id)) {
      // In maintenance nothing is stopped because of the health of something else.
      const stays = isObserved(known, r) && hasBegun(known, r, epoch)
      return stays || hasNeeded(r, (id) => isThere(r, id)) ? 1 : 0
    }
    const isHeldBy = (m: Resource) =>
      m.dependsOn.includes(r.id) &&
      runs(known, m, epoch) &&
      !(isWanted(m.id) && hasNeeded(m, (id) => id !== r.id && isThere(m, id)))
    return runs(known, r, epoch) && members.some(isHeldBy) ? 1 : 0
  }
}

/**
 * Whether what a resource depends on is online. What was found running together is not taken apart
 * for want of knowing it: until both have been looked at, it counts as online (G8). What starts
 * nothing is on no record, and is only known when it has been looked at.
 */
function isReady(
  known: Known,
  r: Resource,
  provider: Resource | undefined,
  epoch: number,
): boolean {
  if (!provider) return false
  const status = statusOf(known, provider.id, epoch)
  if (status !== undefined) return status === 'online'
  return mayRun(known, r) && mayRun(known, provider)
}

/** On record when this agent began, or of a type that never is. */
function mayRun(known: Known, r: Resource): boolean {
  if (known.adopted === undefined || known.adopted.size === 0) return false
  return known.adopted.has(r.id) || typeInfo(known.hive.types, r.type)?.startsNothing === true
}

/** Whether anything of it may be running: then what it depends on stays, and its group too. */
function runs(known: Known, r: Resource, epoch: number): boolean {
  // Nobody waits for what nobody can stop: the guard does, with the group (G5).
  if (known.unhosted?.(r)) return false
  switch (statusOf(known, r.id, epoch)) {
    case undefined:
      return known.adopted?.has(r.id) === true
    case 'offline':
    case 'stopped':
    case 'failed':
      return false
    case 'online':
    case 'onlinePending':
    case 'offlinePending':
    case 'unknown':
      return true
  }
}

const isObserved = ({ hive, nodeId }: Known, { id, groupId }: Resource): boolean =>
  maintenanceOf(hive.cluster?.maintenance, { nodeId, groupId, resourceId: id }) !== undefined

/** It runs, or has failed here: in both cases it was started. */
function hasBegun(known: Known, r: Resource, epoch: number): boolean {
  return runs(known, r, epoch) || statusOf(known, r.id, epoch) === 'failed'
}

function overrideOf(known: Known, r: Resource, epoch: number): Override | undefined {
  const override = known.overrides?.get(r.id)
  if (override?.epoch !== epoch || (r.stateSeq ?? 0) > override.knownSeq) return undefined
  return override
}

function statusOf(known: Known, id: string, epoch: number): ReportedStatus | undefined {
  const seen = known.statuses.get(id)
  return seen?.epoch === epoch ? seen.status : undefined
}

function membersByGroup(hive: Hive, grants: readonly HeldGroup[]): Map<string, Resource[]> {
  const wanted = new Set(grants.map((g) => g.groupId))
  const members = new Map<string, Resource[]>()
  for (const r of hive.resources.values()) {
    if (!wanted.has(r.groupId)) continue
    const list = members.get(r.groupId)
    if (list) list.push(r)
    else members.set(r.groupId, [r])
  }
  for (const list of members.values()) list.sort((a, b) => (a.id < b.id ? -1 : 1))
  return members
}
