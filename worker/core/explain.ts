import type { Takeover } from '../../schema/fencing.ts'
import type { Hive, Node } from '../../schema/hive.ts'
import type { Rule } from '../../schema/placement.ts'
import type { Because, Update } from '../../schema/update.ts'
import { quarantineText } from './quarantine.ts'

export interface Explained {
  /** Dotted event name, e.g. `group.owned`. */
  type: string
  /** What it is about, by name. */
  subject: string
  /** One sentence: what changed and why. */
  message: string
}

/** The one renderer of updates: log, CLI, console and tests all show this text. */
export function explain(u: Update, hive: Hive): Explained {
  const { change } = u
  const why = whyText(u.because)
  const tail = why ? ` (${why})` : ''
  switch (change.table) {
    case 'cluster':
      if (u.because.code.startsWith('maintenance'))
        return {
          type: MAINTENANCE_EVENTS[u.because.code] ?? 'maintenance.changed',
          subject: String(u.because.evidence?.['of'] ?? change.value.name),
          message: `maintenance of ${u.because.evidence?.['of']}${tail}`,
        }
      return {
        type: 'cluster.changed',
        subject: change.value.name,
        message: `cluster ${change.value.name}: view ${change.value.view}${policyText(change.value)}${tail}`,
      }
    case 'node': {
      const name = change.value?.name ?? hive.nodes.get(change.id)?.name ?? change.id
      const what = change.value ? nodeText(change.value) : 'removed'
      const type = change.value
        ? (NODE_EVENTS[u.because.code] ?? `node.${change.value.state}`)
        : 'node.removed'
      return { type, subject: name, message: `node ${name}: ${what}${tail}` }
    }
    case 'group':
      return explainGroup(u, hive, tail)
    case 'resource': {
      const name = change.value?.name ?? hive.resources.get(change.id)?.name ?? change.id
      const what = change.value
        ? `wanted ${change.value.persistentState === 1 ? 'online' : 'offline'}`
        : 'removed'
      return {
        type: change.value ? 'resource.changed' : 'resource.removed',
        subject: name,
        message: `resource ${name}: ${what}${tail}`,
      }
    }
    case 'type': {
      const version = change.value?.versions.at(-1)
      const what = version
        ? `version ${version.version}, SHA-256 ${version.sha256.slice(0, 12)}…`
        : 'removed'
      const type = change.value ? 'type.registered' : 'type.removed'
      return { type, subject: change.id, message: `type ${change.id}: ${what}${tail}` }
    }
    case 'rule': {
      const { value } = change
      const name = value?.name ?? hive.rules.get(change.id)?.name ?? change.id
      const what = value ? ruleText(value, hive) : 'removed'
      const type = value ? 'rule.changed' : 'rule.removed'
      return { type, subject: name, message: `rule ${name}: ${what}${tail}` }
    }
  }
}

/** `keep apart, hard: a, b`. */
function ruleText(rule: Rule, hive: Hive): string {
  const names = rule.groups.map((id) => hive.groups.get(id)?.name ?? id)
  return `keep ${rule.kind === 'keepApart' ? 'apart' : 'together'}, ${rule.hard ? 'hard' : 'soft'}: ${names.join(', ')}`
}

const policyText = ({ takeover }: { takeover: Takeover }) =>
  takeover === 'lease' ? '' : `, takeover by ${takeover}`
/** `down, quarantined until …`. */
function nodeText(node: Node): string {
  const paused = node.paused ? ', paused' : ''
  return `${node.state}${paused}${node.quarantinedUntilMs === undefined ? '' : `, ${quarantineText(node)}`}`
}

function explainGroup(u: Update, hive: Hive, tail: string): Explained {
  const { change } = u
  if (change.table !== 'group') throw new Error('not a group')
  const name = change.value?.name ?? hive.groups.get(change.id)?.name ?? change.id
  const nodeName = (id: string | null) => (id && hive.nodes.get(id)?.name) ?? id ?? 'nobody'
  if (!change.value)
    return { type: 'group.removed', subject: name, message: `group ${name}: removed${tail}` }
  const { ownership } = change.value
  if (ORDER_CODES.has(u.because.code))
    return {
      type: change.value.waitsFor ? 'group.waiting' : 'group.ready',
      subject: name,
      message: `group ${name}: ${change.value.waitsFor ? 'held back' : 'may come online'}${tail}`,
    }
  switch (ownership.phase) {
    case 'free':
      return {
        type: 'group.free',
        subject: name,
        message: `group ${name}: free at epoch ${ownership.epoch}, was on ${nodeName(ownership.lastOwner)}${tail}`,
      }
    case 'owned':
      return {
        type: 'group.owned',
        subject: name,
        message: `group ${name}: ${nodeName(ownership.owner)} owns it at epoch ${ownership.epoch}${tail}`,
      }
    case 'releasing':
      return {
        type: `group.${ownership.reason === 'failover' ? 'failover' : 'moving'}`,
        subject: name,
        message: `group ${name}: ${
          ownership.to === ownership.owner
            ? `is stopped on ${nodeName(ownership.owner)} and comes back there`
            : `leaves ${nodeName(ownership.owner)} for ${nodeName(ownership.to)}`
        }${tail}`,
      }
  }
}

