/** The globals that production code asks for time and chance, answered by the actor that asks. */
import { actorNow, type Timer } from './kernel.ts'

interface Handle {
  timer: Timer
  every: number | null
}

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
    if (isHandle(handle)) {
      handle.timer.cancelled = true
      handle.every = null
    } else real.clearTimeout(handle as NodeJS.Timeout)
  }
  const later = (work: () => void, ms = 0) => {
    const actor = actorNow()
    if (!actor) return real.setTimeout(work, ms)
    return handleOf(actor.after(ms, work), null)
  }
  const repeat = (work: () => void, ms = 0) => {
    const actor = actorNow()
    if (!actor) return real.setInterval(work, ms)
    const again = () => {
      if (handle.every === null) return
      handle.timer = actor.after(handle.every, again)
      work()
    }
    const handle = handleOf(actor.after(ms, again), ms)
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

const HANDLES = new WeakSet<object>()

function handleOf(timer: Timer, every: number | null) {
  const handle: Handle & { unref(): Handle; ref(): Handle } = {
    timer,
    every,
    unref: () => handle,
    ref: () => handle,
  }
  HANDLES.add(handle)
  return handle
}

function isHandle(value: unknown): value is Handle {
  return typeof value === 'object' && value !== null && HANDLES.has(value)
}
