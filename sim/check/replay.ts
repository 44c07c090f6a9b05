/** The journal, folded through the core from the beginning, gives the same updates bit for bit. */
import type { Event } from '../../schema/event.ts'
import { emptyHive } from '../../schema/hive.ts'
import { applyObservation, emptyObserved } from '../../schema/observed.ts'
import { applyUpdate } from '../../schema/update.ts'
import type { Code } from '../world/code.ts'
import type { Disk } from '../world/fakes/storage.ts'

export function checkReplay(disk: Disk, step: Code['step']): string[] {
  const entries = disk.db.prepare('select * from journal order by id').all() as {
    id: number
    at_ms: number
    first_seq: number
    event: string
  }[]
  // The oldest entries of a long life are gone: from a snapshot what was observed is not known.
  if (entries[0]?.id !== 1) return []
  const stored = disk.db.prepare('select body from updates order by seq').all() as {
    body: string
  }[]
  const state = { hive: emptyHive(), observed: emptyObserved() }
  for (const entry of entries) {
    const decision = step(state, JSON.parse(entry.event) as Event, entry.at_ms)
    for (const update of decision.updates) {
      const text = stored[update.seq - 1]?.body
      if (text !== JSON.stringify(update))
        return [`REPLAY: journal entry ${entry.id} gives another update ${update.seq}`]
      applyUpdate(state.hive, update)
    }
    for (const o of decision.observations) applyObservation(state.observed, o)
  }
  if (state.hive.seq === stored.length) return []
  return [`REPLAY: the journal leads to ${state.hive.seq}, stored are ${stored.length} updates`]
}
