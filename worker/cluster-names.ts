/** What every new cluster needs, however it is made: a name that is free, a quota, an object. */
import { HoldfastError } from '../schema/errors.ts'
import { asking, type Call } from './calls.ts'
import { quotaReached } from './quotas.ts'

/** Where a cluster is kept and runs is part of its id, and stays so. */
export function newObjectId({ CLUSTER, JURISDICTION }: Env): DurableObjectId {
  const where = JURISDICTION as DurableObjectJurisdiction | undefined
  return CLUSTER.newUniqueId(where && { jurisdiction: where })
}

/** @throws {HoldfastError} NAME_TAKEN, QUOTA_REACHED */
export async function clusterNameFree(
  call: Pick<Call, 'principal' | 'tenants' | 'write'>,
  name: string,
): Promise<void> {
  const most = call.write.quotas?.clusters ?? Number.POSITIVE_INFINITY
  const known = await call.tenants.clusters(asking(call).organisation.id)
  if (known.some((one) => one.name === name)) throw clusterNameTaken(name)
  if (known.length >= most) throw new HoldfastError(quotaReached('clusters', known.length, most))
}

export const clusterNameTaken = (name: string) =>
  new HoldfastError({
    code: 'NAME_TAKEN',
    message: `a cluster named "${name}" exists already`,
    remedy: 'Choose another name.',
  })
