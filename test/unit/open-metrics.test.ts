/** The text of metrics, read back by a strict reader of the format. */
import { expect, test } from 'vitest'
import {
  type Family,
  gauge,
  histogram,
  oneOf,
  openMetricsText,
  total,
} from '../../schema/open-metrics.ts'
import { oneValue, parseOpenMetrics, samplesOf } from '../open-metrics.ts'

const family = (over: Partial<Family>): Family => ({
  ...{ name: 'holdfast_x', type: 'gauge', help: 'x', samples: [] },
  ...over,
})

test('a family with unit, help and samples, and the end', () => {
  const age = family({ name: 'holdfast_age_seconds', unit: 'seconds', help: 'How old.' })
  const text = openMetricsText([{ ...age, samples: [gauge(1.5, { node: 'n1' })] }])
  expect(text).toBe(
    '# TYPE holdfast_age_seconds gauge\n# UNIT holdfast_age_seconds seconds\n# HELP holdfast_age_seconds How old.\nholdfast_age_seconds{node="n1"} 1.5\n# EOF\n',
  )
})

test('families of one name stand together, once', () => {
  const text = openMetricsText([
    family({ samples: [gauge(1, { cluster: 'a' })] }),
    family({ name: 'holdfast_y' }),
    family({ samples: [gauge(2, { cluster: 'b' })] }),
  ])
  expect(text.match(/# TYPE holdfast_x/g)).toHaveLength(1)
  expect(oneValue(parseOpenMetrics(text), 'holdfast_x', { cluster: 'b' })).toBe(2)
})

test.each([
  'a"} 1\nholdfast_evil 1\n# EOF\n',
  'back\\slash',
  '\\',
  '\\n',
  'line\r\nfeed',
  'ünïcode 🎛',
  '}{,="',
  '\u2028\u0000\u202e',
  '',
])('hostile text %j is one value of one label, and nothing else', (text) => {
  const samples = [gauge(1, { node: text, other: 'o' })]
  const read = parseOpenMetrics(openMetricsText([family({ samples, help: text || 'h' })]))
  expect([...read.keys()]).toEqual(['holdfast_x'])
  expect(samplesOf(read, 'holdfast_x')).toEqual([
    { name: 'holdfast_x', labels: { node: text, other: 'o' }, value: 1 },
  ])
  expect(read.get('holdfast_x')?.help).toBe(text || 'h')
})

test('half a surrogate pair becomes the sign for what cannot be shown', () => {
  const text = openMetricsText([family({ samples: [gauge(1, { node: 'a\ud800' })] })])
  expect(text).toContain('node="a\ufffd"')
})

test('buckets add up; their bounds have one way of being written', () => {
  const name = 'holdfast_t_seconds'
  const samples = histogram([0.5, 1, 10], [1, 0, 2, 4], 99.25, { reason: 'r' })
  const text = openMetricsText([family({ name, type: 'histogram', unit: 'seconds', samples })])
  expect(text).toContain('le="1.0"} 1\n')
  const read = parseOpenMetrics(text)
  expect(samplesOf(read, `${name}_bucket`).map((s) => [s.labels['le'], s.value])).toEqual([
    ['0.5', 1],
    ['1.0', 1],
    ['10.0', 3],
    ['+Inf', 7],
  ])
  expect(oneValue(read, `${name}_sum`)).toBe(99.25)
})

test('one of the states is 1', () => {
  const text = openMetricsText([family({ samples: oneOf(['up', 'down'], 'down', { node: 'n' }) })])
  const read = parseOpenMetrics(text)
  expect(oneValue(read, 'holdfast_x', { state: 'up' })).toBe(0)
  expect(oneValue(read, 'holdfast_x', { state: 'down' })).toBe(1)
})

test.each([
  family({ name: 'holdfast_x_total', type: 'counter' }),
  family({ name: 'holdfast_X' }),
  family({ name: 'x' }),
  family({ name: 'holdfast_x', unit: 'seconds' }),
  family({ samples: [gauge(1, { 'a-b': '' })] }),
])('a name that is none is our bug', (wrong) => {
  expect(() => openMetricsText([wrong])).toThrow()
})

test.each([
  ['no end', 'a 1\n'],
  ['a sample without its family', 'holdfast_x 1\n# EOF\n'],
  ['a counter without _total', '# TYPE holdfast_x counter\nholdfast_x 1\n# EOF\n'],
  ['the same sample again', '# TYPE holdfast_x gauge\nholdfast_x 1\nholdfast_x 2\n# EOF\n'],
  ['a value that is none', '# TYPE holdfast_x gauge\nholdfast_x one\n# EOF\n'],
  ['a label that is not closed', '# TYPE holdfast_x gauge\nholdfast_x{a="b} 1\n# EOF\n'],
  ['an escape that is none', '# TYPE holdfast_x gauge\nholdfast_x{a="\\t"} 1\n# EOF\n'],
  ['an empty line', '# TYPE holdfast_x gauge\n\n# EOF\n'],
  ['a family again', '# TYPE holdfast_x gauge\n# TYPE holdfast_x gauge\n# EOF\n'],
])('the reader of the tests refuses %s', (_, text) => {
  expect(() => parseOpenMetrics(text)).toThrow()
})

test('a counter has its suffix', () => {
  const samples = [total(3, { node: 'n1' })]
  const text = openMetricsText([family({ type: 'counter', samples })])
  expect(oneValue(parseOpenMetrics(text), 'holdfast_x_total')).toBe(3)
})
