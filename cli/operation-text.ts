/** Operations as people read them. */
import type { OperationStep, OperationSummary, OperationView } from '../schema/api/operations.ts'
import { formatDuration } from './duration.ts'
import { clean, facts, table } from './text.ts'

const VERBS: Readonly<Record<OperationStep['what'], string>> = {
  stop: 'stop',
  carry: 'carry',
  place: 'place',
  start: 'start',
  leave: 'move',
}

/** `start nginx on n2`. */
const stepName = ({ what, subject, node }: OperationStep): string =>
  `${VERBS[what]} ${subject}${node === null ? '' : ` ${what === 'leave' ? 'to' : 'on'} ${node}`}`

/** `9.0 s of 180 s`. */
function stepTime({ state, ms, limitMs }: OperationStep): string {
  if (ms === null) return ''
  const took = formatDuration(ms)
  return state === 'running' && limitMs !== null ? `${took} of ${formatDuration(limitMs)}` : took
}

const stepLine = (step: OperationStep): string =>
  [stepName(step), step.state, stepTime(step), step.detail === null ? '' : clean(step.detail)]
    .filter((part) => part !== '')
    .join('  ')

const progressText = ({ progress }: OperationSummary): string =>
  `${progress.done} of ${progress.of}`

/** `outage 31 ms`; of several groups each with its own. */
export function outageText({ groups }: OperationView): string | null {
  const known = groups.flatMap(({ group, outage }) => (outage ? [{ group, outage }] : []))
  const text = ({ outage }: (typeof known)[number]) =>
    `${outage.is === 'atMost' ? 'at most ' : ''}${formatDuration(outage.ms)}`
  if (known.length === 0) return null
  if (known.length === 1 && groups.length === 1) return `outage ${known.map(text).join()}`
  const longest = known.reduce((a, b) => (b.outage.ms > a.outage.ms ? b : a))
  return `longest outage ${text(longest)}, of ${longest.group}`
}

export function operationText(one: OperationView): string {
  const rows = [
    ['operation', `${one.id}  ${one.kind} of ${one.subject.kind} ${one.subject.name}`],
    ['state', `${one.state}: ${clean(one.summary)}`],
    ['asked for', `by ${one.by}, ${new Date(one.beganAtMs).toISOString()}`],
    ['took', takenText(one)],
    ['steps', progressText(one)],
    ...(one.cancel === null
      ? []
      : [['cancel', `${one.cancel}: holdfast operation cancel ${one.id}`]]),
  ]
  const steps = one.steps.map((step) => [
    stepName(step),
    step.state,
    stepTime(step),
    step.detail === null ? '' : clean(step.detail),
  ])
  const groups = one.groups.map(({ group, from, to, outage }) => [
    group,
    from ?? '-',
    to ?? '-',
    outage === null
      ? '-'
      : `${outage.is === 'atMost' ? 'at most ' : ''}${formatDuration(outage.ms)}`,
  ])
  return [
    facts(rows),
    ...(steps.length > 0 ? ['', table(['step', 'state', 'took', 'detail'], steps)] : []),
    ...(groups.length > 0 ? ['', table(['group', 'from', 'to', 'outage'], groups)] : []),
  ].join('\n')
}

function takenText({ elapsedMs, endedAtMs, limitMs }: OperationSummary): string {
  const took = formatDuration(elapsedMs)
  if (endedAtMs !== null || limitMs === null) return took
  return `${took} so far, of ${formatDuration(limitMs)} at most`
}

export const operationList = (all: readonly OperationSummary[]): string =>
  all.length === 0
    ? 'no operations are known'
    : table(
        ['id', 'when', 'what', 'state', 'steps', 'took', 'by'],
        all.map((one) => [
          one.id,
          new Date(one.beganAtMs).toISOString(),
          `${one.kind} ${one.subject.name}`,
          one.state,
          progressText(one),
          formatDuration(one.elapsedMs),
          one.by,
        ]),
      )

/** What has become of its steps since the last look, a line each. */
export class StepLines {
  readonly #told = new Map<string, string>()

  next({ steps }: OperationView): string[] {
    return steps.flatMap((step) => {
      const key = `${step.what} ${step.subject}`
      if (step.state === 'pending' || this.#told.get(key) === step.state) return []
      this.#told.set(key, step.state)
      // It has only just begun.
      return [stepLine(step.state === 'running' ? { ...step, ms: null } : step)]
    })
  }
}
