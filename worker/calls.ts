/** What handlers are made from: the object of a cluster, its view, and names that become GUIDs. */
import type * as b from '../schema/api/bodies.ts'
import type { PlanView } from '../schema/api/config.ts'
import type { DeliveryView } from '../schema/api/webhooks.ts'
import type { WhyView } from '../schema/api/why.ts'
import { neededFields, parseNeeds } from '../schema/dependency.ts'
import { HoldfastError, type Refusal } from '../schema/errors.ts'
import type { Request } from '../schema/event.ts'
import type { AccountWrites } from './account-writes.ts'
import type { Asker, Person } from './accounts/sessions.ts'
import type { ClusterRow } from './api-keys.ts'
import type { ClusterLife } from './cluster-life.ts'
import type { AppliedOrDry, ApplyAsk, PlanAsk } from './configurations.ts'
import type { ControlAsk, Controlled } from './controls.ts'
import type { CancelAsk } from './core/operations/cancel.ts'
import type { Tested } from './fence-tests.ts'
import type { Target } from './move-checks.ts'
import type { Kind, Named, Shown } from './named-things.ts'
import type { AnswerTo, Read, Waiter } from './object-reads.ts'
import type { Principal } from './principal.ts'
import type { Lossy } from './survivability.ts'
import type { Tenants } from './tenants.ts'
import type { Webhooks, WebhooksAnswer, WebhooksAsk } from './webhooks/webhooks.ts'
import { type Asked, type Before, type Dry, type Reply, replyBody, type Write } from './write.ts'

export interface Call<B = unknown, Q = unknown> {
  env: Env
  tenants: Tenants
  /** Null where nobody has to say who they are. */
  principal: Principal | null
  /** Null where nobody has to say who they are, and where a key has. */
  person: Person | null
  /** The key or session that was presented. */
  presented: string | null
  asker: Asker
  /** As it was asked for. */
  url: string
  /** Goes on when the answer has been given. */
  later(work: Promise<unknown>): void
  /** Its name, for who reads what was done. */
  by: string
  /** Of the organisation of who asks; null where the path names none. */
  cluster: ClusterRow | null
  /** Of a route that only looks it is one that nobody keeps. */
  write: Write
  /** Where it is committed if that is in D1; null where nobody has to say who they are. */
  accounts: AccountWrites | null
  /** What a dry run has come to: what it is answered with, in place of anything else. */
  dry: Dry
  params: Record<string, string>
  body: B
  query: Q
}

/** The object's methods as the Worker calls them; their answers are plain data. */
export interface Stub {
  ask(
    request: Request,
    by: string,
    write: Write,
    reply: Reply,
  ): Promise<{ refused: Refusal } | Asked>
  cancelOperation(
    id: string,
    ask: CancelAsk,
    by: string,
    write: Write,
    reply: Reply,
  ): Promise<{ refused: Refusal } | Asked>
  begin(write: Write): Promise<Before>
  refused(write: Write, refusal: Refusal): Promise<void>
  keep(write: Write, body: unknown): Promise<void>
  read<R extends Read>(what: R): Promise<Awaited<AnswerTo<R>>>
  wait(after: Waiter, ms: number): Promise<void>
  testFence(nodeId: string, helper: string | null, write: Write): Promise<Tested>
  /** @param write null: it only looks */
  control(ask: ControlAsk, write: Write | null): Promise<Controlled>
  targetOf(groupId: string, named: string | null): Promise<Target>
  survivability(lost: 1 | 2): Promise<Lossy>
  exportConfig(): Promise<{ seq: number; config: unknown }>
  planConfig(ask: PlanAsk): Promise<PlanView | { refused: Refusal }>
  applyConfig(ask: ApplyAsk, by: string, write: Write): Promise<AppliedOrDry | { refused: Refusal }>
  webhooks<A extends WebhooksAsk>(ask: A): Promise<WebhooksAnswer<A>>
  restore(
    ...all: Parameters<ClusterLife['restore']>
  ): Promise<{ refused: Refusal } | { seq: number }>
  takePlace(...all: Parameters<ClusterLife['takePlace']>): Promise<string | null>
  /** What it has used until now, before it ends. */
  tellUsage(): Promise<void>
  /** Deletes all there is of it, and ends its sessions. Done again it changes nothing. */
  destroy(): Promise<void>
  listDeliveries(...all: Parameters<Webhooks['list']>): Promise<DeliveryView[]>
  replayWebhook(
    ...all: Parameters<Webhooks['replay']>
  ): Promise<{ refused: Refusal } | { messages: number }>
}

export const stubOf = (env: Env, objectId: string): Stub =>
  env.CLUSTER.get(env.CLUSTER.idFromString(objectId)) as unknown as Stub

/** Who asks, of a route that somebody has to be known for. */
export function asking({ principal }: Pick<Call, 'principal'>): Principal {
  if (!principal) throw new Error('a route that anyone may call asks who calls it')
  return principal
}

/** Where a write about the organisation is committed. */
export function accountsOf({ accounts }: Pick<Call, 'accounts'>): AccountWrites {
  if (!accounts) throw new Error('a write that anyone may do is committed for an organisation')
  return accounts
}

/** The cluster that the path names: they have been admitted to it. */
export function open({ env, cluster }: Pick<Call, 'env' | 'cluster'>) {
  if (!cluster) throw new Error('a route without a cluster in its path opens one')
  return { stub: stubOf(env, cluster.objectId), row: cluster }
}

