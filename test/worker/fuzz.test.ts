/** Requests that nobody should send, at every route: refused in words, never a 500, nothing changed. */
import fc from 'fast-check'
import { beforeAll, expect, test } from 'vitest'
import { problem } from '../../schema/api/bodies.ts'
import { type RouteName, routes } from '../../schema/api/routes.ts'
import { frameText } from '../fuzz/arbitrary.ts'
import { fetchApi, insertKey, ok, TestCluster } from './api.ts'

beforeAll(insertKey)

const EACH = 40
const WORDS = ['web', 'n1', 'prod', '..', '%00', 'a'.repeat(300), "'; drop table api_keys;--", '💥']
/** Their bodies ask for nothing: what they do is in their path. */
const names = (Object.keys(routes) as RouteName[]).filter((name) => routes[name].method !== 'GET')

test(`${EACH} bad bodies for each of ${names.length} routes that write`, async () => {
  const cluster = await TestCluster.form('standard')
  const before = await ok('getHive', { params: cluster.params })
  let refused = 0
  for (const name of names) {
    const route = routes[name]
    const body = 'body' in route ? frameText(route.body) : fc.string({ maxLength: 20 })
    const texts = fc.sample(fc.tuple(body, fc.constantFrom(...WORDS)), { numRuns: EACH, seed: 7 })
    for (const [text, word] of texts) {
      // A body that fits is carried out, and that is not what this is about.
      if ('body' in route && route.body.safeParse(parsed(text)).success) continue
      const params: Record<string, string> = { ...cluster.params }
      const path = route.path.replace(/:([a-z]+)/g, (_, key: string) =>
        encodeURIComponent(params[key] ?? word),
      )
      const response = await fetchApi(path, { method: route.method, body: text })
      const answer = await response.json()
      expect(response.status, `${name} ${text} ${JSON.stringify(answer)}`).toBeLessThan(500)
      if (response.status < 400) continue
      refused += 1
      expect(problem.parse(answer).title).not.toBe('')
    }
  }
  expect(refused).toBeGreaterThan(EACH * names.length * 0.5)
  expect(await ok('getHive', { params: cluster.params })).toEqual(before)
}, 300_000)

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
