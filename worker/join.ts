import type * as z from 'zod'
import type * as b from '../schema/api/bodies.ts'
import { HoldfastError, type Refusal } from '../schema/errors.ts'
import type { Request } from '../schema/event.ts'
import { quotasFor } from './quotas.ts'
import type { Tenants } from './tenants.ts'
import type { Reply, Write } from './write.ts'

interface JoinCall {
  readonly env: Pick<Env, 'QUOTAS'>
  readonly tenants: Tenants
  readonly write: Write
  readonly body: z.output<typeof b.join>
}

interface Stub {
  ask(
    request: Request,
    by: string,
    write: Write,
    reply: Reply,
  ): Promise<{ refused: Refusal } | { seq: number }>
  takePlace(
    place: { name: string; publicKey: string },
    by: string,
    write: Write,
  ): Promise<string | null>
  refused(write: Write, refusal: Refusal): Promise<void>
  read(what: { what: 'nodeByKey'; publicKey: string }): Promise<{ id: string } | null>
}

/**
 * Swaps a join token for membership. Joining twice with one key is not an error, and takes one use.
 *
 * @throws {HoldfastError} TOKEN_INVALID, JOINED_ELSEWHERE, NAME_TAKEN, LIMIT_REACHED, QUOTA_REACHED
 */
export async function join(
  call: JoinCall,
  stubOf: (objectId: string) => Stub,
): Promise<z.output<typeof b.joined>> {
  const { tenants, body } = call
  const { token, name, publicKey, memberOf } = body
  const row = await tenants.token(token)
  const found = row && (await tenants.clusterOfToken(row.clusterId))
  if (!row || !found) throw invalid('this join token is not known')
  const { cluster } = found
  if (memberOf !== undefined && memberOf !== cluster.id) throw joinedElsewhere(cluster.name)
  const stub = stubOf(cluster.objectId)
  const write = {
    ...{ ...call.write, who: { ...call.write.who, id: row.id } },
    quotas: quotasFor(call.env, found.quotas),
  }
  const answer = {
    clusterId: cluster.id,
    clusterName: cluster.name,
    sessionPath: `/v1/sessions/${cluster.objectId}`,
  }
  /** Of a cluster that was restored: where a node of that name was, and nobody has joined by it yet. */
  const takePlace = async () => {
    try {
      return await stub.takePlace({ name, publicKey }, 'join token', write)
    } catch (error) {
      await tenants.giveBackToken(row.id)
      throw error
    }
  }
  const node = await stub.read({ what: 'nodeByKey', publicKey })
  if (node) return { ...answer, nodeId: node.id, changed: false }
  if (!(await tenants.useToken(row.id)))
    throw invalid(row.usesLeft <= 0 ? 'this join token is used up' : 'this join token has expired')
  const place = await takePlace()
  if (place) return { ...answer, nodeId: place, changed: true }
  const nodeId = crypto.randomUUID()
  let done: { refused: Refusal } | { seq: number }
  try {
    const request = { type: 'joinNode' as const, nodeId, name, publicKey }
    done = await stub.ask(request, 'join token', write, { fields: {} })
  } catch (error) {
    // If it was carried out all the same, the next try finds the key and takes no use.
    await tenants.giveBackToken(row.id)
    throw error
  }
  if ('refused' in done) {
    await tenants.giveBackToken(row.id)
    await stub.refused(write, done.refused)
    throw new HoldfastError(done.refused)
  }
  return { ...answer, nodeId, changed: true }
}

const invalid = (message: string) =>
  new HoldfastError({
    code: 'TOKEN_INVALID',
    message,
    remedy: 'Make a new one: holdfast token create --uses 3',
  })

const joinedElsewhere = (name: string) =>
  new HoldfastError({
    code: 'JOINED_ELSEWHERE',
    message: `this token is for cluster ${name}, and this host is a member of another one`,
    remedy: 'Leave that one first: holdfast-probe leave',
  })
