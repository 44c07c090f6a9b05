/**
 * A planned move in which the state of a workload travels (rules M1 to M7, S-92). It is the move of C5
 * in all else: the source runs it until it has acked that nothing runs, and only then is it placed.
 */
import * as z from 'zod'
import { guid } from './ids.ts'

/** live: into a copy that waits on the target. quick: into a file on storage that all hosts share. */
export const carryMethod = z.enum(['live', 'quick'])
export type CarryMethod = z.infer<typeof carryMethod>

/** What may be asked for; `auto`: the first of live, quick and stop that can be done. */
export const moveMethod = z.enum(['auto', 'live', 'quick', 'stop'])
export type MoveMethod = z.infer<typeof moveMethod>

/** Where a copy is received, as the module of the target says; read by the module of the source. */
export const receiver = z.record(z.string().max(64), z.string().max(1_024))
export type Receiver = z.infer<typeof receiver>

/** Of a group that is leaving its owner. */
export const carry = z.strictObject({
  /** Names this migration (M6). */
  mid: guid,
  method: carryMethod,
  asked: moveMethod.exclude(['stop']),
  /** Of a live move: set once the target has a place for the copy. Until then the source goes on. */
  to: receiver.optional(),
})
export type Carry = z.infer<typeof carry>

/** Of a free group: the source has acked that its state is there (M3, M6). */
export const carried = z.strictObject({
  mid: guid,
  method: carryMethod,
  /** The node that has the copy; null: it is a file that every node can read. */
  at: guid.nullable(),
})
export type Carried = z.infer<typeof carried>

/** Of a group that was placed on the strength of such an ack: what its first Online goes on from (M4, M5). */
export const resumeFrom = z.strictObject({ mid: guid, method: carryMethod })
export type ResumeFrom = z.infer<typeof resumeFrom>

/** Whether it is not known yet where the copy of a live move is received. */
export function isUnplaced<O extends { phase: string; carry?: Carry | undefined }>(
  ownership: O,
): ownership is O & { phase: 'releasing'; carry: Carry } {
  const { carry } = ownership
  return ownership.phase === 'releasing' && carry?.method === 'live' && carry.to === undefined
}
