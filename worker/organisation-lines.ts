/** Everything that an organisation has, line by line, read in portions. */
import { createHash } from 'node:crypto'
import { EXPORT_FORMAT } from '../schema/api/organisation.ts'
import { AccountWrites } from './account-writes.ts'
import { memberHandlers } from './accounts/member-handlers.ts'
import { backupText } from './backup-lines.ts'
import { asking, type Call, type Stub, stubOf } from './calls.ts'
import { keyHandlers } from './key-handlers.ts'
import { webhookHandlers } from './webhook-handlers.ts'

const PAGE = 500

export async function* organisationText(call: Call): AsyncGenerator<string> {
  const sum = createHash('sha256')
  let lines = 0
  for await (const some of linesOf(call)) {
    lines += some.length
    const text = some.map((line) => `${JSON.stringify(line)}\n`).join('')
    sum.update(text)
    yield text
  }
  yield `${JSON.stringify({ t: 'end', lines, sha256: sum.digest('hex') })}\n`
}

type Line = { readonly t: string; readonly [field: string]: unknown }

async function* linesOf(call: Call): AsyncGenerator<Line[]> {
  const { id, name, quotas } = asking(call).organisation
  const clusters = await call.tenants.clusters(id)
  yield [
    {
      ...{ t: 'header', format: EXPORT_FORMAT, madeAtMs: Date.now() },
      organisation: { id, name, quotas: quotas === null ? null : JSON.parse(quotas) },
      withheld: [
        'secrets of API keys and invitations, signing secrets of webhooks, passwords, sessions',
        'what backups of clusters leave out (their headers say what)',
      ],
    },
  ]
  const [{ members }, { invitations }, { keys }, { webhooks }] = await Promise.all([
    memberHandlers.listMembers(call),
    memberHandlers.listInvitations(call),
    keyHandlers.listKeys(call),
    webhookHandlers.listWebhooks(call),
  ])
  yield members.map((member) => ({ t: 'member', member }))
  yield invitations.map((invitation) => ({ t: 'invitation', invitation }))
  yield keys.map((key) => ({ t: 'key', key }))
  yield webhooks.map((webhook) => ({ t: 'webhook', webhook }))
  const log = new AccountWrites(call.env.DB, id, '')
  yield* audit((after) => log.read({ after, limit: PAGE }), { t: 'audit' })
  for (const { objectId, organisationId: _, ...cluster } of clusters)
    yield* ofCluster(cluster, stubOf(call.env, objectId))
}

/** Lines of its backup as they are: put together they are the file that a cluster is restored from. */
async function* ofCluster(
  cluster: { id: string; name: string },
  stub: Stub,
): AsyncGenerator<Line[]> {
  const { id } = cluster
  yield [{ t: 'cluster', cluster }]
  for await (const text of backupText(stub)) {
    const lines = text.split('\n').slice(0, -1)
    yield lines.map((line) => ({ t: 'backup', cluster: id, line }))
  }
  const read = (after: number) => stub.read({ what: 'audit', query: { after, limit: PAGE } })
  yield* audit(read, { t: 'clusterAudit', cluster: id })
}

async function* audit(
  read: (after: number) => Promise<{ entries: object[]; next: number | null }>,
  of: Line,
): AsyncGenerator<Line[]> {
  for (let after: number | null = 0; after !== null; ) {
    const { entries, next }: { entries: object[]; next: number | null } = await read(after)
    yield entries.map((entry) => ({ ...of, entry }))
    after = next
  }
}
