/**
 * Every operation of the OpenAPI document × whoever may ask: the status that is expected. An operation without a
 * row here fails.
 */
import { exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Access, includes, type Role, role } from '../../schema/api/access.ts'
import type { Problem } from '../../schema/api/bodies.ts'
import { openApi } from '../../schema/api/openapi.ts'
import { addKey, addOrganisation, insertKey, ok, revokeKey, TestCluster } from './api.ts'

/** What is needed, and the status for who has it: of a body that does not fit, of what is not there. */
type Row = readonly [needs: Access, admitted: 200 | 400 | 404]

const ROWS: Readonly<Record<string, Row>> = {
  listClusters: ['anyKey', 200],
  createCluster: ['admin', 400],
  getCluster: ['read', 200],
  changeCluster: ['admin', 400],
  getHive: ['read', 200],
  createToken: ['admin', 400],
  join: ['joinToken', 400],
  listTypes: ['read', 200],
  whoami: ['anyKey', 200],
  listKeys: ['admin', 200],
  createKey: ['admin', 400],
  rotateKey: ['admin', 200],
  revokeKey: ['admin', 200],
  listWebhooks: ['admin', 200],
  createWebhook: ['admin', 400],
  changeWebhook: ['admin', 404],
  rotateWebhook: ['admin', 404],
  deleteWebhook: ['admin', 404],
  testWebhook: ['admin', 404],
  listDeliveries: ['admin', 404],
  replayWebhook: ['admin', 404],
  listAudit: ['admin', 200],
  listClusterAudit: ['admin', 200],
  listNodes: ['read', 200],
  getNode: ['read', 404],
  whyNode: ['read', 404],
  changeNode: ['admin', 400],
  pauseNode: ['operate', 404],
  drainNode: ['operate', 404],
  resumeNode: ['operate', 400],
  evictNode: ['admin', 404],
  setFence: ['admin', 400],
  removeFence: ['admin', 404],
  confirmFence: ['operate', 400],
  testFence: ['operate', 400],
  simulate: ['read', 400],
  survivability: ['read', 200],
  listMaintenance: ['read', 200],
  startMaintenance: ['operate', 400],
  endMaintenance: ['operate', 400],
  getConfig: ['read', 200],
  planConfig: ['read', 400],
  applyConfig: ['admin', 400],
  listTimelines: ['read', 200],
  replay: ['read', 400],
  clusterHealth: ['read', 200],
  clusterMetrics: ['read', 200],
  metrics: ['read', 200],
  listOperations: ['read', 200],
  getOperation: ['read', 404],
  cancelOperation: ['operate', 400],
  listRules: ['read', 200],
  createRule: ['admin', 400],
  deleteRule: ['admin', 404],
  listGroups: ['read', 200],
  createGroup: ['admin', 400],
  getGroup: ['read', 404],
  whyGroup: ['read', 404],
  changeGroup: ['admin', 400],
  deleteGroup: ['admin', 404],
  failbackGroup: ['operate', 404],
  failoverGroup: ['operate', 404],
  moveGroup: ['operate', 400],
  unstickGroup: ['operate', 404],
  onlineGroup: ['operate', 404],
  offlineGroup: ['operate', 404],
  listResources: ['read', 200],
  createResource: ['admin', 400],
  getResource: ['read', 404],
  whyResource: ['read', 404],
  getEvidence: ['read', 404],
  controlResource: ['operate', 400],
  changeResource: ['admin', 400],
  getSettings: ['read', 404],
  changeSettings: ['admin', 400],
  deleteResource: ['admin', 404],
  onlineResource: ['operate', 404],
  offlineResource: ['operate', 404],
  listEvents: ['read', 200],
  listLog: ['read', 200],
  health: ['anyone', 200],
  openapi: ['anyone', 200],
  // No upgrade is asked for.
  streamEvents: ['read', 400],
  watchOperation: ['read', 404],
}

interface Served {
  readonly method: string
  readonly path: string
  readonly access: Access
  readonly hasBody: boolean
}

/** Every operation of the OpenAPI document. */
const SERVED: Readonly<Record<string, Served>> = Object.fromEntries(
  Object.entries(openApi().paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => [
      operation.operationId,
      {
        ...{ method: method.toUpperCase(), path: path.replaceAll(/\{([a-z]+)\}/g, ':$1') },
        ...{ access: operation['x-access'], hasBody: operation.requestBody !== undefined },
      },
    ]),
  ),
)

interface Asker {
  readonly who: string
  readonly key: string | null
  /** In the whole organisation, and in the cluster that is asked for. */
  readonly organisation: Role | null
  readonly cluster: Role | null
  readonly tenant: 'own' | 'foreign' | 'nobody'
}

const nobody = (who: string, key: string | null): Asker => ({
  ...{ who, key, organisation: null, cluster: null, tenant: 'nobody' },
})
const own = (who: string, organisation: Role | null, cluster: Role | null): Asker => ({
  ...{ who, key: `hfk_${who.padEnd(8, '.').replaceAll(/[^a-z]/gi, '-')}-of-the-matrix` },
  ...{ organisation, cluster, tenant: 'own' },
})

