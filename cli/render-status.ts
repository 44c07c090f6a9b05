/** One screen that says how the cluster is. Pure: `npm start` shows the same one, live. */
import type { ClusterView, GroupView, NodeView, ResourceView } from '../schema/api/bodies.ts'
import { heldBack } from './diff-views.ts'
import { formatDuration, formatInstant } from './duration.ts'
import { clean, columns, type Look, paint, type Row, sign, wrap } from './text.ts'

export interface StatusOptions {
  readonly color?: boolean
  readonly ascii?: boolean
  /** Columns; default 80. */
  readonly width?: number
  /** More columns and GUIDs; lines may be longer than `width`. */
  readonly wide?: boolean
  /** The control plane has not answered since then (its clock): the screen shows the past. */
  readonly staleSinceMs?: number
  readonly atRisk?: readonly Risk[]
}

/** What could be nowhere if a node were lost. */
export interface Risk {
  readonly node: string
  readonly groups: readonly string[]
}

export function renderStatus(view: ClusterView, options: StatusOptions = {}): string {
  const wide = options.wide ?? false
  const look: Look = {
    color: options.color ?? false,
    ascii: options.ascii ?? false,
    width: wide ? Number.POSITIVE_INFINITY : (options.width ?? 80),
  }
  const lines = [header(view, look)]
  if (options.staleSinceMs !== undefined)
    lines.push(`STALE: no answer since ${formatInstant(options.staleSinceMs, view.nowMs)}`)
  lines.push(...nodes(view, look, wide), ...groups(view, look, wide), ...problems(view, look))
  lines.push(...risks(options.atRisk ?? [], look))
  return `${lines.join('\n')}\n`
}

function header(view: ClusterView, look: Look): string {
  const count = view.problems.length
  const words = {
    healthy: 'HEALTHY',
    warning: `HEALTHY WITH ${count} WARNING${count === 1 ? '' : 'S'}`,
    outage: 'OUTAGE',
  }
  const c = paint(look)
  const color = { healthy: c.green, warning: c.yellow, outage: c.red }[view.health]
  const rest = [
    `profile ${view.profile}`,
    ...(view.takeover === 'lease' ? [] : [`takeover ${view.takeover}`]),
    `seq ${view.seq}`,
    `view ${view.view}`,
    formatInstant(view.nowMs, view.nowMs),
  ]
  return `${c.bold(view.name)}  ${color(words[view.health])}   ${rest.join('   ')}`
}

function nodes(view: ClusterView, look: Look, wide: boolean): string[] {
  if (view.nodes.length === 0)
    return ['nodes', ...wrap('  none yet. ', 'Make a join token: holdfast token create', look)]
  const rows = view.nodes.map((node): Row => {
    const cells = [
      `${nodeSign(node, look)} ${node.name}`,
      nodeState(node, look),
      `${node.groups} ${node.groups === 1 ? 'group' : 'groups'}`,
      connection(node),
    ]
    if (wide)
      cells.push(
        `position ${node.position}`,
        `epoch ${node.epoch}`,
        `types ${node.types.map((type) => type.type).join(',') || 'none'}`,
        node.id,
      )
    return { indent: 2, cells, spare: 1 }
  })
  return ['nodes', ...columns(rows, look)]
}

function nodeSign(node: NodeView, look: Look): string {
  const c = paint(look)
  if (node.state === 'down') return c.red(sign(look, 'bad'))
  if (!node.connected) return c.yellow(sign(look, 'warning'))
  if (node.paused || node.quarantinedUntilMs !== null || node.state === 'leaving')
    return c.yellow(sign(look, 'idle'))
  return c.green(sign(look, 'good'))
}

function nodeState(node: NodeView, look: Look): string {
  const c = paint(look)
  const why = heldBack(node)
  if (node.state === 'down') return c.red(`DOWN${why}`)
  if (node.state === 'leaving') return c.yellow(`leaving${why}`)
  return why === '' ? 'up' : c.yellow(why.slice(2))
}

/** A node without a session is not down yet: its lease may still run. */
function connection(node: NodeView): string {
  const heard = node.heardBy.length > 0 ? `, heard by ${node.heardBy.join(', ')}` : ''
  if (!node.connected && node.state === 'down') return 'no session'
  if (!node.connected)
    return `no session, ${node.under === 'fence' ? 'needs a fence' : 'lease may run'}${heard}`
  if (node.lastAnswerAgoMs === null) return 'connected'
  return `answered ${formatDuration(node.lastAnswerAgoMs)} ago`
}

