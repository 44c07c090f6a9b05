/** What `holdfast-probe metrics` shows: the guard's answer as metrics. Values of labels are of this host. */
import { type Family, gauge, type Sample, total } from '../../schema/open-metrics.ts'
import type { HostAnswer } from './render.ts'

/** @param answer null: no guard answers */
export function hostMetrics(answer: object | null): Family[] {
  const up = family('up', 'Whether the guard of this host answers.', [gauge(answer !== null)])
  if (answer === null) return [up]
  const host = answer as HostAnswer
  return [up, ...ofLeases(host), ...ofAgent(host), ...ofMonitors(host), ...ofWorkloads(host)]
}

const family = (
  name: string,
  help: string,
  samples: readonly Sample[],
  type: Family['type'] = 'gauge',
): Family => ({
  ...{ name: `holdfast_probe_${name}`, type, help, samples },
  ...(name.endsWith('_seconds') && { unit: 'seconds' }),
})

function ofLeases({ guard, nowMs }: HostAnswer): Family[] {
  const { leases, timing, grants, records, stops } = guard
  const left = (endMs: number | null) =>
    endMs === null ? 0 : Math.max(0, endMs - timing.stopMs - nowMs) / 1_000
  return [
    family(
      'lease_remaining_seconds',
      'Until everything is stopped, if the control plane is not heard of; both are needed.',
      [
        gauge(left(leases.pongEndMs), { lease: 'pong' }),
        gauge(left(leases.authorityEndMs), { lease: 'authority' }),
      ],
    ),
    family('groups', 'Groups that this host may run.', [gauge(grants.length)]),
    family('workloads', 'Workloads that are starting or running.', [gauge(records.length)]),
    family('stops', 'Stops that are under way.', [gauge(stops.length)]),
  ]
}

function ofAgent({ agent }: HostAnswer): Family[] {
  const { connected = false, replica, clock, peers, stoodStill } = agent.info ?? {}
  return [
    family('agent_up', 'Whether the agent runs.', [gauge(agent.pid !== null)]),
    family('connected', 'Whether a session with the control plane is open.', [gauge(connected)]),
    family('replica_seq', 'The last global update that the replica has.', [
      ...(replica ? [gauge(replica.seq)] : []),
    ]),
    family('host_clock_offset_seconds', 'How far its clock is ahead of the control plane.', [
      ...(clock ? [gauge(clock.offsetMs / 1_000)] : []),
    ]),
    family('peer_heard', 'Whether it hears another host of the cluster.', [
      ...(peers?.peers ?? []).map(({ name, state }) => gauge(state === 'heard', { peer: name })),
    ]),
    family(
      'standstills',
      'Times the host or the agent stood still.',
      stoodStill ? [total(stoodStill.count)] : [],
      'counter',
    ),
  ]
}

function ofMonitors({ monitors }: HostAnswer): Family[] {
  const modules = monitors.flatMap(({ monitor, tables }) =>
    tables === 'no answer' ? [] : tables.modules.map((row) => ({ monitor, row })),
  )
  return [
    family('monitor_up', 'Whether the resource monitor runs.', [
      ...monitors.map(({ monitor, pid }) => gauge(pid !== null, { monitor })),
    ]),
    family('monitor_answers', 'Whether it said what it does within a second.', [
      ...monitors.map(({ monitor, tables }) => gauge(tables !== 'no answer', { monitor })),
    ]),
    family(
      'monitor_starts',
      'Times it was started since the guard was.',
      monitors.map(({ monitor, generation }) => total(generation, { monitor })),
      'counter',
    ),
    family('monitor_uptime_seconds', 'How long it has run for.', [
      ...monitors.map(({ monitor, pid, uptimeMs }) =>
        gauge(pid === null ? 0 : uptimeMs / 1_000, { monitor }),
      ),
    ]),
    family(
      'module_calls',
      'Calls of the module since its monitor began.',
      modules.map(({ monitor, row }) => total(row.calls, { monitor, type: row.type })),
      'counter',
    ),
    family('module_calls_open', 'Calls that have not come back.', [
      ...modules.map(({ monitor, row }) => gauge(row.open.length, { monitor, type: row.type })),
    ]),
  ]
}

function ofWorkloads({ monitors }: HostAnswer): Family[] {
  const groups = monitors.flatMap(({ monitor, tables }) =>
    tables === 'no answer' ? [] : tables.groups.map((row) => ({ monitor, row, atMs: tables.atMs })),
  )
  const checks = groups.flatMap(({ monitor, row, atMs }) =>
    (['isAlive', 'looksAlive'] as const).flatMap((check) => {
      const done = row[check]
      return done ? [{ done, atMs, labels: { group: row.groupId, monitor, check } }] : []
    }),
  )
  const members = groups.flatMap(({ row }) => row.members)
  const named = ({ name, type }: { name: string; type: string }) => ({ resource: name, type })
  return [
    family('check_duration_seconds', 'How long the last check of a group took, by GUID.', [
      ...checks.map(({ done, labels }) => gauge(done.tookMs / 1_000, labels)),
    ]),
    family('check_age_seconds', 'How long ago that was.', [
      ...checks.map(({ done, atMs, labels }) =>
        gauge(Math.max(0, atMs - done.atMs) / 1_000, labels),
      ),
    ]),
    family('resource_online', 'Whether a resource of this host is online.', [
      ...members.map((m) => gauge(m.status === 'online', named(m))),
    ]),
    family('resource_wanted', 'Whether it is wanted online.', [
      ...members.map((m) => gauge(m.persistentState, named(m))),
    ]),
    family('resource_recent_restarts', 'Its restarts that count against its restart policy.', [
      ...members.map((m) => gauge(m.restarts, named(m))),
    ]),
  ]
}
