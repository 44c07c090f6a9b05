/**
 * Every operation of the OpenAPI document × whoever may ask: the status that is expected. An operation without a
 * row here fails.
 */
import { exports } from 'cloudflare:workers'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Access, includes, type MemberRole, type Role, role } from '../../schema/api/access.ts'
import type { Problem } from '../../schema/api/bodies.ts'
import { openApi } from '../../schema/api/openapi.ts'
import {
  addKey,
  addOrganisation,
  addSession,
  insertKey,
  ok,
  revokeKey,
  TestCluster,
} from './api.ts'

/** What is needed, and the status for who has it: of a body that does not fit, of what is not there. */
type Row = readonly [needs: Access, admitted: 200 | 400 | 404]

const ROWS: Readonly<Record<string, Row>> = {
  listClusters: ['anyKey', 200],
  createCluster: ['admin', 400],
  getCluster: ['read', 200],
  changeCluster: ['admin', 400],
  backupCluster: ['admin', 200],
  restoreCluster: ['admin', 400],
  getHive: ['read', 200],
  createToken: ['admin', 400],
  join: ['joinToken', 400],
  listTypes: ['read', 200],
  ...{ authInfo: ['anyone', 200], signUp: ['anyone', 400], register: ['anyone', 400] },
  ...{ logIn: ['anyone', 400], forgotPassword: ['anyone', 400], resetPassword: ['anyone', 400] },
  ...{ beginOidc: ['anyone', 404], finishOidc: ['anyone', 400] },
  ...{ beginSecondFactor: ['person', 400], confirmSecondFactor: ['person', 400] },
  removeSecondFactor: ['person', 400],
  ...{ changePassword: ['person', 400], logOut: ['person', 200], listSessions: ['person', 200] },
  ...{ endSession: ['person', 404], listOrganisations: ['person', 200] },
  ...{ createOrganisation: ['person', 400], useOrganisation: ['person', 400] },
  ...{ acceptInvitation: ['person', 400], decideDevice: ['person', 400] },
  ...{ listMembers: ['read', 200], changeMember: ['admin', 404], removeMember: ['admin', 404] },
  ...{ exportOrganisation: ['admin', 200], deleteOrganisation: ['admin', 400] },
  ...{ listInvitations: ['admin', 200], inviteMember: ['admin', 400] },
  revokeInvitation: ['admin', 404],
  whoami: ['anyKey', 200],
  listKeys: ['admin', 200],
  createKey: ['admin', 400],
  rotateKey: ['admin', 200],
  revokeKey: ['admin', 200],
  getStatusPage: ['admin', 200],
  publishStatusPage: ['admin', 400],
  unpublishStatusPage: ['admin', 200],
  listWebhooks: ['admin', 200],
  createWebhook: ['admin', 400],
  changeWebhook: ['admin', 404],
  rotateWebhook: ['admin', 404],
  deleteWebhook: ['admin', 404],
  testWebhook: ['admin', 404],
  triggerWebhook: ['admin', 404],
  listWebhookEvents: ['read', 200],
  listDeliveries: ['admin', 404],
  replayWebhook: ['admin', 404],
  listAudit: ['admin', 200],
  listClusterAudit: ['admin', 200],
  listNodes: ['read', 200],
  getNode: ['read', 404],
  whyNode: ['read', 404],
  changeNode: ['admin', 400],
  pauseNode: ['operate', 404],
  deleteCluster: ['admin', 400],
  drainNode: ['operate', 400],
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
  getUsage: ['read', 200],
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
  /** Of a person's session: what they are, and where. */
  readonly person?: Omit<Parameters<typeof addSession>[0], 'token' | 'email'>
}

const nobody = (who: string, key: string | null): Asker => ({
  ...{ who, key, organisation: null, cluster: null, tenant: 'nobody' },
})
const own = (who: string, organisation: Role | null, cluster: Role | null): Asker => ({
  ...{ who, key: `hfk_${who.padEnd(8, '.').replaceAll(/[^a-z]/gi, '-')}-of-the-matrix` },
  ...{ organisation, cluster, tenant: 'own' },
})

const person = (
  who: string,
  parts: Pick<Asker, 'organisation' | 'cluster' | 'tenant'>,
  more: Asker['person'] = {},
): Asker => {
  const key = `hfs_${who.replaceAll(/[^a-z]/gi, '').padEnd(32, 'x')}`
  return { who, key, ...parts, person: more }
}
const member = (role: MemberRole, has: Role): Asker =>
  person(role, { organisation: has, cluster: has, tenant: 'own' }, { role })

/** Grants name the cluster, which is there later. */
const granted = (role: MemberRole, has: Role | null): Asker =>
  person(`${role} of ${has ? 'this' : 'another'} cluster`, {
    ...{ organisation: null, cluster: has, tenant: 'own' },
  })

const FOREIGN: Asker = { ...own('foreign', 'admin', null), tenant: 'foreign' }
const OTHER = own('another-cluster', null, null)
const FOREIGNER = person(
  'foreign owner',
  { organisation: 'admin', cluster: null, tenant: 'foreign' },
  { role: 'owner', organisation: 'foreign' },
)
const STRANGER = person(
  'person of no organisation',
  { organisation: null, cluster: null, tenant: 'nobody' },
  { organisation: null },
)
const EXPIRED = person(
  'expired session',
  { organisation: null, cluster: null, tenant: 'nobody' },
  { role: 'owner', expiresAtMs: 1 },
)
const ASKERS: readonly Asker[] = [
  nobody('no key', null),
  nobody('unknown', 'hfk_unknown-key-of-nobody'),
  nobody('expired', 'hfk_expired-key-of-the-matrix'),
  nobody('revoked', 'hfk_revoked-key-of-the-matrix'),
  FOREIGN,
  OTHER,
  ...role.options.map((one) => own(one, one, one)),
  ...role.options.map((one) => own(`c${one}`, null, one)),
  nobody('ended session', `hfs_${'ended'.padEnd(32, 'x')}`),
  ...[EXPIRED, STRANGER, FOREIGNER],
  ...[member('viewer', 'read'), member('operator', 'operate')],
  ...[member('admin', 'admin'), member('owner', 'admin')],
  ...[granted('viewer', 'read'), granted('operator', 'operate'), granted('admin', 'admin')],
  granted('admin', null),
]

