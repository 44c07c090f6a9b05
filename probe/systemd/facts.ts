/**
 * What of a unit decides whether the cluster may have it: only the cluster may start it, and all of it
 * has to end with its processes (G2, G5). Pure.
 */
import * as z from 'zod'

const text = z.string()
const names = z.array(text).default([])

const ofUnit = z.object({
  Id: text,
  LoadState: text,
  LoadError: z.tuple([text, text]).default(['', '']),
  ActiveState: text,
  SubState: text,
  UnitFileState: text.default(''),
  NeedDaemonReload: z.boolean(),
  Asserts: z.array(z.tuple([text, z.boolean(), z.boolean(), text, z.int()])),
  TriggeredBy: names,
  WantedBy: names,
  RequiredBy: names,
  BoundBy: names,
  UpheldBy: names,
  OnFailureOf: names,
  OnSuccessOf: names,
})
const ofService = z.object({
  Type: text.default('simple'),
  Restart: text.default('no'),
  RestartForceExitStatus: z.tuple([z.array(z.int()), z.array(z.int())]).default([[], []]),
  RemainAfterExit: z.boolean().default(false),
  Slice: text.default(''),
})

export type UnitFacts = z.infer<typeof ofUnit> & z.infer<typeof ofService>

/** @throws {z.ZodError} that is no unit of any systemd that is known */
export function unitFacts(unit: unknown, service: unknown): UnitFacts {
  return { ...ofUnit.parse(unit), ...ofService.parse(service) }
}

/** Whether systemd, as it has read the unit, fails each start without this file. */
export function looksAt({ Asserts }: UnitFacts, mark: string): boolean {
  return Asserts.some(
    ([kind, trigger, negate, parameter]) =>
      kind === 'AssertPathExists' && !trigger && !negate && parameter === mark,
  )
}

/** Where systemd puts the processes of the unit, below the mount of cgroup v2. */
export function cgroupOf({ Slice, Id }: UnitFacts): string {
  const own = Slice.replace(/\.slice$/, '')
  const parts = own === '' || own === '-' ? [] : own.split('-')
  const folders = parts.map((_, i) => `/${parts.slice(0, i + 1).join('-')}.slice`)
  return `${folders.join('')}/${Id}`
}

/** Why there is no such unit here, with what to do; null: there is one. */
export function absence(unit: string, { LoadState, LoadError }: UnitFacts): string | null {
  switch (LoadState) {
    case 'loaded':
      return null
    case 'not-found':
      return `there is no unit ${unit} on this host: install what brings it, then: systemctl daemon-reload`
    case 'masked':
      return `unit ${unit} is masked: systemctl unmask ${unit}`
    default:
      return `unit ${unit} cannot be loaded (${LoadError[1] || LoadState}): systemd-analyze verify ${unit}`
  }
}

/** What else there is that could start it, or would outlive it, with the fix; null: nothing. */
export function obstacle(unit: string, facts: UnitFacts): string | null {
  const { Id, Type, Restart, RestartForceExitStatus, RemainAfterExit, UnitFileState } = facts
  if (Id !== unit) return `${unit} is another name of ${Id}: use that one`
  if (Type === 'oneshot')
    return `unit ${unit} is of Type=oneshot: what it leaves has no processes by which it could be ended. Use type script or ocf`
  if (Restart !== 'no' || RestartForceExitStatus.flat().length > 0)
    return `systemd itself would start ${unit} again (Restart=${Restart}), which is the cluster's to decide: ${dropIn(unit, 'Restart=no\\nRestartForceExitStatus=')}`
  if (RemainAfterExit)
    return `unit ${unit} lasts without its processes (RemainAfterExit=yes): ${dropIn(unit, 'RemainAfterExit=no')}`
  if (UnitFileState.startsWith('enabled'))
    return `unit ${unit} is enabled: it would start at boot on every host. systemctl disable ${unit}`
  const by = starters(facts)
  if (by.length > 0)
    return `unit ${unit} is started by ${by.join(', ')}: take it out of there (systemctl cat ${by[0]}), then: systemctl daemon-reload`
  return null
}

/** Sockets, timers and paths that start it do so only while they are armed. */
export const armedText = (unit: string, armed: readonly string[]): string =>
  `unit ${unit} is started by ${armed.join(', ')}: systemctl disable --now ${armed.join(' ')}`

function starters(facts: UnitFacts): string[] {
  const { WantedBy, RequiredBy, BoundBy, UpheldBy, OnFailureOf, OnSuccessOf } = facts
  const all = [WantedBy, RequiredBy, BoundBy, UpheldBy, OnFailureOf, OnSuccessOf].flat()
  return [...new Set(all)].sort()
}

function dropIn(unit: string, lines: string): string {
  const folder = `/etc/systemd/system/${unit}.d`
  return `mkdir -p ${folder} && printf '[Service]\\n${lines}\\n' > ${folder}/cluster.conf && systemctl daemon-reload`
}
