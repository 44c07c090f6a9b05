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
import type { AnswerTo, Read, Waiter } from './object-reads.ts'
import type { Principal } from './principal.ts'
import type { Lossy } from './survivability.ts'
import type { Tenants } from './tenants.ts'
import type { Webhooks } from './webhooks/webhooks.ts'
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
  restore(
    ...all: Parameters<ClusterLife['restore']>
  ): Promise<{ refused: Refusal } | { seq: number }>
  takePlace(...all: Parameters<ClusterLife['takePlace']>): Promise<string | null>
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

export type Kind = 'node' | 'group' | 'resource'

/** A request about one thing that the path names. */
export async function onThing(
  call: Call,
  kind: Kind,
  make: (id: string, cluster: b.ClusterView) => Request,
) {
  const { stub } = open(call)
  const cluster = await view(stub)
  const { id } = find(cluster, kind, call)
  return ask(call, make(id, cluster), { fields: { id } })
}

function things(cluster: b.ClusterView, kind: Kind): readonly { id: string; name: string }[] {
  if (kind === 'node') return cluster.nodes
  return kind === 'group' ? cluster.groups : cluster.groups.flatMap((g) => g.resources)
}

export function find(cluster: b.ClusterView, kind: Kind, call: Call) {
  const reference = call.params[kind] ?? ''
  const found = things(cluster, kind).find((x) => x.id === reference || x.name === reference)
  if (!found) throw notFound(kind, reference)
  return found
}

export function ids(cluster: b.ClusterView, kind: Kind, references: readonly string[]): string[] {
  return references.map((reference) => {
    const found = things(cluster, kind).find((x) => x.id === reference || x.name === reference)
    if (!found) throw notFound(kind, reference)
    return found.id
  })
}

interface Named {
  dependsOn?: string[] | string | undefined
  possibleOwners?: string[] | null | undefined
}

export function withIds<T extends Named>(cluster: b.ClusterView, settings: T) {
  const { dependsOn, possibleOwners, ...rest } = settings
  return {
    ...rest,
    ...(dependsOn !== undefined && needed(cluster, dependsOn)),
    ...(possibleOwners !== undefined && {
      possibleOwners: possibleOwners && ids(cluster, 'node', possibleOwners),
    }),
  }
}

interface NamedGroup {
  preferredOwners?: string[] | undefined
  after?: string[] | undefined
  onlyWhile?: string[] | undefined
}

export function groupWithIds<T extends NamedGroup>(cluster: b.ClusterView, settings: T): T {
  const { preferredOwners, after, onlyWhile } = settings
  return {
    ...settings,
    ...(preferredOwners && { preferredOwners: ids(cluster, 'node', preferredOwners) }),
    ...(after && { after: ids(cluster, 'group', after) }),
    ...(onlyWhile && { onlyWhile: ids(cluster, 'group', onlyWhile) }),
  }
}

function needed(cluster: b.ClusterView, said: string[] | string) {
  if (typeof said !== 'string') return { dependsOn: ids(cluster, 'resource', said) }
  const parsed = parseNeeds(said)
  if ('problem' in parsed)
    throw new HoldfastError({
      code: 'BAD_EXPRESSION',
      message: `the dependencies "${said.slice(0, 200)}" cannot be read: ${parsed.problem}`,
      why: `at character ${parsed.at + 1}`,
      remedy: 'Write names joined by "and" or "or", with parentheses: (a or b) and c',
      errors: [{ pointer: '/dependsOn', message: parsed.problem }],
    })
  return neededFields(parsed.needs.map((some) => ids(cluster, 'resource', some)))
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
  const { id, name } = find(await view(stub), kind, call)
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
