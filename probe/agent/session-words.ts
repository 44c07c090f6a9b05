/** What the agent says of itself: to open a socket, to answer a challenge, to whoever asks here. */
import type { Hive, HostedType } from '../../schema/hive.ts'
import {
  connectText,
  type HeldGroup,
  type LocalIntent,
  type LogEntry,
  type NodeFrame,
  type StatusItem,
  sessionText,
  spokenWith,
} from '../../schema/session.ts'
import { measure } from '../os/measure.ts'
import type { Identity } from './identity.ts'
import { Link, type LinkEvents } from './link.ts'
import type { Replica } from './replica.ts'
import type { SessionKeeper } from './session-keeper.ts'

const VERSION = '0.1.0'

/** A request to connect is signed and numbered: a copy of it is worthless. */
export function openLink(identity: Identity, events: LinkEvents): Link {
  const { url, sessionPath, clusterId, nodeId } = identity.file
  const attempt = identity.nextAttempt()
  const address = new URL(sessionPath, url)
  address.protocol = address.protocol === 'https:' ? 'wss:' : 'ws:'
  const headers = {
    'x-holdfast-node': nodeId,
    'x-holdfast-attempt': String(attempt),
    'x-holdfast-signature': identity.sign(connectText(clusterId, nodeId, attempt)),
  }
  return new Link(address.href, headers, events)
}

/** S2, S3: the answer to a challenge, with what the guard said it holds. */
export function reportFrame(
  identity: Identity,
  session: { number: number; nonce: string; protocol: number },
  told: {
    boot: string
    guard: string
    intents: LocalIntent[]
    run: string
    held: HeldGroup[]
    types: HostedType[]
    replica: { seq: number; hash: string }
  },
): NodeFrame {
  const { clusterId, nodeId } = identity.file
  const { number, nonce, protocol } = session
  const text = sessionText({ clusterId, nodeId, session: number, nonce, boot: told.boot })
  return {
    t: 'report',
    session: number,
    protocol: spokenWith(protocol),
    ...told,
    measured: measure(),
    version: VERSION,
    signature: identity.sign(text),
  }
}

/** For `holdfast-probe status`. */
export function infoOf(
  { clusterName, url }: Identity['file'],
  session: Pick<SessionKeeper, 'seqW' | 'number' | 'problem' | 'seen'>,
  replica: Pick<Replica, 'hive' | 'hash'>,
  localStops: readonly LocalIntent[],
  types: readonly HostedType[],
  statuses: ReadonlyMap<string, StatusItem>,
) {
  return {
    cluster: clusterName,
    url,
    connected: session.seqW !== null,
    session: session.number,
    problem: session.problem,
    localStops: localStops.map((i) => i.resourceId),
    replica: { seq: replica.hive.seq, hash: replica.hash },
    types: types.map((t) => t.type),
    ...session.seen,
    resources: resourceRows(statuses.values(), replica.hive),
  }
}

function resourceRows(statuses: Iterable<StatusItem>, hive: Hive) {
  return [...statuses].map((item) => ({
    guid: item.resourceId,
    name: hive.resources.get(item.resourceId)?.name ?? item.resourceId,
    status: item.status,
    epoch: item.epoch,
    restarts: item.restarts,
  }))
}

/** A line for the cluster log, by this host's clock. */
export function logLine(
  component: LogEntry['component'],
  message: string,
  groupId?: string,
  correlationId?: string,
): LogEntry {
  return {
    atMs: Date.now(),
    component,
    message: message.slice(0, 1_000),
    ...(groupId !== undefined && { groupId }),
    ...(correlationId !== undefined && { correlationId }),
  }
}