const FOREIGN: Asker = { ...own('foreign', 'admin', null), tenant: 'foreign' }
const OTHER = own('another-cluster', null, null)
const ASKERS: readonly Asker[] = [
  nobody('no key', null),
  nobody('unknown', 'hfk_unknown-key-of-nobody'),
  nobody('expired', 'hfk_expired-key-of-the-matrix'),
  nobody('revoked', 'hfk_revoked-key-of-the-matrix'),
  FOREIGN,
  OTHER,
  ...role.options.map((one) => own(one, one, one)),
  ...role.options.map((one) => own(`c${one}`, null, one)),
]

let cluster: TestCluster
beforeAll(async () => {
  await insertKey()
  await addOrganisation('foreign')
  cluster = await TestCluster.form('standard')
  const another = await TestCluster.form('standard')
  for (const { who, key, organisation, cluster: here } of ASKERS) {
    const scopes = organisation
      ? [{ role: organisation, cluster: null }]
      : [{ role: here ?? 'admin', cluster: here ? cluster.id : another.id }]
    const of = who === 'foreign' ? { organisation: 'foreign' } : {}
    const expiresAtMs = who === 'expired' ? 1 : null
    if (key && who !== 'unknown') await addKey({ key, name: who, scopes, expiresAtMs, ...of })
  }
  await revokeKey('revoked')
  await ok('createWebhook', { body: { name: WEBHOOK, url: 'https://example.com/' } })
})

/** One that there is: only those ask for it who may not know of it. */
const WEBHOOK = 'of-the-matrix'

function expected(name: string, asker: Asker): number {
  const [needs, admitted] = ROWS[name] as Row
  const path = SERVED[name]?.path ?? ''
  if (needs === 'anyone' || needs === 'joinToken') return admitted
  if (asker.tenant === 'nobody') return 401
  const inCluster = path.includes(':cluster')
  if (inCluster && asker.cluster === null) return 404
  const has = inCluster ? asker.cluster : asker.organisation
  if (needs !== 'anyKey' && !includes(has, needs)) return 403
  return /:key|:webhook/.test(path) && asker.tenant === 'foreign' ? 404 : admitted
}

/**
 * Bodies that fit, of routes about what belongs to the organisation: what is asked for has to be looked for. All
 * others have one that does not, so that nothing else is carried out but what has none.
 */
const BODIES: Readonly<Record<string, object>> = {
  ...{ rotateKey: {}, changeWebhook: {}, rotateWebhook: {} },
  replayWebhook: { message: 'nosuch' },
}

let made = 0

/** A key of the organisation that a call may be about. */
async function victim(): Promise<string> {
  made += 1
  await addKey({ key: `hfk_${String(made).padStart(8, '0')}-victim`, name: `victim-${made}` })
  return `victim-${made}`
}

async function call(name: string, key: string | null, things: Record<string, string>) {
  const route = SERVED[name] as Served
  const path = route.path.replace(/:([a-z]+)/g, (_, thing: string) => things[thing] ?? 'nosuch')
  const body = JSON.stringify(BODIES[name] ?? { nosuch: 1 })
  const response = await exports.default.fetch(`https://holdfast.test${path}`, {
    method: route.method,
    headers: key === null ? {} : { authorization: `Bearer ${key}` },
    ...(route.hasBody && { body }),
  })
  const isJson = response.headers.get('content-type')?.includes('json')
  const bytes = isJson ? null : await response.arrayBuffer()
  const answer = bytes ? { bytes: bytes.byteLength } : await response.json()
  return { status: response.status, answer: answer as unknown as Problem }
}

test('each operation has a row, each row an operation, and the document says the same', () => {
  const access = Object.entries(SERVED).map(([name, route]) => [name, route.access])
  const rows = Object.entries(ROWS).map(([name, [needs]]) => [name, needs])
  expect(Object.fromEntries(access)).toEqual(Object.fromEntries(rows))
})

describe.each(Object.keys(SERVED))('%s', (name) => {
  test.each(ASKERS)('$who', async (asker) => {
    const key = SERVED[name]?.path.includes(':key') ? await victim() : 'nosuch'
    const things = { cluster: cluster.name, key }
    const { status, answer } = await call(name, asker.key, things)
    expect(status, JSON.stringify(answer)).toBe(expected(name, asker))
    if (status === 401) expect(answer).toMatchObject({ code: 'UNAUTHENTICATED' })
    if (status === 403) {
      const [needs] = ROWS[name] as Row
      const scope = SERVED[name]?.path.includes(':cluster') ? `${needs}:${cluster.name}` : needs
      expect(answer).toMatchObject({ code: 'FORBIDDEN', detail: `this needs scope "${scope}"` })
      expect(answer.remedy).toContain(`--scope ${scope}`)
    }
  })

  test.each([FOREIGN, OTHER])(
    '$who: what is not for it answers as what is not there',
    async (a) => {
      if (!/:cluster|:key|:webhook/.test(SERVED[name]?.path ?? '')) return
      const there = { cluster: cluster.name, key: await victim(), webhook: WEBHOOK }
      const other = { cluster: cluster.id, key: 'nosuch', webhook: 'nosuch' }
      const seen = await Promise.all(
        [there, other, { ...other, cluster: 'nosuch' }].map(async (things) => {
          const { status, answer } = await call(name, a.key, things)
          const text = JSON.stringify({ ...answer, request: '' })
          return [status, Object.values(things).reduce((t, one) => t.replaceAll(one, 'X'), text)]
        }),
      )
      expect(seen[0]).toEqual(seen[2])
      expect(seen[1]).toEqual(seen[2])
    },
  )
})
