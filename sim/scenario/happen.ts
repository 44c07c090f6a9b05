/** The events of a scenario, each carried out by the simulated world or by its operator. */
import type { Request } from '../../schema/event.ts'
import type { SimHost } from '../world/host.ts'
import type { ScenarioEvent } from './schema.ts'
import type { Stage } from './stage.ts'

/** @param refused told when what the event asks for is refused, and why */
export function happen(stage: Stage, event: ScenarioEvent, refused: (why: string) => void): void {
  const ask = (request: Request) =>
    stage.scene.operator.ask(request, (ok, refusal) => {
      if (ok !== true) refused(refusal?.message ?? 'the control plane does not answer')
    })
  switch (event.type) {
    case 'nodeDown':
    case 'nodeUp':
    case 'networkDown':
    case 'networkUp':
    case 'shutdown':
      return toHost(stage.hosts.get(event.node) as SimHost, event.type)
    case 'drain':
    case 'pause':
    case 'resume':
    case 'move':
    case 'cancelMove':
    case 'failover':
    case 'failback':
    case 'setWanted':
    case 'maintenanceOn':
    case 'maintenanceOff':
      return ask(requestOf(stage, event))
    case 'crash':
      return crash(stage, event)
    case 'failStart':
    case 'failStop':
    case 'failMigrate':
      return spoil(stage, event)
    case 'controlPlaneDown':
      return stage.scene.platform.away(Number.POSITIVE_INFINITY)
    case 'controlPlaneUp':
      return stage.scene.platform.back()
    case 'wait':
      return
  }
}

type Of<T extends ScenarioEvent['type']> = T extends unknown
  ? Extract<ScenarioEvent, { type: T }>
  : never

function toHost(
  host: SimHost,
  what: 'nodeDown' | 'nodeUp' | 'networkDown' | 'networkUp' | 'shutdown',
): void {
  if (what === 'nodeDown') return host.powerCut(true)
  if (what === 'nodeUp') return host.powerOn()
  if (what === 'shutdown') return host.shutDown()
  host.weather.up = host.weather.down = host.lan = what === 'networkUp'
}

type Asked = Of<
  | 'drain'
  | 'pause'
  | 'resume'
  | 'move'
  | 'cancelMove'
  | 'failover'
  | 'failback'
  | 'setWanted'
  | 'maintenanceOn'
  | 'maintenanceOff'
>

/** What an operator would say. */
function requestOf(stage: Stage, event: Asked): Request {
  const { hosts, groups, resources, scene } = stage
  const nodeOf = (name: string) => hosts.get(name)?.nodeId as string
  const groupOf = (name: string) => groups.get(name) as string
  switch (event.type) {
    case 'drain': {
      const { node, to, withinSeconds } = event
      const nodeId = nodeOf(node)
      const within = withinSeconds === undefined ? {} : { withinMs: withinSeconds * 1_000 }
      return { type: 'drainNode', nodeId, ...(to !== null && { to: nodeOf(to) }), ...within }
    }
    case 'pause':
      return { type: 'pauseNode', nodeId: nodeOf(event.node), paused: true }
    case 'resume': {
      const { failback } = event
      return { type: 'pauseNode', nodeId: nodeOf(event.node), paused: false, failback }
    }
    case 'move': {
      const to = event.to === null ? null : nodeOf(event.to)
      const mid = scene.kernel.random.uuid()
      return { type: 'moveGroup', groupId: groupOf(event.group), to, method: 'auto', mid }
    }
    case 'cancelMove':
      return { type: 'cancelMove', groupId: groupOf(event.group), operation: 'scenario' }
    case 'failover':
      return { type: 'failoverGroup', groupId: groupOf(event.group) }
    case 'failback':
      return { type: 'failbackGroup', groupId: groupOf(event.group) }
    case 'maintenanceOn': {
      const on = { reason: 'by the scenario', forMs: event.forSeconds * 1_000 }
      return { type: 'setMaintenance', ...subjectOf(stage, event), on }
    }
    case 'maintenanceOff':
      return { type: 'setMaintenance', ...subjectOf(stage, event), on: null }
    case 'setWanted': {
      const persistentState = event.wanted === 'online' ? 1 : 0
      if (event.resource === undefined)
        return { type: 'setGroupState', groupId: groupOf(event.group), persistentState }
      const resourceId = resources.get(event.group)?.get(event.resource) as string
      return { type: 'setResourceState', resourceId, persistentState }
    }
  }
}

function subjectOf(
  { hosts, groups, resources, scene }: Stage,
  { node, group, resource }: Pick<Of<'maintenanceOff'>, 'node' | 'group' | 'resource'>,
) {
  if (group !== undefined && resource !== undefined)
    return { scope: 'resource' as const, id: resources.get(group)?.get(resource) as string }
  if (group !== undefined) return { scope: 'group' as const, id: groups.get(group) as string }
  if (node !== undefined) return { scope: 'node' as const, id: hosts.get(node)?.nodeId as string }
  return { scope: 'cluster' as const, id: scene.hosts[0]?.clusterId ?? '' }
}

function membersIn(
  stage: Stage,
  event: { group: string; resource?: string | undefined },
): string[] {
  const members = stage.resources.get(event.group)
  if (event.resource === undefined) return [...(members?.values() ?? [])]
  return [members?.get(event.resource) as string]
}

function crash(stage: Stage, event: Of<'crash'>): void {
  const ids = new Set(membersIn(stage, event))
  for (const host of stage.scene.hosts)
    for (const process of host.processes.list())
      if (ids.has(process.resourceId)) host.processes.kill(process.pid, 0)
}

function spoil(stage: Stage, event: Of<'failStart' | 'failStop' | 'failMigrate'>): void {
  const all = stage.scene.hosts
  switch (event.type) {
    case 'failStart': {
      const on = event.node === null ? all : all.filter((host) => host.name === event.node)
      const times = event.times === 'always' ? Number.POSITIVE_INFINITY : event.times
      // Counted for each resource, over all the hosts that are meant.
      const failing = membersIn(stage, event).map((id) => [id, { times }] as const)
      for (const { modules } of on) modules.failing = new Map([...modules.failing, ...failing])
      return
    }
    case 'failStop': {
      const groupId = stage.groups.get(event.group)
      for (const host of all) {
        if (event.node !== null && host.name !== event.node) continue
        const { immune } = host.processes
        host.processes.immune = (of) => of.groupId === groupId || immune(of)
      }
      return
    }
    case 'failMigrate': {
      const to = event.to === null ? all.map((host) => host.name) : [event.to]
      for (const { modules } of all) modules.failsTo = new Set([...modules.failsTo, ...to])
    }
  }
}