function groups(view: ClusterView, look: Look, wide: boolean): string[] {
  if (view.groups.length === 0)
    return ['groups', ...wrap('  none yet. ', 'Make one: holdfast group create web', look)]
  // Groups share their columns, and so do resources, so that the eye can go down them.
  const groupLines = columns(
    view.groups.map((group) => groupRow(group, view.nowMs, look, wide)),
    look,
  )
  const members = view.groups.flatMap((group) => group.resources.map((one) => ({ group, one })))
  const memberLines = columns(
    members.map(({ group, one }) => resourceRow(one, one === group.resources.at(-1), look, wide)),
    look,
  )
  const lines = ['groups']
  for (const [i, group] of view.groups.entries()) {
    lines.push(groupLines[i] as string)
    if (group.stick) lines.push(...wrap('      ', stickText(group.stick, view.nowMs), look))
    for (const { node, reason } of group.waitingReasons)
      lines.push(...wrap(`      ${clean(node)}  `, reason, look))
    lines.push(...memberLines.splice(0, group.resources.length))
  }
  return lines
}

function groupRow(group: GroupView, nowMs: number, look: Look, wide: boolean): Row {
  const where = group.movingTo
    ? `${group.owner ?? 'nobody'} ${sign(look, 'arrow')} ${group.movingTo}`
    : (group.owner ?? '-')
  const cells = [`${groupSign(group, look)} ${group.name}`, groupWord(group, look), where]
  cells.push(`epoch ${group.epoch}`)
  cells.push(group.sinceMs === null ? '' : `since ${formatInstant(group.sinceMs, nowMs)}`)
  if (wide) cells.push(failovers(group), group.id)
  return { indent: 2, cells, spare: 2 }
}

/** A rule that an operator has left behind is seen wherever the group is. */
export const stickText = (
  { node, by, reason, untilMs }: NonNullable<GroupView['stick']>,
  nowMs: number,
): string => clean(`stays on ${node} until ${formatInstant(untilMs, nowMs)}, said ${by}: ${reason}`)

const failovers = (group: GroupView) =>
  `failovers ${group.recentFailovers}/${group.failoverThreshold} in ${formatDuration(group.failoverPeriodMs)}`

function groupSign(group: GroupView, look: Look): string {
  const c = paint(look)
  switch (group.state) {
    case 'online':
      return c.green(sign(look, 'good'))
    case 'partialOnline':
      return c.green(sign(look, 'partly'))
    case 'pending':
      return c.yellow(sign(look, 'partly'))
    case 'waiting':
      return c.yellow(sign(look, 'warning'))
    case 'failed':
      return c.red(sign(look, 'bad'))
    case 'offline':
      return sign(look, 'idle')
  }
}

function groupWord(group: GroupView, look: Look): string {
  const c = paint(look)
  switch (group.state) {
    case 'online':
    case 'offline':
      return group.state
    case 'partialOnline':
      return 'partly online'
    case 'pending':
      return c.yellow(group.phase === 'releasing' ? 'stopping' : 'pending')
    case 'waiting':
      return c.yellow('WAITING')
    case 'failed':
      return c.red('FAILED')
  }
}

function resourceRow(one: ResourceView, last: boolean, look: Look, wide: boolean): Row {
  const branch = sign(look, last ? 'lastBranch' : 'branch')
  const cells = [`${branch} ${one.name}`, one.type, resourceWord(one, look)]
  const notes: string[] = []
  if (one.restarts > 0) notes.push(`${one.restarts} ${one.restarts === 1 ? 'restart' : 'restarts'}`)
  if (one.detail) notes.push(clean(one.detail))
  cells.push(notes.join('; '))
  if (wide) cells.push(one.needs === '' ? '' : `needs ${one.needs}`, one.id)
  return { indent: 4, cells, spare: 0 }
}

/** What is observed, and what is wanted where that differs. */
function resourceWord(one: ResourceView, look: Look): string {
  const c = paint(look)
  const words = {
    online: 'online',
    offline: 'offline',
    failed: c.red('FAILED'),
    onlinePending: c.yellow('starting'),
    offlinePending: c.yellow('stopping'),
    unknown: c.yellow('unknown'),
  }
  const word = words[one.status]
  if (one.persistentState === 1 && one.status === 'offline') return `${word}, wanted online`
  if (one.persistentState === 0 && one.status === 'online') return `${word}, wanted offline`
  if (one.degraded) return c.yellow('degraded')
  return word
}

function problems(view: ClusterView, look: Look): string[] {
  if (view.problems.length === 0) return []
  const lines = [`problems (${view.problems.length})`]
  for (const { subject, message, remedy } of view.problems) {
    lines.push(...wrap(`  ${sign(look, 'warning')} ${clean(subject)}: `, message, look))
    if (remedy) lines.push(...wrap(`      ${sign(look, 'arrow')} `, remedy, look))
  }
  return lines
}

function risks(atRisk: readonly Risk[], look: Look): string[] {
  if (atRisk.length === 0) return []
  const lines = [`at risk (${atRisk.length})`]
  for (const { node, groups: names } of atRisk) {
    const message = `if it is lost, no node can take ${names.join(', ')}`
    lines.push(...wrap(`  ${sign(look, 'warning')} ${clean(node)}: `, message, look))
  }
  return [...lines, ...wrap(`      ${sign(look, 'arrow')} `, 'holdfast survivability', look)]
}
