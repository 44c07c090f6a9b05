/** Metrics as monitoring reads them: of one cluster, and of an organisation. */
import type { Usage, UsageQuery } from '../schema/api/usage.ts'
import { HoldfastError } from '../schema/errors.ts'
import { LIMITS } from '../schema/limits.ts'
import { type Family, gauge, openMetricsText } from '../schema/open-metrics.ts'
import { ApiKeys, type ClusterRow } from './api-keys.ts'
import { asking, type Call, open, stubOf } from './calls.ts'
import type { AnswerTo, Read } from './object-reads.ts'
import { quotasFor } from './quotas.ts'
import { readUsageDays, today } from './usage-days.ts'

export const metricHandlers = {
  clusterMetrics: async (call: Call) =>
    openMetricsText(await open(call).stub.read({ what: 'metrics', each: true })),

  getUsage: async (call: Call<unknown, UsageQuery>): Promise<Usage> => {
    const { id, name, quotas } = asking(call).organisation
    const clusters = await call.tenants.clusters(id)
    const { after = '', from, to = today() } = call.query
    const has = { organisation: name, quotas: quotasFor(call.env, quotas) }
    if (from !== undefined) {
      const range = within(from, to)
      const days = await readUsageDays(call.env.DB, id, clusters, range)
      return { ...has, clusters: clusters.length, each: [], days }
    }
    const asked = clusters.filter((one) => one.name > after).slice(0, LIMITS.metricClustersMax)
    const answers = await askEach(call.env, asked, { what: 'usage' })
    return {
      ...has,
      clusters: clusters.length,
      each: asked.map((one, n) => ({ cluster: one.name, usage: answers[n] ?? null })),
    }
  },

  /**
   * What spans clusters is in D1. What is said of each cluster is asked of its object, which wakes it, so it
   * is the short form, of so many clusters in one answer (the rest by `after`), a few at a time: an
   * organisation of any size costs one answer the same, and one object that is slow or away neither holds up
   * the others nor makes numbers up. Copies in D1 would be a second truth, written with each change.
   */
  metrics: async (call: Call<unknown, { after?: string }>) => {
    const { id, name } = asking(call).organisation
    const [clusters, keys] = await Promise.all([
      call.tenants.clusters(id),
      new ApiKeys(call.env.DB).list(id),
    ])
    const { after = '' } = call.query
    const behind = clusters.filter((one) => one.name > after)
    const asked = behind.slice(0, LIMITS.metricClustersMax)
    const answers = await askEach(call.env, asked, { what: 'metrics', each: false })
    const of = { organisation: name }
    const valid = keys.filter((one) => one.state === 'valid')
    const expiries = valid.flatMap(({ key }) => key.expiresAtMs ?? [])
    const own: Family[] = [
      family('organisation_clusters', 'Clusters of the organisation.', [
        gauge(clusters.length, of),
      ]),
      family(
        'organisation_clusters_left',
        'Clusters behind those of this answer: ask with after.',
        [gauge(behind.length - asked.length, of)],
      ),
      family('organisation_keys', 'Valid API keys.', [gauge(valid.length, of)]),
      family(
        'organisation_key_expiry_timestamp_seconds',
        'When the first of the valid API keys ends; absent: none does.',
        expiries.length > 0 ? [gauge(Math.min(...expiries) / 1_000, of)] : [],
      ),
      family(
        'cluster_answered',
        'Whether the cluster answered in time; of one that did not there is nothing else here.',
        asked.map((one, n) => gauge(answers[n] !== null, { cluster: one.name })),
      ),
    ]
    return openMetricsText([...own, ...answers.flatMap((one) => one ?? [])])
  },
}

/** @throws {HoldfastError} BAD_REQUEST */
function within(from: string, to: string): { from: string; to: string } {
  const days = (Date.parse(to) - Date.parse(from)) / 86_400_000 + 1
  if (days >= 1 && days <= LIMITS.usageDaysKept) return { from, to }
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `usage from ${from} to ${to} cannot be told`,
    why: `It is kept for ${LIMITS.usageDaysKept} days, and told of as many, oldest first.`,
    remedy: 'Choose a later beginning, or one that is before the end.',
    errors: [{ pointer: '/from', message: `${days} days` }],
  })
}

const family = (name: string, help: string, samples: Family['samples']): Family => ({
  ...{ name: `holdfast_${name}`, type: 'gauge', help, samples },
  ...(name.endsWith('_seconds') && { unit: 'seconds' }),
})

/** In their order; null: no answer in time. */
async function askEach<R extends Read>(
  env: Env,
  clusters: readonly ClusterRow[],
  what: R,
): Promise<(Answer<R> | null)[]> {
  const answers: (Answer<R> | null)[] = clusters.map(() => null)
  const next = clusters.entries()
  const worker = async () => {
    for (const [n, { objectId }] of next) answers[n] = await inTime(env, objectId, what)
  }
  await Promise.all(Array.from({ length: LIMITS.metricClustersAtOnce }, worker))
  return answers
}

type Answer<R extends Read> = Awaited<AnswerTo<R>>

async function inTime<R extends Read>(
  env: Env,
  objectId: string,
  what: R,
): Promise<Answer<R> | null> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), LIMITS.metricAnswerMs)
  })
  try {
    return await Promise.race([stubOf(env, objectId).read(what), late])
  } catch {
    // Whatever keeps it from answering is shown as that it did not.
    return null
  } finally {
    clearTimeout(timer)
  }
}
