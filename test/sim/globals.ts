/** The globals that production code asks for time and chance, answered by the actor that asks. */
import { actorNow, type Timer } from './kernel.ts'

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
      handle.timer.cancelled = true
      handle.every = null
    } else real.clearTimeout(handle as NodeJS.Timeout)
  }
  const later = (work: () => void, ms = 0) => {
    const actor = actorNow()
    if (!actor) return real.setTimeout(work, ms)
    return new Handle(actor.after(ms, work), null)
  }
  const repeat = (work: () => void, ms = 0) => {
    const actor = actorNow()
    if (!actor) return real.setInterval(work, ms)
    const again = () => {
      if (handle.every === null) return
      handle.timer = actor.after(handle.every, again)
      work()
    }
    const handle = new Handle(actor.after(ms, again), ms)
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
  timer: Timer
  every: number | null

  constructor(timer: Timer, every: number | null) {
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
