/** `holdfast-probe status` for people (S-25); `--json` prints the answer itself. */
import type { HostClock } from '../../schema/host-clock.ts'
import type { GroupRow, ModuleRow, MonitorStatus } from '../../schema/host-status.ts'
import type { HeldGroup } from '../../schema/session.ts'
import { table } from './table.ts'

/** What the guard's door answers, as far as it is shown. */
export interface HostAnswer {
  readonly node: { readonly id: string; readonly name: string }
  /** Since boot, as every instant here but none of the agent's. */
  readonly nowMs: number
  readonly killHandles: string
  readonly guard: {
    readonly pid: number
    readonly boot: string
    readonly timing: { readonly stopMs: number }
    readonly leases: {
      readonly pongEndMs: number | null
      readonly authorityEndMs: number | null
    }
    readonly grants: readonly HeldGroup[]
    readonly records: readonly unknown[]
    readonly stops: readonly unknown[]
    readonly session: { readonly number: number; readonly welcomed: boolean } | null
  }
  readonly agent: { readonly pid: number | null; readonly info: AgentInfo | null }
  readonly monitors: readonly MonitorStatus[]
}

interface AgentInfo {
  readonly cluster?: string
  readonly url?: string
  readonly connected?: boolean
  readonly problem?: string
  readonly replica?: { readonly seq: number; readonly hash: string }
  readonly peers?: PeersInfo
  readonly clock?: HostClock | null
  readonly stoodStill?: {
    readonly count: number
    readonly last: { readonly who: string; readonly ms: number; readonly untilMs: number } | null
  }
}

interface PeersInfo {
  readonly listens: { readonly address: string; readonly port: number } | null
  readonly problem: string
  readonly peers: readonly { readonly name: string; readonly state: string }[]
}

export function renderHostStatus(answer: object): string {
  const host = named(answer as HostAnswer)
  const sections = [
    header(host),
    monitors(host),
    modules(host),
    openCalls(host),
    groups(host),
    members(host),
  ]
  return `${sections.filter(Boolean).join('\n\n')}\n`
}

/** People know a resource by its name: `rhs:mail` is the monitor of that one alone (S-29). */
function named(host: HostAnswer): HostAnswer {
  const members = tablesOf(host).flatMap(({ tables }) => tables.groups.flatMap((g) => g.members))
  const names = new Map(members.map(({ guid, name }) => [guid, name]))
  const monitors = host.monitors.map((one) => {
    const [kind, guid] = one.monitor.split(':')
    const name = guid === undefined ? undefined : names.get(guid)
    return name === undefined ? one : { ...one, monitor: `${kind}:${name}` }
  })
  return { ...host, monitors }
}

function header({ node, nowMs, killHandles, guard, agent }: HostAnswer): string {
  const info = agent.info ?? {}
  const { leases, timing, session } = guard
  const lease = (endMs: number | null) => {
    if (endMs === null) return 'none'
    const left = endMs - timing.stopMs - nowMs
    return left > 0 ? `${seconds(left)} until everything is stopped` : 'over'
  }
  const standing = info.connected
    ? `connected, session ${session?.number ?? '?'}`
    : `not connected${info.problem ? ` (${info.problem})` : ''}`
  const lines: [string, string][] = [
    ['node', `${node.name}  ${node.id}`],
    ['cluster', [info.cluster ?? 'unknown', info.url ?? ''].join('  ').trim()],
    ['session', standing],
    [
      'replica',
      info.replica ? `update ${info.replica.seq}, ${info.replica.hash.slice(0, 12)}` : '–',
    ],
    ['pong lease', lease(leases.pongEndMs)],
    ['authority lease', lease(leases.authorityEndMs)],
    ['guard', `pid ${guard.pid}, boot ${guard.boot}, ends workloads by ${killHandles}`],
    [
      'holds',
      `${guard.grants.length} groups, ${guard.records.length} workloads, ` +
        `${guard.stops.length} stops under way`,
    ],
    ['agent', agent.pid === null ? 'not running' : `pid ${agent.pid}`],
    ...(info.peers ? [['peers', peersText(info.peers)] as [string, string]] : []),
    ...clockLine(info),
    ...stoodStill(info, nowMs),
  ]
  const width = Math.max(...lines.map(([key]) => key.length))
  return lines.map(([key, value]) => `${key.padEnd(width)}  ${value}`).join('\n')
}

/** S-17: `heard on 10.0.0.1:7400; hears n2; silent n3`. */
function peersText({ listens, problem, peers }: PeersInfo): string {
  const where = listens ? `heard on ${listens.address}:${listens.port}` : 'not heard'
  const states = [...new Set(peers.map((peer) => peer.state))].map((state) => {
    const names = peers.filter((peer) => peer.state === state).map((peer) => peer.name)
    return `${state === 'heard' ? 'hears' : state} ${names.join(', ')}`
  })
  return [problem ? `${where} (${problem})` : where, ...states].join('; ')
}

