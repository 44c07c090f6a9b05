/** A strict reader of OpenMetrics 1.0 text: what does not fit the specification is refused with its line. */

export interface Read {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}
export interface ReadFamily {
  readonly name: string
  readonly type: string
  readonly unit: string | null
  readonly help: string
  readonly samples: Read[]
}

const METADATA = /^# (TYPE|UNIT|HELP) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/s
const SUFFIXES: Readonly<Record<string, readonly string[]>> = {
  gauge: [''],
  counter: ['_total'],
  info: ['_info'],
  histogram: ['_bucket', '_sum', '_count'],
}

export function parseOpenMetrics(text: string): Map<string, ReadFamily> {
  if (!text.endsWith('\n# EOF\n')) throw new Error('it does not end with # EOF')
  const families = new Map<string, ReadFamily>()
  const seen = new Set<string>()
  let family: ReadFamily | null = null
  for (const line of text.split('\n').slice(0, -2)) {
    const refuse = (why: string): never => {
      throw new Error(`${why}: ${line}`)
    }
    const metadata = METADATA.exec(line)
    if (metadata) {
      const [, what, name, rest] = metadata as unknown as [string, string, string, string]
      if (what === 'TYPE') {
        if (families.has(name)) refuse('a family that was there before')
        if (!(rest in SUFFIXES)) refuse('a type that is not known')
        family = { name, type: rest, unit: null, help: '', samples: [] }
        families.set(name, family)
      } else if (family?.name !== name || family.samples.length > 0)
        refuse('metadata that is not with its family')
      else if (what === 'UNIT') {
        if (!name.endsWith(`_${rest}`)) refuse('a name that does not end in its unit')
        Object.assign(family, { unit: rest })
      } else
        Object.assign(family, { help: unescaped(rest) ?? refuse('a help that is not escaped') })
      continue
    }
    const sample = parseSample(line) ?? refuse('no sample')
    if (!family) throw new Error(`a sample before its family: ${line}`)
    const suffix = sample.name.slice(family.name.length)
    if (!sample.name.startsWith(family.name) || !SUFFIXES[family.type]?.includes(suffix))
      refuse(`a sample that is not of ${family.type} ${family.name}`)
    const key = `${sample.name} ${JSON.stringify(Object.entries(sample.labels).sort())}`
    if (seen.has(key)) refuse('a sample that was there before')
    seen.add(key)
    if (family.type === 'counter' && !(sample.value >= 0)) refuse('a counter below zero')
    family.samples.push(sample)
  }
  for (const one of families.values()) if (one.type === 'histogram') checkHistogram(one)
  return families
}

/** All samples of that name, whose labels have these values. */
export function samplesOf(
  families: Map<string, ReadFamily>,
  name: string,
  labels: Record<string, string> = {},
): Read[] {
  return [...families.values()]
    .flatMap(({ samples }) => samples)
    .filter((s) => s.name === name && Object.entries(labels).every(([l, v]) => s.labels[l] === v))
}

/** Of the only one. */
export function oneValue(...of: Parameters<typeof samplesOf>): number {
  const found = samplesOf(...of)
  if (found.length !== 1) throw new Error(`${found.length} of ${of[1]} ${JSON.stringify(of[2])}`)
  return found[0]?.value ?? Number.NaN
}

function parseSample(line: string): Read | null {
  const name = /^[a-zA-Z_:][a-zA-Z0-9_:]*/.exec(line)?.[0]
  if (!name) return null
  let rest = line.slice(name.length)
  const labels: Record<string, string> = {}
  if (rest.startsWith('{')) {
    rest = rest.slice(1)
    for (;;) {
      const pair = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\[\\"n])*)"/.exec(rest)
      if (!pair) return null
      const [all, label = '', text = ''] = pair
      if (label in labels) return null
      labels[label] = unescaped(text) ?? ''
      rest = rest.slice(all.length)
      if (rest.startsWith('}')) break
      if (!rest.startsWith(',')) return null
      rest = rest.slice(1)
    }
    rest = rest.slice(1)
  }
  const value = /^ (NaN|[+-]Inf|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(rest)?.[1]
  if (value === undefined) return null
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) }
}

function unescaped(text: string): string | null {
  if (/\\(?![\\"n])/.test(text.replaceAll('\\\\', ''))) return null
  return text.replaceAll(/\\([\\"n])/g, (_, c: string) => (c === 'n' ? '\n' : c))
}

function checkHistogram({ name, samples }: ReadFamily): void {
  const ofSeries = Map.groupBy(samples, ({ labels }) => {
    const { le: _, ...rest } = labels
    return JSON.stringify(rest)
  })
  for (const [series, all] of ofSeries) {
    const buckets = all.filter((s) => s.name.endsWith('_bucket'))
    const bounds = buckets.map((s) => Number(s.labels['le']?.replace('Inf', 'Infinity')))
    const rising = (them: number[], strictly: boolean) =>
      them.every(
        (b, n) => n === 0 || b > (them[n - 1] as number) || (!strictly && b === them[n - 1]),
      )
    const last = buckets.at(-1)?.value
    const count = all.find((s) => s.name.endsWith('_count'))?.value
    const fits =
      bounds.at(-1) === Number.POSITIVE_INFINITY &&
      rising(bounds, true) &&
      rising(
        buckets.map((s) => s.value),
        false,
      ) &&
      last === count
    if (!fits) throw new Error(`histogram ${name} ${series} is none`)
  }
}
