/** What `--dry-run` comes to: which calls are only tried, which cannot be, and how a command ends by it. */
import type { DryRun } from '../schema/api/client.ts'
import type { Route } from '../schema/api/route.ts'
import { writes } from '../schema/api/route-errors.ts'
import { type RouteName, routes } from '../schema/api/routes.ts'
import { HoldfastError } from '../schema/errors.ts'

/** Thrown where a command would have written: there is nothing for it to go on with. */
export class DryRunDone {
  readonly found: DryRun

  constructor(found: DryRun) {
    this.found = found
  }
}

/** What is a question in its own words is asked as it is. */
export const isWrite = (name: RouteName, { body }: { body?: unknown }): boolean =>
  routes[name].method !== 'GET' &&
  routes[name].access !== 'read' &&
  (body as { dryRun?: boolean } | undefined)?.dryRun !== true

/**
 * Said here in words of the command: the control plane would refuse it as well.
 *
 * @throws {HoldfastError} BAD_REQUEST
 */
export function requireDryRun(name: RouteName): void {
  const { noDryRun, access }: Route = routes[name]
  if (noDryRun === undefined && writes(name)) return
  const about =
    access === 'person'
      ? 'It is about a person, not about an organisation.'
      : 'It changes nothing that has an owner yet.'
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'this cannot be tried without being done',
    why: `${noDryRun ?? about} Nothing was done.`,
    remedy: 'Leave --dry-run away to have it done.',
  })
}