/** S-13: against the control plane's. */
function clockLine({ clock }: AgentInfo): [string, string][] {
  if (!clock) return []
  const { offsetMs, errorMs, driftPpm } = clock
  const drift = driftPpm === null ? '' : `, its steady clock drifts by ${driftPpm} ppm`
  return [['clock', `${offsetMs} ms against the cluster (within ${errorMs} ms)${drift}`]]
}

function stoodStill({ stoodStill: known }: AgentInfo, nowMs: number): [string, string][] {
  if (!known?.last) return []
  const { who, ms: forMs, untilMs } = known.last
  const times = known.count === 1 ? 'once' : `${known.count} times`
  return [
    ['stood still', `${times}, last the ${who} for ${seconds(forMs)}, ${ago(untilMs, nowMs)}`],
  ]
}

function monitors({ monitors: all }: HostAnswer): string {
  return table(
    ['MONITOR', 'PID', 'GENERATION', 'UP', 'MODULES', 'RESOURCES'],
    all.map((m) => {
      const known = m.tables === 'no answer' ? null : m.tables.modules
      return [
        m.monitor,
        m.pid === null ? '–' : String(m.pid),
        String(m.generation),
        m.pid === null ? 'down' : seconds(m.uptimeMs),
        known ? String(known.length) : 'no answer',
        known ? String(known.reduce((sum, row) => sum + row.resources, 0)) : '–',
      ]
    }),
  )
}

function modules(host: HostAnswer): string {
  const rows = tablesOf(host).flatMap(({ monitor, tables }) =>
    tables.modules.map((row) => ({ monitor, row, atMs: tables.atMs })),
  )
  return table(
    ['MODULE', 'VERSION', 'IN', 'RESOURCES', 'CALLS', 'OPEN', 'LAST CALL', 'LAST ERROR'],
    rows.map(({ monitor, row, atMs }) => [
      row.type,
      row.version,
      monitor,
      statesOf(row),
      String(row.calls),
      row.open.length === 0 ? '–' : String(row.open.length),
      row.lastCall
        ? `${row.lastCall.fn} ${row.lastCall.name}, ${ago(row.lastCall.atMs, atMs)}, took ${ms(row.lastCall.tookMs)}`
        : '–',
      row.lastError
        ? `${row.lastError.fn} ${row.lastError.name}, ${ago(row.lastError.atMs, atMs)}: ${row.lastError.error.slice(0, 80)}`
        : '–',
    ]),
  )
}

function openCalls(host: HostAnswer): string {
  const rows = tablesOf(host).flatMap(({ monitor, tables }) =>
    tables.modules.flatMap(({ type, open }) =>
      open.map((c) => [type, monitor, c.fn, c.name, seconds(tables.atMs - c.atMs)]),
    ),
  )
  return rows.length === 0 ? '' : table(['OPEN CALL OF', 'IN', 'FUNCTION', 'FOR', 'SINCE'], rows)
}

function groups(host: HostAnswer): string {
  const rows = tablesOf(host).flatMap(({ monitor, tables }) =>
    tables.groups.map((row) => ({ monitor, row, atMs: tables.atMs })),
  )
  if (rows.length === 0) return ''
  const check = (c: GroupRow['isAlive'], atMs: number) =>
    c ? `${ago(c.atMs, atMs)}, took ${ms(c.tookMs)}` : '–'
  return table(
    ['GROUP', 'EPOCH', 'IN', 'MEMBERS', 'ISALIVE', 'LOOKSALIVE'],
    rows.map(({ monitor, row, atMs }) => [
      row.groupId,
      String(row.epoch),
      monitor,
      String(row.members.length),
      check(row.isAlive, atMs),
      check(row.looksAlive, atMs),
    ]),
  )
}

function members(host: HostAnswer): string {
  const rows = tablesOf(host).flatMap(({ tables }) =>
    tables.groups.flatMap((group) => group.members.map((member) => ({ group, member }))),
  )
  if (rows.length === 0) return ''
  return table(
    ['RESOURCE', 'TYPE', 'GROUP', 'WANTED', 'STATUS', 'RESTARTS', 'DETAIL'],
    rows.map(({ group, member: m }) => [
      m.name,
      m.type,
      group.groupId.slice(0, 8),
      m.persistentState === 1 ? 'online' : 'offline',
      m.status,
      String(m.restarts),
      (m.detail ?? '–').slice(0, 100),
    ]),
  )
}

function tablesOf(host: HostAnswer) {
  return host.monitors.flatMap(({ monitor, tables }) =>
    tables === 'no answer' ? [] : [{ monitor, tables }],
  )
}

function statesOf({ resources, states }: ModuleRow): string {
  const parts = Object.entries(states).map(([status, n]) => `${n} ${status}`)
  return resources === 0 ? '–' : parts.sort().join(', ')
}

const ms = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`

function seconds(value: number): string {
  if (value < 60_000) return `${(value / 1000).toFixed(1)} s`
  const minutes = Math.floor(value / 60_000)
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

const ago = (atMs: number, nowMs: number) => `${seconds(Math.max(0, nowMs - atMs))} ago`
