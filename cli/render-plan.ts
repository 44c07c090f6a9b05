/** A plan for people: what changes, what the cluster does because of it, what to think of. */
import type { ConfigChange, ConfigEffect, PlanView } from '../schema/api/config.ts'
import { formatDuration } from './duration.ts'
import { clean, table } from './text.ts'

const SIGN = { create: '+', change: '~', delete: '-' } as const

export function planText({ changes, effects, warnings, kept, later }: PlanView): string {
  const parts = [changesText(changes)]
  if (changes.length > 0) parts.push(effectsText(effects))
  if (warnings.length > 0)
    parts.push(
      [
        'Warnings:',
        ...warnings.flatMap((w) => [`  ${clean(w.message)}`, `    try: ${w.remedy}`]),
      ].join('\n'),
    )
  if (kept.length > 0)
    parts.push(
      `Not in the file, and kept (--prune deletes): ${kept.map((k) => `${k.kind} ${k.name}`).join(', ')}`,
    )
  if (later.length > 0)
    parts.push(`Stopped first, then deleted: ${later.map(({ name }) => name).join(', ')}`)
  return parts.join('\n\n')
}

export function changesText(changes: readonly ConfigChange[]): string {
  if (changes.length === 0) return 'The cluster is so already: nothing to change.'
  const rows = changes.flatMap((one) => [
    `  ${SIGN[one.action]} ${one.kind} ${one.name}`,
    ...one.fields.map(({ field, from, to }) => `      ${field}: ${short(from)} → ${short(to)}`),
  ])
  const count = (action: ConfigChange['action']) =>
    changes.filter((one) => one.action === action).length
  const sum = `${count('create')} made, ${count('change')} changed, ${count('delete')} deleted`
  return [`Changes (+ made, ~ changed, - deleted): ${sum}`, ...rows].join('\n')
}

const SHOWN_MAX = 60

function short(value: unknown): string {
  const text = clean(typeof value === 'string' ? value : JSON.stringify(value))
  return text.length <= SHOWN_MAX ? text : `${text.slice(0, SHOWN_MAX - 1)}…`
}

export function effectsText(effects: readonly ConfigEffect[]): string {
  if (effects.length === 0) return 'Nothing starts, stops or moves because of it.'
  return table(
    ['group', 'what', 'from', 'to', 'away', 'why'],
    effects.map((one) => [
      one.group,
      one.what === 'members' ? memberText(one) : one.what,
      one.from ?? '-',
      one.to ?? (one.what === 'waits' ? 'nowhere' : '-'),
      one.outageMs === null ? '-' : `about ${formatDuration(one.outageMs)}`,
      one.reasons.map(({ node, reason }) => `${node} ${reason}`).join('; '),
    ]),
  )
}

const memberText = ({ starts, stops }: ConfigEffect): string =>
  [
    ...(stops.length > 0 ? [`stops ${stops.join(', ')}`] : []),
    ...(starts.length > 0 ? [`starts ${starts.join(', ')}`] : []),
  ].join('; ')
