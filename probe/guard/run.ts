import { realpathSync } from 'node:fs'
import { takeLock } from '../os/lock.ts'
import { takeRealTime } from '../os/real-time.ts'
import { holdReserve } from '../reserve.ts'
import { Guard } from './main.ts'
import type { GuardOptions } from './options.ts'
import { complain, readPolicy } from './policy.ts'

export async function runGuard(options: GuardOptions): Promise<void> {
  holdReserve()
  // Not what keeps this process going; it is held for as long as it lives.
  ;(await takeLock(options.runFolder)).unref()
  // One identity, one guard: a second one with a run folder of its own would report that it runs
  // nothing, and what the first one runs would be free at once (S4).
  if (realpathSync(options.stateFolder) !== realpathSync(options.runFolder))
    (await takeLock(options.stateFolder)).unref()
  // Beside the start: what an earlier guard has left waits for this one, and not for long (T_gap).
  void takeRealTime().then((denied) => {
    if (denied !== null)
      complain('real time', `not to be had, so a busy host may make it late: ${denied}`)
  })
  const guard = new Guard(options, await readPolicy(options.policyFile))
  try {
    await guard.start()
  } catch (error) {
    // Not half a guard that holds the lock: the next one is for the service manager to start.
    complain('start', String(error))
    guard.end(1)
  }
}
