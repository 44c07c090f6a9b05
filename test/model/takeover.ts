/**
 * The takeover policies as a model: one node and one group against a coordinator that frees the
 * group exactly when the rules let it. From that moment on it may run elsewhere, so the node must not
 * run it: that is what is checked (I1, by way of I2). The policy changes while the node is cut off,
 * hosts and guards die, the control plane restarts, results of fences come late. What is new beside the rules L, D, S, C, G and F is which
 * policy a guard acts by and which one the hive says that it may act by.
 *
 * Time is in ticks; a lease lasts at most LEASE ticks of the control plane's clock, drift included.
 * Delivery is never forced, so loss and partitions are included. Sessions that the node has not seen
 * end may still deliver to it. Challenge, report and acceptance are one step; the welcome travels.
 */
import type { Model } from './engine.ts'

/** Rules that can be left out, to see that they are needed. */
export type Mutant =
  /** D3 also for nodes that may go on after their lease. */
  | 'd3Anyway'
  /** The hive says `lease` as soon as the operator does, without the node's acknowledgement. */
  | 'noAck'
  /** An acknowledgement counts whichever change it is about. */
  | 'anyAck'
  /** Told to go on first, and noted in the hive with the next report. */
  | 'toldFirst'
  /** Acknowledged before it is in the guard's file (G9). */
  | 'ackBeforeFile'
  /** A fence result of any boot (F2). */
  | 'anyBoot'
  /** The request alone frees (F1). */
  | 'onRequest'
  /** A local start under policy fence without a grant (C6). */
  | 'noGrant'

const LEASE = 2
/** Age of a lease at which stopping has begun. */
const STOP = 1
/** Strictly more than the lease. */
const WAIT = 3

const NODES = 1
const NOBODY = NODES
/** How much is looked at: changes of the policy, boots of the host, placements. */
export interface Bounds {
  readonly changes: number
  readonly boots: number
  readonly epochs: number
}

export const QUICK: Bounds = { changes: 3, boots: 2, epochs: 2 }
/** Takes half a minute and two gigabytes; its figures are in docs/decisions/fencing.md. */
export const LARGE: Bounds = { changes: 4, boots: 3, epochs: 3 }

interface Rules {
  readonly bounds: Bounds
  without(mutant: Mutant): boolean
}
const QUEUE = 2

// Global bytes, then one block per node.
const OWNER = 0
const EPOCH = 1
const POLICY = 2
const NUMBER = 3
const GLOBAL = 4
const F = {
  up: 0,
  under: 1,
  hiveBoot: 2,
  over: 3,
  /** The object's side: 0 closed, 2 welcomed. */
  object: 4,
  /** Since the last answered ping, capped; and whether this instance knows it. */
  silent: 5,
  /** The node's side: 0 none, 1 reported, 2 welcomed. */
  node: 6,
  boot: 7,
  age: 8,
  grant: 9,
  /** 0 no, 1 runs, 2 is being stopped. */
  runs: 10,
  policy: 11,
  filePolicy: 12,
  wanted: 13,
  ack: 14,
  asked: 15,
  result: 16,
  queue: 17,
} as const
const BLOCK = F.queue + 3 * QUEUE

const WELCOME = 1
const TOLD = 2
const ONLINE = 3

type Emit = (label: string, next: Uint8Array) => void

export function takeoverModel(off: readonly Mutant[] = [], bounds: Bounds = QUICK): Model {
  const rules: Rules = { bounds, without: (mutant) => off.includes(mutant) }
  return {
    init: () => {
      const s = new Uint8Array(GLOBAL + NODES * BLOCK)
      s[OWNER] = NOBODY
      for (let n = 0; n < NODES; n += 1) {
        s[at(n, F.boot)] = 1
        s[at(n, F.age)] = LEASE + 1
      }
      return s
    },
    next: (s, emit) => {
      tick(s, emit)
      if ((s[NUMBER] as number) < bounds.changes) operator(s, emit, rules)
      restart(s, emit)
      for (let n = 0; n < NODES; n += 1) {
        losing(s, n, emit, rules)
        session(s, n, emit)
        messages(s, n, emit, rules)
        guard(s, n, emit, rules)
        fencing(s, n, emit, rules)
        faults(s, n, emit, rules)
      }
    },
    bad: (s) => {
      for (let n = 0; n < NODES; n += 1)
        if (s[at(n, F.runs)] && s[OWNER] !== n)
          return `I1: n${n} runs the group, and somebody else may run it, too`
      return null
    },
  }
}

