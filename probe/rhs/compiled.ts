/** What a resource monitor has compiled, kept for the next one: its neighbours wait for that (S-28). */
import * as module from 'node:module'

/** After its start, when it has compiled what it needs. */
const COMPILED_MS = 5_000

/**
 * Writes it where the guard's NODE_COMPILE_CACHE says. At its end it could not: most monitors are killed.
 * Where Node.js is too old to be asked (before 22.10), each one compiles for itself.
 */
export function keepCompiled(): void {
  const { flushCompileCache } = module
  if (typeof flushCompileCache === 'function') setTimeout(flushCompileCache, COMPILED_MS).unref()
}