const MAINTENANCE_EVENTS: Readonly<Record<string, string>> = {
  maintenanceOn: 'maintenance.on',
  maintenanceOff: 'maintenance.off',
  maintenanceOver: 'maintenance.over',
}

const ORDER_CODES: ReadonlySet<string> = new Set(['waitsForGroup', 'waitsNoMore'])

/** Updates of a node that are about something else than its state. */
const NODE_EVENTS: Readonly<Record<string, string>> = {
  sessionRenewed: 'node.session',
  typesPublished: 'node.types',
  nodePaused: 'node.paused',
  nodeResumed: 'node.resumed',
  quarantineEnded: 'node.resumed',
  nodeJoined: 'node.joined',
  nodeChanged: 'node.changed',
  fenceSet: 'fence.set',
  fenceRemoved: 'fence.removed',
  fenceFailed: 'fence.failed',
  policyTold: 'node.policy',
  policyTaken: 'node.policy',
}
/** Reason codes as sentences. Every code that the core uses is here; a test checks it. */
export const REASONS: Readonly<Record<string, string>> = {
  clusterFormed: 'the cluster was formed',
  nodeJoined: 'a host joined',
  nodeEvicted: 'evicted by an operator',
  nodeLeft: 'its host left the cluster',
  nodePaused: 'paused by an operator',
  nodeResumed: 'resumed by an operator',
  nodeDrained: 'drained by an operator',
  quarantineEnded: 'its quarantine is over',
  nodeUp: 'its report was accepted',
  sessionRenewed: 'a new session of a node that was up',
  typesPublished: 'it published what it can host',
  leaseEnded: 'its lease has surely ended',
  authorityLeaseEnded: 'its authority lease has surely ended',
  fenceConfirmed: 'a confirmed fence says that this boot of it is over',
  fenceConfirmedByOperator: 'an operator confirmed that this boot of it is over',
  fenceFailed: 'a fence of it failed, so nothing is taken from it',
  fenceSet: 'how it is fenced was set by an operator',
  fenceRemoved: 'it is no longer fenced by an agent',
  takeoverChanged: 'the takeover policy was changed by an operator',
  policyTold: 'it is told to go on after its lease',
  policyTaken: 'it stops at its lease end again',
  saidGoodbye: 'it stopped everything and said goodbye',
  hostShutsDown: 'its host shuts down',
  missingFromReport: 'the owner does not run it any more',
  nodeLost: 'its node is down',
  released: 'the owner says that nothing of it runs',
  placed: 'first eligible node',
  resourceFailed: 'a resource failed beyond its restart attempts',
  notPossibleOwner: 'it may not run where it is',
  ruleBroken: 'a hard rule was broken where it was',
  keptTogether: 'a hard rule keeps it together with what moves',
  makesRoom: 'what is of lower priority leaves to make room for it',
  maintenanceOn: 'it is observed only, as an operator said',
  maintenanceOff: 'it is looked after again, as an operator said',
  maintenanceOver: 'its time is over, and it is looked after again',
  waitsForGroup: 'it waits until others are online',
  waitsNoMore: 'what it waited for is online, or it waits for nothing any more',
  displaced: 'it makes room for what is of higher priority',
  nodeChanged: 'changed by an operator',
  placementChanged: 'the placement policy was changed by an operator',
  startsChanged: 'how many starts a node makes at a time was changed by an operator',
  ruleCreated: 'made by an operator',
  ruleDeleted: 'removed by an operator',
  operatorMove: 'moved by an operator',
  moveCancelled: 'an operator has cancelled its move',
  operatorFailover: 'failed over by an operator',
  failedBack: 'back to where it belongs',
  copyExpected: 'the target has a place for its copy',
  notCarried: 'its state could not be carried',
  operatorOnline: 'an operator wants it online',
  operatorOffline: 'an operator wants it offline',
  changedOnHost: 'deliberately changed on its host',
  groupCreated: 'created',
  groupChanged: 'changed by an operator',
  groupDeleted: 'deleted by an operator',
  resourceCreated: 'created',
  typeRegistered: 'registered from a module file',
  typeUnregistered: 'unregistered',
  resourceChanged: 'changed by an operator',
  resourceDeleted: 'deleted by an operator',
  resourceReleased: 'it has been well in a resource monitor of its own',
  resourceIsolated: 'its module took a resource monitor along: it runs in one of its own',
}

function whyText(because: Because): string {
  const evidence = Object.entries(because.evidence ?? {})
    .filter(([, value]) => value !== '')
    .map(([key, value]) => `${key} ${value}`)
  const rejected = (because.rejected ?? []).map((r) => `not ${r.node}: ${r.reason}`)
  return [
    REASONS[because.code] ?? because.code,
    ...evidence,
    ...rejected,
    ...(because.rule ? [`rule ${because.rule}`] : []),
  ].join(', ')
}