const at = (n: number, field: number) => GLOBAL + n * BLOCK + field
const get = (s: Uint8Array, n: number, field: number) => s[at(n, field)] as number

/** A copy with these changes made to one node. */
function change(s: Uint8Array, n: number, fields: Partial<Record<keyof typeof F, number>>) {
  const t = s.slice()
  for (const [key, value] of Object.entries(fields)) t[at(n, F[key as keyof typeof F])] = value
  return t
}

function clearQueue(t: Uint8Array, n: number): void {
  t.fill(0, at(n, F.queue), at(n, F.queue) + 3 * QUEUE)
}

function push(t: Uint8Array, n: number, kind: number, a: number, b: number): boolean {
  for (let k = 0; k < QUEUE; k += 1) {
    const q = at(n, F.queue) + 3 * k
    if (t[q] !== 0) continue
    t.set([kind, a, b], q)
    return true
  }
  return false
}

function pop(t: Uint8Array, n: number): void {
  const q = at(n, F.queue)
  t.copyWithin(q, q + 3, q + 3 * QUEUE)
  t.fill(0, q + 3 * (QUEUE - 1), q + 3 * QUEUE)
}

const holds = (s: Uint8Array, n: number) => get(s, n, F.grant) > 0 || get(s, n, F.runs) > 0
const bound = (s: Uint8Array, n: number) => get(s, n, F.policy) === 0

function free(t: Uint8Array, n: number): void {
  if (t[OWNER] === n) t[OWNER] = NOBODY
}

/** Time stops only for a guard that its lease binds: it acts in time (A5). */
function tick(s: Uint8Array, emit: Emit): void {
  const t = s.slice()
  for (let n = 0; n < NODES; n += 1) {
    const age = get(s, n, F.age)
    if (bound(s, n) && age >= STOP && (get(s, n, F.grant) || get(s, n, F.runs) === 1)) return
    if (bound(s, n) && age >= LEASE && get(s, n, F.runs)) return
    t[at(n, F.age)] = Math.min(LEASE + 1, age + 1)
    t[at(n, F.silent)] = Math.min(WAIT, get(s, n, F.silent) + 1)
  }
  emit('tick', t)
}

function operator(s: Uint8Array, emit: Emit, rules: Rules): void {
  const t = s.slice()
  const fence = s[POLICY] === 0
  t[POLICY] = fence ? 1 : 0
  t[NUMBER] = (s[NUMBER] as number) + 1
  for (let n = 0; n < NODES; n += 1) {
    if (fence && get(s, n, F.up) && !rules.without('toldFirst')) t[at(n, F.under)] = 1
    if (!fence && rules.without('noAck')) t[at(n, F.under)] = 0
    if (get(s, n, F.object) === 2 && !push(t, n, TOLD, t[POLICY] as number, t[NUMBER] as number))
      return
  }
  emit(`operator: takeover by ${fence ? 'fence' : 'lease'}`, t)
}

/** D5: every Up node counts as heard of now. Sockets are gone; what is under way may still arrive. */
function restart(s: Uint8Array, emit: Emit): void {
  const t = s.slice()
  for (let n = 0; n < NODES; n += 1) {
    t[at(n, F.object)] = 0
    t[at(n, F.silent)] = 0
  }
  emit('!control plane restarts', t)
}

function losing(s: Uint8Array, n: number, emit: Emit, rules: Rules): void {
  if (get(s, n, F.object)) emit(`object closes the socket of n${n}`, change(s, n, { object: 0 }))
  const open = get(s, n, F.object) !== 0
  const forbidden = get(s, n, F.under) === 1 && !rules.without('d3Anyway')
  if (!get(s, n, F.up) || open || get(s, n, F.silent) < WAIT || forbidden) return
  const t = change(s, n, { up: 0 })
  free(t, n)
  emit(`object declares n${n} Down by its lease (D3)`, t)
}

