/**
 * Carries out what nobody relies on: counters, and telling those who are not part of the cluster. Whatever
 * goes wrong with it stops nothing that is decided, committed or sent to nodes; it is told in the log of the
 * platform.
 *
 * @returns null when it went wrong
 */
export function aside<T>(what: string, work: () => T): T | null {
  try {
    return work()
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    console.error(JSON.stringify({ error: 'ASIDE', what, why: why.slice(0, 500) }))
    return null
  }
}