/** Also of who has just ended their own. */
async function begin({ who, key, person }: Asker): Promise<void> {
  if (!person || key === null) return
  const grants = / of (this|another) cluster/.exec(who)
  const [word = ''] = who.split(' ')
  const where = grants?.[1] === 'this' ? cluster.id : another.id
  await addSession({
    ...{ token: key, email: `${who.replaceAll(' ', '-')}@example.com`, ...person },
    ...(grants && { grants: [{ role: word as MemberRole, cluster: where }] }),
  })
}

let cluster: TestCluster
let another: TestCluster
beforeAll(async () => {
  await insertKey()
  await addOrganisation('foreign')
  cluster = await TestCluster.form('standard')
  another = await TestCluster.form('standard')
  for (const asker of ASKERS) {
    const { who, key, organisation, cluster: here } = asker
    if (key?.startsWith('hfs_')) {
      await begin(asker)
      continue
    }
    const scopes = organisation
      ? [{ role: organisation, cluster: null }]
      : [{ role: here ?? 'admin', cluster: here ? cluster.id : another.id }]
    const of = who === 'foreign' ? { organisation: 'foreign' } : {}
    const expiresAtMs = who === 'expired' ? 1 : null
    if (key && who !== 'unknown') await addKey({ key, name: who, scopes, expiresAtMs, ...of })
  }
  await revokeKey('revoked')
  await ok('inviteMember', { body: { email: INVITED, role: 'viewer' } })
  await ok('createWebhook', { body: { name: WEBHOOK, url: 'https://example.com/' } })
})

/** One that there is: only those ask for it who may not know of it. */
const WEBHOOK = 'of-the-matrix'

const INVITED = 'invited@example.com'

/** Not for whoever else is an admin. */
const OF_OWNERS = ['exportOrganisation']

/** What belongs to an organisation, beside its clusters. */
const OURS = /:key|:webhook|:member|:invitation/

function expected(name: string, asker: Asker): number {
  const [needs, admitted] = ROWS[name] as Row
  const path = SERVED[name]?.path ?? ''
  if (needs === 'anyone' || needs === 'joinToken') return admitted
  if (asker === STRANGER) return needs === 'person' ? admitted : 403
  if (asker.tenant === 'nobody') return 401
  if (needs === 'person') return asker.person ? admitted : 403
  const inCluster = path.includes(':cluster')
  if (inCluster && asker.cluster === null) return 404
  const has = inCluster ? asker.cluster : asker.organisation
  if (needs !== 'anyKey' && !includes(has, needs)) return 403
  if (OF_OWNERS.includes(name) && asker.person?.role !== 'owner') return 403
  return OURS.test(path) && asker.tenant === 'foreign' ? 404 : admitted
}

/**
 * Bodies that fit, of routes about what belongs to the organisation: what is asked for has to be looked for. All
 * others have one that does not, so that nothing else is carried out but what has none.
 */
const BODIES: Readonly<Record<string, object>> = {
  ...{ rotateKey: {}, changeWebhook: {}, rotateWebhook: {} },
  ...{ triggerWebhook: { type: 'node.up' }, replayWebhook: { message: 'nosuch' } },
  ...{ changeMember: { role: 'viewer' } },
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
  const isJson = /[/+]json/.test(response.headers.get('content-type') ?? '')
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
    const [needs] = ROWS[name] as Row
    await begin(asker)
    const { status, answer } = await call(name, asker.key, things)
    expect(status, JSON.stringify(answer)).toBe(expected(name, asker))
    if (status === 401) expect(answer).toMatchObject({ code: 'UNAUTHENTICATED' })
    if (status === 403 && needs === 'person')
      expect(answer).toMatchObject({ detail: 'this needs the session of a person' })
    else if (status === 403 && asker === STRANGER)
      expect(answer.detail).toContain('belongs to no organisation')
    else if (status === 403 && OF_OWNERS.includes(name) && asker.organisation === 'admin')
      expect(answer).toMatchObject({ detail: 'this needs an owner of the organisation' })
    else if (status === 403) {
      const scope = SERVED[name]?.path.includes(':cluster') ? `${needs}:${cluster.name}` : needs
      expect(answer).toMatchObject({ code: 'FORBIDDEN', detail: `this needs scope "${scope}"` })
      const grant = SERVED[name]?.path.includes(':cluster') ? '--grant ' : '--role '
      expect(answer.remedy).toContain(asker.person ? grant : `--scope ${scope}`)
    }
  })

  test.each([FOREIGN, OTHER, FOREIGNER])(
    '$who: what is not for it answers as what is not there',
    async (a) => {
      const path = SERVED[name]?.path ?? ''
      if (!path.includes(':cluster') && !OURS.test(path)) return
      const email = 'owner@example.com'
      const there = {
        ...{ cluster: cluster.name, key: await victim(), webhook: WEBHOOK },
        ...{ member: email, invitation: INVITED },
      }
      const other = {
        ...{ cluster: cluster.id, key: 'nosuch', webhook: 'nosuch' },
        ...{ member: 'nosuch', invitation: 'nosuch' },
      }
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
