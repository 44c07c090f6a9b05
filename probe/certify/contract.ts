/**
 * What every resource module keeps to, as checks that are run with the real thing (S-36 to S-50). The
 * modules that come with the probe pass the same ones (`npm run test:modules`).
 */
import { randomUUID } from 'node:crypto'
import { soundAnswer } from '../rhs/module-answers.ts'
import { type Check, NotApplicable, runChecks, type Subject, type Trial } from './trial.ts'

/** A module that blocks the event loop keeps all its neighbours waiting (S-28). */
const BLOCKED_MAX_MS = 250
/** IsAlive is called every 5 s: one call for so many members has to be over by the next. */
const MEMBERS = 100
const MEMBERS_MAX_MS = 5_000

const nothingRuns = (t: Trial, after: string) => {
  const left = t.running()
  if (left.length > 0) throw new Error(`after ${after} it still runs: pid ${left.join(', ')}`)
}

export const CONTRACT: readonly Check[] = [
  {
    id: 'properties',
    title: 'a property that nobody knows is refused',
    run: async ({ module, subject }) => {
      const more = { ...subject.properties, noSuchPropertyAtAll: 1 }
      if (module.properties.safeParse(more).success)
        throw new Error('an unknown property is taken without a word')
      return undefined
    },
  },
  {
    id: 'validate',
    title: 'validate takes what works (S-37)',
    run: async (t) => {
      t.need('validate')
      await t.within('validate', t.module.validate?.(t.call()) as Promise<void>)
      return undefined
    },
  },
  {
    id: 'open',
    title: 'open starts nothing (S-37)',
    run: async (t) => {
      await t.subject.others?.down()
      await t.attach('open', 0)
      nothingRuns(t, 'open')
      return undefined
    },
  },
  {
    id: 'offline-seen',
    title: 'isAlive and looksAlive say offline or failed while nothing runs (S-43, S-44)',
    run: async (t) => {
      t.needSomething()
      for (const fn of ['isAlive', 'looksAlive'] as const) {
        const [answer] = await t.ask(fn)
        if (answer?.status !== 'offline' && answer?.status !== 'failed')
          throw new Error(`${fn} says ${answer?.status} (${answer?.detail ?? ''})`)
      }
      return undefined
    },
  },
  {
    id: 'prepare-online',
    title: 'prepareOnline starts nothing (S-50)',
    run: async (t) => {
      t.need('prepareOnline')
      await t.within('prepareOnline', t.module.prepareOnline?.(t.call(0)) ?? Promise.resolve())
      nothingRuns(t, 'prepareOnline')
      return undefined
    },
  },
  {
    id: 'install',
    title: 'install again is success (S-49)',
    run: async (t) => {
      t.need('install')
      for (let again = 0; again < 2; again += 1)
        await t.within('install', t.module.install?.(t.call()) as Promise<void>)
      return undefined
    },
  },
  {
    id: 'online',
    title: 'online ends when it is online, by both checks (S-39)',
    run: async (t) => {
      t.needSomething()
      const begun = performance.now()
      await t.online()
      const took = Math.round(performance.now() - begun)
      await t.is('online')
      await t.is('online', 'looksAlive')
      return `${took} ms`
    },
  },
  {
    id: 'online-again',
    title: 'online again is success and starts nothing second (S-39)',
    run: async (t) => {
      t.need('online')
      const before = t.process()
      await t.online()
      const after = t.process()
      if (before?.pid !== after?.pid)
        throw new Error(`pid ${before?.pid} has become pid ${after?.pid}`)
      await t.is('online')
      return undefined
    },
  },
  {
    id: 'one-call-for-all',
    title: `isAlive answers for each of ${MEMBERS} in one call, once (S-27)`,
    run: async (t) => {
      const others = Array.from({ length: MEMBERS - 1 }, () => t.call(0, randomUUID()))
      const begun = performance.now()
      const [own] = await t.ask('isAlive', [t.call(), ...others])
      const took = Math.round(performance.now() - begun)
      const known = t.module.way !== undefined || t.subject.others !== undefined
      if (known && own?.status !== 'online') throw new Error(`among others it says ${own?.status}`)
      if (took > MEMBERS_MAX_MS) throw new Error(`${MEMBERS} members took ${took} ms`)
      return `${took} ms`
    },
  },
  {
    id: 'control',
    title: 'each control code that only looks answers with JSON, in its time',
    run: async (t) => {
      t.need('control')
      const looks = Object.entries(t.module.controls ?? {}).filter(([, { changes }]) => !changes)
      const said: string[] = []
      for (const [code, { input }] of looks) {
        const told = input.safeParse({})
        // What has to be told something cannot be guessed.
        if (!told.success) continue
        const work = t.module.control?.(t.call(), code, told.data) ?? Promise.resolve()
        JSON.stringify((await t.within(`control ${code}`, work)) ?? null)
        said.push(code)
      }
      return said.join(', ') || undefined
    },
  },
  {
    id: 'close',
    title: 'close stops nothing; opened again it is found online (S-38)',
    run: async (t) => {
      t.needSomething()
      await t.attach('close', 1)
      await t.attach('open', 1)
      await t.is('online')
      return undefined
    },
  },
  {
    id: 'failure-seen',
    title: 'its end is seen by isAlive (S-43)',
    run: async (t) => {
      t.needSomething()
      const { bench, others } = t.subject
      await (others ? others.down() : bench.breakIt(t.guid))
      const took = await t.until('isAlive says something else than online', async () => {
        const [answer] = await t.ask()
        return answer?.status !== 'online'
      })
      return `${took} ms`
    },
  },
  {
    id: 'online-after-failure',
    title: 'online after a failure: a restart is Online (S-47)',
    run: async (t) => {
      t.needSomething()
      await t.online()
      await t.is('online')
      return undefined
    },
  },
  {
    id: 'watch',
    title: 'watch says that it has ended (S-36)',
    run: async (t) => {
      t.need('watch')
      t.needSomething()
      if (t.subject.unwatched) throw new NotApplicable(t.subject.unwatched)
      let heardMs: number | null = null
      const stop = t.module.watch?.(t.call(), (a) => {
        if (soundAnswer(t.guid, a).status !== 'online') heardMs ??= performance.now()
      })
      try {
        const { bench, others } = t.subject
        const begun = performance.now()
        await (others ? others.down() : bench.breakIt(t.guid))
        await t.until('watch says it', async () => heardMs !== null)
        return `${((heardMs ?? 0) - begun).toFixed(1)} ms`
      } finally {
        stop?.()
      }
    },
  },
  {
    id: 'offline',
    title: 'offline leaves nothing running; again it is success (S-40)',
    run: async (t) => {
      t.need('offline')
      await t.online()
      for (let again = 0; again < 2; again += 1) {
        await t.offline()
        nothingRuns(t, 'offline')
        const [answer] = await t.ask()
        if (answer?.status === 'online') throw new Error('isAlive says online after offline')
      }
      return undefined
    },
  },
  {
    id: 'terminate',
    title: 'terminate leaves nothing running; again it is success (S-41)',
    run: async (t) => {
      t.need('terminate')
      await t.online()
      for (let again = 0; again < 2; again += 1) {
        await t.offline('terminate')
        nothingRuns(t, 'terminate')
      }
      return undefined
    },
  },
  {
    id: 'cancelled',
    title: 'an online that was given up starts nothing (S-72)',
    run: async (t) => {
      t.need('online')
      await t.subject.others?.down()
      const gone = t.call(1, t.guid, AbortSignal.abort(new Error('given up')))
      await t.within('online', t.module.online?.(gone) ?? Promise.resolve()).catch(() => {})
      nothingRuns(t, 'a cancelled online')
      if (t.subject.others) return undefined
      const [answer] = await t.ask()
      if (answer?.status === 'online') throw new Error('isAlive says online')
      return undefined
    },
  },
  {
    id: 'guard-starts',
    title: 'it has started nothing by itself: the guard alone starts (G2)',
    run: async (t) => {
      // What is called for an answer ends with it.
      const ended = async () => t.subject.bench.strays().length === 0
      await t.until('processes of its own', ended).catch(() => {
        throw new Error(`it has started pid ${t.subject.bench.strays().join(', ')} by itself`)
      })
      return undefined
    },
  },
  {
    id: 'lets-others-run',
    title: `it keeps nobody waiting for more than ${BLOCKED_MAX_MS} ms (S-28, S-32)`,
    run: async (t) => {
      const blocked = Math.round(t.blockedMs())
      if (blocked > BLOCKED_MAX_MS)
        throw new Error(`for ${blocked} ms nothing else could run in its monitor`)
      return `${blocked} ms at most`
    },
  },
]

/** Runs all checks in their order; told of each before and after. */
export const runContract = (subject: Subject, tell: Parameters<typeof runChecks>[2] = {}) =>
  runChecks(CONTRACT, subject, tell)