function fencing(s: Uint8Array, n: number, emit: Emit, rules: Rules): void {
  const hive = get(s, n, F.hiveBoot)
  const down = (t: Uint8Array) => {
    t[at(n, F.up)] = 0
    t[at(n, F.object)] = 0
    t[at(n, F.over)] = hive
    free(t, n)
  }
  if (get(s, n, F.up) && !get(s, n, F.asked) && !get(s, n, F.object)) {
    const t = change(s, n, { asked: hive })
    if (rules.without('onRequest')) down(t)
    emit(`object asks for a fence of boot ${hive} of n${n}`, t)
  }
  const asked = get(s, n, F.asked)
  if (asked) {
    emit('!fence request is lost, or fails', change(s, n, { asked: 0 }))
    const t = booted(s, n, rules)
    if (t && !get(s, n, F.result)) {
      t[at(n, F.asked)] = 0
      t[at(n, F.result)] = asked
      emit(`!n${n} is fenced; the result about boot ${asked} is under way`, t)
    }
  }
  const result = get(s, n, F.result)
  if (!result) return
  const accepted = get(s, n, F.up) && (result === hive || rules.without('anyBoot'))
  for (const more of [0, result]) {
    const t = change(s, n, { result: more })
    if (accepted) down(t)
    if (accepted || more === 0)
      emit(`object ${accepted ? 'accepts' : 'ignores'}: boot ${result} of n${n} is over`, t)
  }
}

/** S1 to S4, F3: challenge, report of the guard, acceptance; the welcome is on its way. */
function session(s: Uint8Array, n: number, emit: Emit): void {
  if (get(s, n, F.node) || get(s, n, F.runs) === 2) return
  const boot = get(s, n, F.boot)
  const grant = get(s, n, F.grant)
  const up = get(s, n, F.up)
  const otherGuard = up && get(s, n, F.hiveBoot) !== boot
  if (get(s, n, F.over) === boot || otherGuard) return
  const t = s.slice()
  clearQueue(t, n)
  if (grant && !(up && s[OWNER] === n && s[EPOCH] === grant)) {
    t[at(n, F.grant)] = 0
    if (get(s, n, F.runs)) t[at(n, F.runs)] = 2
    return emit(`n${n} is refused, and stops what it holds (S4)`, t)
  }
  if (!grant) {
    free(t, n)
    t[at(n, F.age)] = LEASE + 1
  }
  for (const [field, value] of [
    [F.up, 1],
    [F.hiveBoot, boot],
    [F.object, 2],
    [F.node, 1],
    [F.silent, 0],
  ] as const)
    t[at(n, field)] = value
  if (s[POLICY] === 1) t[at(n, F.under)] = 1
  push(t, n, WELCOME, s[POLICY] as number, s[NUMBER] as number)
  emit(`n${n} reports ${grant ? 'its group' : 'nothing'} and is accepted`, t)
}

function messages(s: Uint8Array, n: number, emit: Emit, rules: Rules): void {
  const welcomed = get(s, n, F.node) === 2
  const both = welcomed && get(s, n, F.object) === 2
  if (both) emit(`n${n}: ping and pong`, change(s, n, { age: 0, silent: 0 }))
  const ack = get(s, n, F.ack)
  if (both && ack) {
    const counts = (ack === s[NUMBER] && s[POLICY] === 0) || rules.without('anyAck')
    const under = counts ? 0 : get(s, n, F.under)
    emit(`object hears that n${n} took change ${ack}`, change(s, n, { ack: 0, under }))
    if (counts) emit('the same, and it will be said again', change(s, n, { under }))
  }
  const [kind, a = 0, b = 0] = s.subarray(at(n, F.queue), at(n, F.queue) + 3)
  if (kind && get(s, n, F.node)) {
    const t = s.slice()
    pop(t, n)
    if (kind === WELCOME) t[at(n, F.node)] = 2
    if (kind !== ONLINE) return emit(`n${n} is told policy ${a}`, takePolicy(t, n, a, b, rules))
    if (welcomed && (!bound(s, n) || get(s, n, F.age) < STOP)) {
      t[at(n, F.grant)] = a
      t[at(n, F.runs)] = 1
      emit(`n${n} gets the group at epoch ${a} and starts it`, t)
    }
  }
  if (s[OWNER] === NOBODY && get(s, n, F.up) && get(s, n, F.object) === 2) {
    const epoch = (s[EPOCH] as number) + 1
    const t = s.slice()
    t[OWNER] = n
    t[EPOCH] = epoch
    if (epoch <= rules.bounds.epochs && push(t, n, ONLINE, epoch, 0))
      emit(`object gives it to n${n}`, t)
  }
}

