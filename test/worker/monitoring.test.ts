/** The dashboard and the alerts that are shipped: all that they ask for is in real scrapes. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import docs from '../../docs/metrics.md?raw'
import rulesText from '../../monitoring/alerts.yaml?raw'
import dashboardText from '../../monitoring/grafana-dashboard.json?raw'
import { parseOpenMetrics, type Read, type ReadFamily } from '../open-metrics.ts'
import { fetchApi, insertKey, ok, TestCluster } from './api.ts'
import { TestNode } from './test-node.ts'

interface Rule {
  alert: string
  expr: string
  for?: string
  labels: { severity: string }
  annotations: { summary: string; description: string }
}

const rules = (parse(rulesText) as { groups: { rules: Rule[] }[] }).groups.flatMap((g) => g.rules)
interface Panel {
  title: string
  targets: { expr: string; legendFormat: string }[]
}
const dashboard = JSON.parse(dashboardText) as {
  panels: Panel[]
  templating: { list: { definition?: string }[] }
}
const queries = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr, legendFormat }) => ({ title, expr, legendFormat })),
)

const samples: Read[] = []
const families = new Map<string, ReadFamily>()

async function scrape(path: string): Promise<void> {
  const response = await fetchApi(path)
  const text = new TextDecoder().decode(await response.arrayBuffer())
  expect(response.status, text).toBe(200)
  for (const [name, family] of parseOpenMetrics(text)) {
    families.set(name, family)
    samples.push(...family.samples)
  }
}

let timer: ReturnType<typeof setInterval>
afterAll(() => clearInterval(timer))

/** A cluster with hosts, one of which gives up on a resource, and is lost. */
beforeAll(async () => {
  await insertKey()
  const cluster = await TestCluster.form('fast')
  const n1 = await TestNode.up(cluster, 'n1')
  const pinging = [n1]
  timer = setInterval(() => {
    for (const { line } of pinging) if (!line.closed) line.ws.send('ping')
  }, 200)
  const n2 = await TestNode.up(cluster, 'n2')
  pinging.push(n2)
  n1.line.send({ t: 'clock', clock: { offsetMs: 12, errorMs: 2, driftPpm: null } })
  const groupId = await cluster.group('web')
  const resourceId = await cluster.resource('web', 'nginx')
  const tell = (node: TestNode, epoch: number, status: 'online' | 'failed', gaveUp = false) =>
    node.tell({
      t: 'status',
      items: [{ resourceId, epoch, status, gaveUp, restarts: gaveUp ? 3 : 0 }],
    })
  const epoch = await n1.take(groupId)
  await tell(n1, epoch, 'online')
  await scrape(`/v1/clusters/${cluster.name}/metrics`)
  await tell(n1, epoch, 'failed', true)
  await n1.tell({ t: 'released', groupId, epoch, why: 'asked' })
  await tell(n2, await n2.take(groupId), 'online')
  pinging.splice(0, 1)
  n1.line.ws.close(1000, 'gone')
  await cluster.until('down', ({ nodes }) => nodes.some((n) => n.state === 'down'))
  await fencedWithoutSuccess()
  await scrape(`/v1/clusters/${cluster.name}/metrics`)
  await scrape('/v1/metrics')
}, 90_000)

/** In a cluster of its own: a fence agent that says it could not, so that the lease is waited for. */
async function fencedWithoutSuccess(): Promise<void> {
  const cluster = await TestCluster.form('fast')
  const lost = await TestNode.up(cluster, 'lost')
  const groupId = await cluster.group('mail')
  await cluster.resource('mail', 'postfix', { persistentState: 1 })
  await lost.take(groupId)
  const helper = await TestNode.up(cluster, 'helper')
  const pings = setInterval(() => helper.line.ws.send('ping'), 200)
  await ok('setFence', {
    params: { ...cluster.params, node: 'lost' },
    body: { agent: 'fence_dummy', attempts: 1, delayMs: 0 },
  })
  lost.line.ws.close(1000, 'gone')
  const { order } = await helper.line.next('fence')
  const { target, boot, request } = order as {
    target: { id: string }
    boot: string
    request: string
  }
  await helper.tell({
    t: 'fenced',
    ...{
      target: target.id,
      boot,
      request,
      outcome: 'failed',
      detail: 'no answer of the power switch',
    },
  })
  await helper.take(groupId)
  clearInterval(pings)
  await scrape(`/v1/clusters/${cluster.name}/metrics`)
}

