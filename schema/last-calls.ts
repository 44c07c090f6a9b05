/** What a resource monitor was doing last: evidence of whoever took it along (S-32). */
import * as z from 'zod'
import { detail, guid, instantMs } from './ids.ts'

/** So many of its last calls a monitor keeps. */
export const CALLS_KEPT = 100
/** Lines of a stack, and of what a monitor has written last, that are kept; and the length of one. */
export const STACK_LINES_MAX = 30
export const LAST_WORDS_MAX = 20
export const WORD_LINE_MAX = 300
/** A call about more resources than these does not tell them apart. */
export const CALL_IDS_MAX = 4

export const lastCall = z.strictObject({
  n: z.int().nonnegative(),
  type: z.string().max(64),
  fn: z.string().max(64),
  /** Of what: the names of the resources. */
  of: z.string().max(200),
  /** GUIDs of these, where they are few enough to be told apart. */
  ids: z.array(guid).max(CALL_IDS_MAX).optional(),
  /** On the host's boot clock. */
  atMs: z.number(),
  /** Absent: it has not ended. */
  tookMs: z.number().optional(),
  error: z.string().max(200).optional(),
})
export type LastCall = z.infer<typeof lastCall>

const lines = (most: number) => z.array(z.string().max(WORD_LINE_MAX)).max(most)

/** Evidence besides the calls: of how a monitor has ended. */
export const lastSeen = z.strictObject({
  /** Where it was when it kept its process busy, innermost first; or what the kernel says of it. */
  stack: lines(STACK_LINES_MAX).optional(),
  /** The end of what it has written to its stderr, when it ended by itself. */
  said: lines(LAST_WORDS_MAX).optional(),
})
export type LastSeen = z.infer<typeof lastSeen>

/** A resource whose module took its monitor along, as the host saw it. */
export const incident = z.strictObject({
  /** The host's own clock; shown, never decided on (S-13). */
  atMs: instantMs,
  monitor: z.string().max(100),
  /** How the monitor ended, and what was under way. */
  detail,
  /** Oldest first. */
  calls: z.array(lastCall).max(CALLS_KEPT),
  ...lastSeen.shape,
})
export type Incident = z.infer<typeof incident>
