/** `probe/clock.ts`: the clock that counts from boot is the actor's own. */
import { actorNow } from '../kernel.ts'

export function bootMs(): number {
  const actor = actorNow()
  if (!actor) throw new Error('nobody asks for the time')
  return actor.bootMs
}