function takePolicy(
  t: Uint8Array,
  n: number,
  policy: number,
  number: number,
  rules: Rules,
): Uint8Array {
  if (policy === 1) {
    t[at(n, F.policy)] = 1
    t[at(n, F.wanted)] = 0
    return t
  }
  // Bound at once only while its lease stands, or when there is nothing to be stopped.
  if (!bound(t, n) && holds(t, n) && get(t, n, F.age) >= STOP) {
    t[at(n, F.wanted)] = number
    return t
  }
  t[at(n, F.policy)] = 0
  if (!rules.without('ackBeforeFile')) t[at(n, F.filePolicy)] = 0
  t[at(n, F.wanted)] = 0
  t[at(n, F.ack)] = number
  return t
}

function guard(s: Uint8Array, n: number, emit: Emit, rules: Rules): void {
  const [age, grant, runs] = [get(s, n, F.age), get(s, n, F.grant), get(s, n, F.runs)]
  const number = get(s, n, F.wanted)
  if (number && (!holds(s, n) || age < STOP))
    emit(`n${n} is bound by its lease again`, takePolicy(s.slice(), n, 0, number, rules))
  if (get(s, n, F.filePolicy) !== get(s, n, F.policy))
    emit(`n${n} writes its file`, change(s, n, { filePolicy: get(s, n, F.policy) }))
  if (bound(s, n) && age >= STOP && (grant || runs === 1)) emit(`n${n} lapses`, lapsed(s, n))
  if (runs === 2) emit(`n${n}: it is stopped`, change(s, n, { runs: 0 }))
  const may = grant && (!bound(s, n) || age < STOP)
  if (runs === 0 && (may || (rules.without('noGrant') && !bound(s, n) && s[EPOCH])))
    emit(`n${n}: local restart`, change(s, n, { runs: 1 }))
}

function lapsed(s: Uint8Array, n: number): Uint8Array {
  const runs = get(s, n, F.runs) ? 2 : 0
  const t = change(s, n, { grant: 0, runs, node: 0 })
  clearQueue(t, n)
  return t
}

function faults(s: Uint8Array, n: number, emit: Emit, rules: Rules): void {
  if (get(s, n, F.node)) {
    const t = change(s, n, { node: 0 })
    clearQueue(t, n)
    emit(`!n${n} loses its socket`, t)
  }
  if (get(s, n, F.runs) === 1) emit(`!n${n}: the workload fails`, change(s, n, { runs: 0 }))
  if (holds(s, n)) {
    // G10: by its file. With it goes the agent, and what that had still to say.
    const t = change(s, n, { policy: get(s, n, F.filePolicy), wanted: 0, ack: 0, node: 0 })
    clearQueue(t, n)
    const over = bound(t, n) && get(t, n, F.age) >= STOP
    emit(`!the guard of n${n} dies and comes back`, over ? lapsed(t, n) : t)
  }
  const t = booted(s, n, rules)
  if (!t || !holds(s, n)) return
  emit(`!the host of n${n} crashes and boots`, t)
  if (get(s, n, F.result)) return
  const u = t.slice()
  u[at(n, F.result)] = get(s, n, F.boot)
  emit(`!the host of n${n} crashes; an operator confirms that boot (late)`, u)
}

/** The host goes down and comes up with the next boot; null when that many are not looked at. */
function booted(s: Uint8Array, n: number, { bounds }: Rules): Uint8Array | null {
  const boot = get(s, n, F.boot) + 1
  if (boot > bounds.boots) return null
  const gone = { grant: 0, runs: 0, node: 0, policy: 0, filePolicy: 0, wanted: 0, ack: 0 }
  const t = change(s, n, { ...gone, boot, age: LEASE + 1 })
  clearQueue(t, n)
  return t
}
