/** What is under way when something is killed. */
import { CLUSTER, type Demo } from '../../demo/cluster.ts'
import { type DemoHost, killPid } from '../../demo/host.ts'
import type { Promises } from './promises.ts'

/** Operations are done to this group; nothing is ever done to the other one. */
export const SUBJECT = 'subject'
export const BYSTANDER = 'bystander'
/** Another one that nothing is done to: a script whose `online` daemonises. */
export const SCRIPTED = 'scripted'
/** One more workload of the subject: a witness that has its lock at once. */
export const QUICK = 'quick'

export interface Scene {
  readonly demo: Demo
  readonly promises: Promises
  /** Until the kills are done. */
  readonly go: () => boolean
}

export interface Operation {
  readonly name: string
  /** Brings the subject to where the operation begins. */
  prepare(scene: Scene): Promise<void>
  /** Runs into the kill; never throws for what the kill does to it. */
  run(scene: Scene): Promise<void>
  /** The workload of the subject is started anew by the operation itself. */
  readonly restarts: boolean
  /** Clears away what is left of it. */
  after?(scene: Scene): Promise<void>
}

const wantOnline = async ({ promises }: Scene) => {
  if (promises.wanted(SUBJECT) !== 1) await promises.want(SUBJECT, 1)
}
const wantOffline = async ({ promises }: Scene) => {
  if (promises.wanted(SUBJECT) !== 0) await promises.want(SUBJECT, 0)
}

export const OPERATIONS: readonly Operation[] = [
  {
    name: 'online',
    restarts: true,
    prepare: wantOffline,
    run: async ({ promises }) => void (await promises.want(SUBJECT, 1)),
  },
  {
    name: 'offline',
    restarts: true,
    prepare: wantOnline,
    run: async ({ promises }) => void (await promises.want(SUBJECT, 0)),
  },
  {
    name: 'move',
    restarts: true,
    prepare: wantOnline,
    run: async ({ demo }) => {
      const params = { cluster: CLUSTER, group: SUBJECT }
      await demo.api('moveGroup', { params, body: {} }).catch(() => null)
    },
  },
  {
    name: 'failover',
    restarts: true,
    prepare: async (scene) => {
      await restartAttempts(scene.demo, 0)
      await wantOnline(scene)
    },
    run: async ({ demo }) => {
      const pid = demo.ledger(SUBJECT).findLast((line) => line.what === 'start')?.pid
      if (pid) killPid(pid)
    },
    after: ({ demo }) => restartAttempts(demo, 1_000),
  },
  {
    name: 'join',
    restarts: false,
    prepare: wantOnline,
    run: joinOne,
    after: removeGuests,
  },
  {
    name: 'write',
    restarts: false,
    prepare: wantOnline,
    run: async ({ promises, go }) => {
      await Promise.all([promises.write(go), promises.change(go)])
    },
  },
]

async function restartAttempts(demo: Demo, attempts: number): Promise<void> {
  await demo.api('changeResource', {
    params: { cluster: CLUSTER, resource: SUBJECT },
    body: { restart: { attempts } },
  })
}

let guests = 0

/** A host joins with the real command, again and again until it is in. */
async function joinOne({ demo }: Scene): Promise<void> {
  guests += 1
  const host = demo.addHost(`guest-${guests}`)
  for (;;) {
    try {
      const { token } = await demo.api('createToken', {
        params: { cluster: CLUSTER },
        body: { uses: 1, ttlMs: 600_000 },
      })
      await host.join(demo.control.url, token)
      break
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  host.start()
}

export const isGuest = (host: DemoHost): boolean => host.name.startsWith('guest-')

async function removeGuests({ demo }: Scene): Promise<void> {
  for (const host of demo.hosts.filter(isGuest)) {
    await host.shutDown()
    await demo.api('evictNode', { params: { cluster: CLUSTER, node: host.name } })
    demo.removeHost(host)
  }
}