export async function view(stub: Stub): Promise<b.ClusterView> {
  return stub.read({ what: 'cluster' })
}

/** Carries a request out; the answer is the one that was committed with it. */
export async function ask<F extends { id: string | null }>(
  call: Pick<Call, 'env' | 'cluster' | 'by' | 'write' | 'dry'>,
  request: Request,
  reply: Reply<F>,
) {
  const { by, write } = call
  const asked = settled(await open(call).stub.ask(request, by, write, reply))
  noteDry(call, asked)
  return replyBody(asked, reply)
}

export function noteDry({ dry }: Pick<Call, 'dry'>, asked: Pick<Asked, 'seq' | 'dry'>) {
  dry.seq = asked.seq
  if (asked.dry) dry.changes.push(...(JSON.parse(asked.dry) as Dry['changes']))
}

/** The answer of a write whose end is no commit. */
export async function kept<T extends object>(
  { write }: Pick<Call, 'write'>,
  stub: Stub,
  answer: T,
) {
  if (write.once) await stub.keep(write, answer)
  return answer
}

export function settled<A extends object>(answer: { refused: Refusal } | A): A {
  if ('refused' in answer) throw new HoldfastError(answer.refused)
  return answer
}

/** A request about one thing that the path names. */
export async function onThing(
  call: Call,
  kind: Kind,
  make: (id: string, stub: Stub) => Request | Promise<Request>,
) {
  const { stub } = open(call)
  const { id } = await find(call, kind)
  return ask(call, await make(id, stub), { fields: { id } })
}

/** What is meant by names or GUIDs. @throws {HoldfastError} NOT_FOUND */
export async function named(stub: Stub, kind: Kind, references: readonly string[]) {
  const found = await stub.read({ what: 'named', kind, references })
  return found.map((one, i) => {
    if (!one) throw notFound(kind, references[i] ?? '')
    return one
  })
}

/** The one thing that the path names. @throws {HoldfastError} NOT_FOUND */
export async function find(call: Call, kind: Kind): Promise<Named> {
  const [found] = await named(open(call).stub, kind, [call.params[kind] ?? ''])
  return found as Named
}

/** The same, with all that is shown of it. @throws {HoldfastError} NOT_FOUND */
export async function thing<K extends Kind>(call: Call, kind: K): Promise<Shown[K]> {
  const reference = call.params[kind] ?? ''
  const found = await open(call).stub.read({ what: 'thing', kind, reference })
  if (!found) throw notFound(kind, reference)
  return found as Shown[K]
}

export const ids = async (stub: Stub, kind: Kind, references: readonly string[]) =>
  (await named(stub, kind, references)).map(({ id }) => id)

interface NamedResource {
  dependsOn?: string[] | string | undefined
  possibleOwners?: string[] | null | undefined
}

export async function withIds<T extends NamedResource>(stub: Stub, settings: T) {
  const { dependsOn, possibleOwners, ...rest } = settings
  return {
    ...rest,
    ...(dependsOn !== undefined && (await needed(stub, dependsOn))),
    ...(possibleOwners !== undefined && {
      possibleOwners: possibleOwners && (await ids(stub, 'node', possibleOwners)),
    }),
  }
}

interface NamedGroup {
  preferredOwners?: string[] | undefined
  after?: string[] | undefined
  onlyWhile?: string[] | undefined
}

export async function groupWithIds<T extends NamedGroup>(stub: Stub, settings: T): Promise<T> {
  const { preferredOwners, after, onlyWhile } = settings
  return {
    ...settings,
    ...(preferredOwners && { preferredOwners: await ids(stub, 'node', preferredOwners) }),
    ...(after && { after: await ids(stub, 'group', after) }),
    ...(onlyWhile && { onlyWhile: await ids(stub, 'group', onlyWhile) }),
  }
}

async function needed(stub: Stub, said: string[] | string) {
  if (typeof said !== 'string') return { dependsOn: await ids(stub, 'resource', said) }
  const parsed = parseNeeds(said)
  if ('problem' in parsed)
    throw new HoldfastError({
      code: 'BAD_EXPRESSION',
      message: `the dependencies "${said.slice(0, 200)}" cannot be read: ${parsed.problem}`,
      why: `at character ${parsed.at + 1}`,
      remedy: 'Write names joined by "and" or "or", with parentheses: (a or b) and c',
      errors: [{ pointer: '/dependsOn', message: parsed.problem }],
    })
  return neededFields(await Promise.all(parsed.needs.map((some) => ids(stub, 'resource', some))))
}

export function notFound(
  what: string,
  reference: string,
  remedy = 'List what there is: holdfast status',
): HoldfastError {
  return new HoldfastError({
    code: 'NOT_FOUND',
    message: `there is no ${what} "${reference}"`,
    remedy,
  })
}

export async function why(call: Call<unknown, { atMs?: number }>, kind: Kind): Promise<WhyView> {
  const { stub } = open(call)
  const { id, name } = await find(call, kind)
  const { atMs } = call.query
  const answer = await stub.read({ what: 'why', kind, id, atMs })
  if (answer) return answer
  if (atMs === undefined) throw notFound(kind, name)
  throw new HoldfastError({
    code: 'NOT_FOUND',
    message: `nothing is known of ${kind} "${name}" at ${new Date(atMs).toISOString()}`,
    why: 'It was not there yet, or the journal does not reach back so far.',
    remedy: `See since when there is something: holdfast events`,
  })
}
