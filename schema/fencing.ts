/** Words of fencing (rules F1 to F6): what is set up per node, what a helper is told and says. */
import * as z from 'zod'
import { bootId, detail, durationMs, guid, instantMs, name } from './ids.ts'
import { LIMITS } from './limits.ts'

/**
 * What happens to the groups of a node that is not heard of. `lease`: it stops them when its lease
 * ends, and they are taken over after that. `fence`: it keeps them running for as long as it takes,
 * and they are taken over only after its boot is confirmed to be over.
 */
export const takeover = z.enum(['lease', 'fence'])
export type Takeover = z.infer<typeof takeover>

/** The policy as a node is told it. Each change has a number, and an answer names it. */
export const policyTold = z.strictObject({ takeover, number: z.int().nonnegative() })
export type PolicyTold = z.infer<typeof policyTold>

/** Name of a program of the ClusterLabs fence agents: never a path. */
export const fenceAgentName = z
  .string()
  .max(LIMITS.nameLengthMax)
  .regex(/^fence_[a-z0-9_]+$/, 'a name such as fence_ipmilan, without a path')

/** What the helper itself puts on the agent's input; nobody else may. */
export const RESERVED_OPTIONS: readonly string[] = ['action', 'option']

/** Lines `key=value` on the agent's input: one line each, whatever is in them. */
export const fenceOptions = z
  .record(
    z
      .string()
      .max(LIMITS.nameLengthMax)
      .regex(/^[a-z][a-z0-9_-]*$/),
    z
      .string()
      .max(LIMITS.detailLengthMax)
      .regex(/^[^\p{Cc}]*$/u, 'one line, without control characters'),
  )
  .refine((options) => Object.keys(options).length <= LIMITS.fenceOptionsMax, {
    error: `at most ${LIMITS.fenceOptionsMax} options`,
  })
  .refine((options) => !RESERVED_OPTIONS.some((key) => key in options), {
    error: `${RESERVED_OPTIONS.join(' and ')} are set by the probe itself`,
  })

/** How a node is fenced. Secrets stay on the helpers, in a file that `secrets` names. */
export const fenceConfig = z.strictObject({
  agent: fenceAgentName,
  options: fenceOptions,
  /** A file of the helper that only its root can read, by name; its options win. Null: none. */
  secrets: name.nullable(),
  /** Who may do it, in this order; null: every other node that is up, in list order. */
  helpers: z.array(guid).min(1).max(LIMITS.nodesMax).nullable(),
  /** All of one attempt: switching off, and being told that it is off. */
  timeoutMs: z.int().min(100).max(LIMITS.fenceTimeoutMaxMs),
  /** Attempts of each helper before the next one is asked. */
  attempts: z.int().min(1).max(LIMITS.fenceAttemptsMax),
  /** How long a node whose socket has closed may take to come back; null: see `fenceDelayMs`. */
  delayMs: z.int().nonnegative().max(LIMITS.fenceTimeoutMaxMs).nullable(),
  /** Whether it is switched on again once its end is on record. */
  switchOn: z.boolean(),
})
export type FenceConfig = z.infer<typeof fenceConfig>

/** For the log and for answers to be told apart; nothing is decided by it (F2). */
export const fenceRequest = z.string().min(1).max(LIMITS.nameLengthMax)

/** What a helper is asked to do: `off` with proof (F1), `on`, or `test`, which only looks. */
export const fenceOrder = z.strictObject({
  action: z.enum(['off', 'on', 'test']),
  request: fenceRequest,
  target: z.strictObject({ id: guid, name: z.string() }),
  /** The boot that is to be over; null for `on` and `test`. */
  boot: bootId.nullable(),
  agent: fenceAgentName,
  options: fenceOptions,
  secrets: name.nullable(),
  timeoutMs: durationMs,
})
export type FenceOrder = z.infer<typeof fenceOrder>

export const fenceOutcome = z.enum(['off', 'failed'])
export type FenceOutcome = z.infer<typeof fenceOutcome>

/** What became of the last attempt to end a boot of a node. */
export const lastFence = z.strictObject({
  boot: bootId,
  outcome: fenceOutcome,
  /** A helper by name, or the operator who confirmed it. */
  by: z.string().max(128),
  atMs: instantMs,
  detail,
})
export type LastFence = z.infer<typeof lastFence>

/** One run of an agent, as `holdfast fence test` shows it. */
export const fenceProbe = z.strictObject({
  action: z.enum(['status', 'monitor']),
  ok: z.boolean(),
  detail,
  tookMs: z.number().nonnegative(),
})
export type FenceProbe = z.infer<typeof fenceProbe>

/**
 * A node that is Up in the hive and has no session, and what is done about it. Kept with what is
 * observed, so that a restart of the control plane forgets no request; losing it costs a new one.
 */
export const fencing = z.strictObject({
  boot: bootId.nullable(),
  cause: z.enum(['socketClosed', 'silent', 'restart']),
  sinceMs: instantMs,
  /** It may come back by itself until then. */
  dueMs: instantMs,
  /** When the core has to look again; null: only when something changes. */
  nextMs: instantMs.nullable(),
  asked: z
    .strictObject({
      helper: guid,
      request: fenceRequest,
      /** The helper has said that it runs the agent. */
      begun: z.boolean(),
      deadlineMs: instantMs,
    })
    .nullable(),
  /** Its host is back with a guard that cannot speak for this boot, and is refused until it is over. */
  atTheDoor: z.literal(true).optional(),
  /** Requests so far: the number of the next one. */
  requests: z.int().nonnegative(),
  round: z.int().nonnegative(),
  /** Everybody has failed in this round; the next one begins at `dueMs`. */
  resting: z.boolean(),
  /** What has failed in this round, in order. */
  failures: z.array(z.strictObject({ helper: guid, reason: detail })).max(LIMITS.fenceFailuresMax),
})
export type Fencing = z.infer<typeof fencing>