const SELECTOR = /(\b[a-z_]+)(?:\{([^}]*)\})?/g
const FUNCTIONS = /^(?:holdfast_|up$)/

interface Asked {
  name: string
  matchers: { label: string; isRegex: boolean; value: string }[]
}

/** Every metric that a query names, with what it wants of the labels. */
function askedFor(expr: string): Asked[] {
  return [...expr.matchAll(SELECTOR)].flatMap(([, name = '', braces = '']) => {
    if (!FUNCTIONS.test(name)) return []
    const matchers = [...braces.matchAll(/([a-z_]+)(=~|=)"([^"]*)"/g)].map(
      ([, label = '', how, value = '']) => ({ label, isRegex: how === '=~', value }),
    )
    return [{ name, matchers }]
  })
}

/** Labels that a query groups or joins by. */
const groupedBy = (expr: string): string[] =>
  [...expr.matchAll(/\b(?:by|on|ignoring) \(([^)]*)\)/g)].flatMap(([, list = '']) =>
    list.split(',').map((one) => one.trim()),
  )

const shownLabels = (text: string): string[] =>
  [...text.matchAll(/\{\{ ?(?:\$labels\.)?([a-z_]+) ?\}\}/g)].map(([, label = '']) => label)

/** Each value that is wanted is there: of alternatives, all are. */
function check({ name, matchers }: Asked): string[] {
  if (name === 'up') return []
  const named = samples.filter((s) => s.name === name)
  if (named.length === 0) return [`no sample of ${name}`]
  return matchers.flatMap(({ label, isRegex, value }) => {
    if (named.some((s) => s.labels[label] === undefined)) return [`${name} has no label ${label}`]
    if (value.startsWith('$')) return []
    const wanted = isRegex ? value.split('|') : [value]
    return wanted
      .filter((one) => !named.some((s) => s.labels[label] === one))
      .map((one) => `${name} is never with ${label}="${one}"`)
  })
}

/** What a query leaves of labels: those of all that it names. */
const labelsOf = (expr: string): Set<string> => {
  const lists = askedFor(expr)
    .filter(({ name }) => name !== 'up')
    .map(({ name }) => samples.find((s) => s.name === name)?.labels ?? {})
  return new Set(lists.flatMap((labels) => Object.keys(labels)))
}

test.each(rules)('alert $alert', ({ expr, labels, annotations }) => {
  expect(askedFor(expr).length).toBeGreaterThan(0)
  expect(askedFor(expr).flatMap(check)).toEqual([])
  const known = labelsOf(expr)
  const used = [...groupedBy(expr), ...shownLabels(annotations.summary + annotations.description)]
  expect(used.filter((label) => !known.has(label))).toEqual([])
  expect(['critical', 'warning']).toContain(labels.severity)
})

test.each(queries)('dashboard: $title: $expr', ({ expr, legendFormat }) => {
  expect(askedFor(expr).length).toBeGreaterThan(0)
  expect(askedFor(expr).flatMap(check)).toEqual([])
  const known = labelsOf(expr)
  const used = [...groupedBy(expr), ...shownLabels(legendFormat)]
  expect(used.filter((label) => !known.has(label))).toEqual([])
  // Whoever looks at one cluster does not see another.
  for (const { matchers } of askedFor(expr))
    expect(matchers).toContainEqual({ label: 'cluster', isRegex: true, value: '$cluster' })
})

test('its list of clusters comes from a metric that there is', () => {
  const [, name, label] = /label_values\((\w+), (\w+)\)/.exec(
    dashboard.templating.list.find((one) => one.definition)?.definition ?? '',
  ) as unknown as [string, string, string]
  expect(samples.find((s) => s.name === name)?.labels).toHaveProperty(label)
})

test('docs/metrics.md has every metric with its type, and no other', () => {
  const rows = [...docs.matchAll(/^\| `(holdfast_[a-z_]+)` \| (\w+) \|/gm)]
  const written = rows
    .map(([, name = '', type = '']) => [name, type])
    .filter(([name]) => !name?.startsWith('holdfast_probe_') || name === 'holdfast_probe_info')
  const suffix = { counter: '_total', info: '_info' } as Record<string, string>
  const there = [...families.values()].map(({ name, type }) => [name + (suffix[type] ?? ''), type])
  expect(written.sort()).toEqual(there.sort())
})
