/** Metrics as data, and their text: OpenMetrics 1.0, as control plane and probe show it. */

export const OPEN_METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8'

/** One number. `suffix` is what the sample's name has behind that of its family, such as `_total`. */
export interface Sample {
  readonly suffix: '' | '_total' | '_info' | '_bucket' | '_sum' | '_count'
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** All samples of one meaning. A name ends in its unit, where it has one: base units only. */
export interface Family {
  readonly name: string
  readonly type: 'gauge' | 'counter' | 'info' | 'histogram'
  readonly unit?: 'seconds' | 'bytes'
  readonly help: string
  readonly samples: readonly Sample[]
}

const NAME = /^holdfast_[a-z][a-z0-9_]*$/
const LABEL = /^[a-z][a-z0-9_]*$/

/**
 * The whole exposition. Families of one name become one, since a name may stand there only once.
 *
 * @throws {Error} a name that is none: our bug
 * @see https://github.com/prometheus/OpenMetrics/blob/main/specification/OpenMetrics.md
 */
export function openMetricsText(families: readonly Family[]): string {
  const byName = Map.groupBy(families, ({ name }) => name)
  const lines = [...byName.values()].flatMap((same) => familyLines(same))
  return `${[...lines, '# EOF'].join('\n')}\n`
}

function familyLines(same: readonly Family[]): string[] {
  const [family] = same as [Family]
  const { name, type, unit, help } = family
  if (!NAME.test(name) || name.endsWith('_total')) throw new Error(`no name of a metric: ${name}`)
  if (unit && !name.endsWith(`_${unit}`)) throw new Error(`${name} does not end in ${unit}`)
  return [
    `# TYPE ${name} ${type}`,
    ...(unit ? [`# UNIT ${name} ${unit}`] : []),
    `# HELP ${name} ${escaped(help)}`,
    ...same.flatMap(({ samples }) => samples.map((sample) => sampleLine(name, sample))),
  ]
}

function sampleLine(name: string, { suffix, labels, value }: Sample): string {
  const pairs = Object.entries(labels).map(([label, text]) => {
    if (!LABEL.test(label)) throw new Error(`no name of a label: ${label}`)
    return `${label}="${escaped(text)}"`
  })
  const labelled = pairs.length > 0 ? `{${pairs.join(',')}}` : ''
  return `${name}${suffix}${labelled} ${numberText(value)}`
}

/** A line ends with a line feed and nothing else; other characters stand for themselves. */
const escaped = (text: string): string =>
  text.toWellFormed().replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  if (Number.isFinite(value)) return String(value)
  return value > 0 ? '+Inf' : '-Inf'
}

/** The values of a label: each is there, and one of them is 1. */
export function oneOf<S extends string>(
  states: readonly S[],
  is: S,
  labels: Readonly<Record<string, string>>,
): Sample[] {
  return states.map((state) => gauge(state === is ? 1 : 0, { ...labels, state }))
}

export const gauge = (value: number | boolean, labels: Sample['labels'] = {}): Sample => ({
  ...{ suffix: '', labels, value: Number(value) },
})

export const total = (value: number, labels: Sample['labels'] = {}): Sample => ({
  ...{ suffix: '_total', labels, value },
})

/**
 * @param counts of each bucket alone; one more than there are bounds, for what is beyond the last
 * @param bounds upper ones, included, rising
 */
export function histogram(
  bounds: readonly number[],
  counts: readonly number[],
  sum: number,
  labels: Sample['labels'],
): Sample[] {
  let count = 0
  const buckets = [...bounds, Number.POSITIVE_INFINITY].map((bound, n): Sample => {
    count += counts[n] ?? 0
    // Canonical numbers, so that a bucket has one name: 1.0, not 1.
    const le = Number.isInteger(bound) ? `${bound}.0` : numberText(bound)
    return { suffix: '_bucket', labels: { ...labels, le }, value: count }
  })
  return [
    ...buckets,
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: count },
  ]
}
