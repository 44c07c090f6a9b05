/** The simulation's time and chance in place of the real ones, and its complaints kept to itself. */
import { installGlobals } from './globals.ts'
import { actorNow } from './kernel.ts'

/** @returns how to put everything back */
export function begin(): () => void {
  const restore = installGlobals()
  const { write } = process.stderr
  const { error } = console
  // What simulated probes complain about is not for this terminal.
  process.stderr.write = ((...args: Parameters<typeof write>) => {
    const actor = actorNow()
    if (!actor) return write.apply(process.stderr, args)
    actor.kernel.complained(actor, String(args[0]).trimEnd())
    return true
  }) as typeof write
  console.error = (...args: unknown[]) => {
    if (!actorNow()) error(...args)
  }
  // Promises that nobody waits for: the actor they belong to is known by their context.
  const rejected = (reason: unknown) => {
    const actor = actorNow()
    if (actor) actor.kernel.caught(actor, reason)
    else throw reason
  }
  process.on('unhandledRejection', rejected)
  return () => {
    restore()
    process.stderr.write = write
    console.error = error
    process.off('unhandledRejection', rejected)
  }
}
