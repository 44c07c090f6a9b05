/** The globals that production code asks for time and chance, answered by the actor that asks. */
import { type Actor, actorNow, somebodyNow, type Timer } from './kernel.ts'

/** @returns how to put the real ones back */
export function installGlobals(): () => void {
  const real = {
    setTimeout: globalThis.setTimeout,
    clearTimeout: globalThis.clearTimeout,
    setInterval: globalThis.setInterval,
    clearInterval: globalThis.clearInterval,
    now: Date.now,
    performanceNow: performance.now,
    random: Math.random,
    uuid: globalThis.crypto.randomUUID,
  }
  const clear = (handle: unknown) => {
    if (handle instanceof Handle) {
      if (handle.every === null && !handle.timer.cancelled && !handle.rung) handle.actor.timers -= 1
      handle.timer.cancelled = true
      handle.every = null
    } else real.clearTimeout(handle as NodeJS.Timeout)
  }
  const later = (work: () => void, ms = 0) => {
    const actor = somebodyNow()
    if (!actor) return real.setTimeout(work, ms)
    const handle: Handle = new Handle(
      actor,
      actor.timer(ms, () => {
        handle.rung = true
        work()
      }),
      null,
    )
    return handle
  }
  const repeat = (work: () => void, ms = 0) => {
    const actor = somebodyNow()
    if (!actor) return real.setInterval(work, ms)
    const again = () => {
      if (handle.every === null) return
      handle.timer = actor.after(handle.every, again)
      work()
    }
    const handle = new Handle(actor, actor.after(ms, again), ms)
    return handle
  }
  globalThis.setTimeout = later as never
  globalThis.setInterval = repeat as never
  globalThis.clearTimeout = clear as never
  globalThis.clearInterval = clear as never
  Date.now = () => {
    const actor = actorNow()
    return actor ? Math.floor(actor.wallMs) : real.now()
  }
  performance.now = () => actorNow()?.bootMs ?? real.performanceNow.call(performance)
  Math.random = () => actorNow()?.kernel.random.next() ?? real.random()
  globalThis.crypto.randomUUID = (() =>
    actorNow()?.kernel.random.uuid() ?? real.uuid.call(globalThis.crypto)) as never
  return () => {
    globalThis.setTimeout = real.setTimeout
    globalThis.clearTimeout = real.clearTimeout
    globalThis.setInterval = real.setInterval
    globalThis.clearInterval = real.clearInterval
    Date.now = real.now
    performance.now = real.performanceNow
    Math.random = real.random
    globalThis.crypto.randomUUID = real.uuid
  }
}

/** What `setTimeout` gives, as far as anybody uses it. */
class Handle {
  readonly actor: Actor
  timer: Timer
  every: number | null
  rung = false

  constructor(actor: Actor, timer: Timer, every: number | null) {
    this.actor = actor
    this.timer = timer
    this.every = every
  }

  ref(): this {
    return this
  }

  unref(): this {
    return this
  }
}
