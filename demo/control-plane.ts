/** The control plane on this machine: the Worker of wrangler.toml in workerd, state on disk. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { Server } from 'node:net'
import { join } from 'node:path'
import { Log, LogLevel, Miniflare } from 'miniflare'
import { takeLock } from '../probe/os/lock.ts'
import { HoldfastError } from '../schema/errors.ts'
import { bundleWorker } from '../tools/bundle.ts'
import { newKey } from '../worker/secrets.ts'
import { type AccountSettings, hasOwner, newOwnerToken, readAuthSecret } from './accounts.ts'
import { addOperator, type Database } from './operator-key.ts'

export interface ControlPlane {
  readonly url: string
  /** API key of this machine's operator. */
  readonly key: string
  readonly port: number
  /** Makes whoever opens it the first owner, once and for a day; null: there is an owner. */
  readonly ownerLink: string | null
  /** Pid of workerd, to be killed by whoever wants to see what happens then. */
  workerdPid(): number | null
  /** The runtime drops the objects from memory, as it does for reasons of its own. */
  evict(webSockets: 'close' | 'hibernate'): Promise<void>
  /** Its D1, for whoever needs more than this machine's organisation. */
  database(): Promise<Database>
  stop(): Promise<void>
}

export interface ControlPlaneOptions {
  /** Where D1, Durable Objects and the key live. */
  readonly folder: string
  /** Address to listen on; default loopback, which other machines do not reach. */
  readonly host?: string
  readonly port: number
  /** Hosts know it by this port: no other will do. */
  readonly thisPortOnly?: boolean
  /** The platform rings every alarm so much later than it was set, as it may. */
  readonly alarmsLateMs?: number
  /** Webhooks that failed are sent again by this factor sooner (below 1). */
  readonly webhookRetryFactor?: number
  /** Who may sign up, and how mail is sent; by default nobody, and none. */
  readonly accounts?: AccountSettings
  /** An owner link although there is an owner, who may have lost their way in. */
  readonly ownerLink?: boolean
  /** Multiplies every rate limit; 0: none. Default 20. */
  readonly rateFactor?: number
  /** Management extensions of resource types; default: those in the registry. */
  readonly extensions?: boolean
  /** Another Worker made of this one, for who looks into it. */
  made?(bundle: string): string
  /** Console output of the Worker. */
  log?(level: string, message: string): void
}

const WORKER = 'holdfast'
const ROOT = new URL('..', import.meta.url).pathname

/**
 * Starts it; when the port is taken, on another one, if another one will do. Migrations are applied.
 *
 * @throws {HoldfastError} PORT_TAKEN, ALREADY_RUNNING
 */
export async function startControlPlane(options: ControlPlaneOptions): Promise<ControlPlane> {
  const lock = await lockFolder(options.folder)
  try {
    return await startLocked(options, lock)
  } catch (error) {
    lock.close()
    throw error
  }
}

/** Two control planes on one folder would find its databases locked, each by the other. */
async function lockFolder(folder: string): Promise<Server> {
  const pidFile = join(folder, 'pid')
  const pid = () => (existsSync(pidFile) ? readFileSync(pidFile, 'utf8').trim() : 'unknown')
  const lock = await takeLock(folder, () => ({
    message: `a control plane runs on ${folder} already (pid ${pid()})`,
    remedy: `Use that one (npx holdfast status), end it (kill ${pid()}), or start this one with --state FOLDER.`,
  }))
  writeFileSync(pidFile, `${process.pid}\n`)
  return lock.unref()
}

async function startLocked(options: ControlPlaneOptions, lock: Server): Promise<ControlPlane> {
  const key = readKey(options.folder)
  const whole = await bundleWorker({ extensions: options.extensions ?? true })
  const bundle = withLateAlarms(options.made?.(whole) ?? whole, options.alarmsLateMs ?? 0)
  const ownerToken = newOwnerToken(Date.now())
  const start = (port: number) => create(options, bundle, port, ownerToken)
  let miniflare = start(options.port)
  let ready: URL
  try {
    ready = await miniflare.ready
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_ADDRESS_IN_USE') throw error
    await miniflare.dispose().catch(() => {})
    if (options.thisPortOnly) throw portTaken(options.port, error)
    miniflare = start(0)
    ready = await miniflare.ready
  }
  await migrate(miniflare)
  const db = await miniflare.getD1Database('DB')
  await addOperator(db, key)
  const wanted = options.ownerLink === true || !(await hasOwner(db))
  // Elsewhere than on loopback, what is said to be ready is a door of Miniflare's own.
  const port = options.host === undefined ? Number(ready.port) : options.port
  const url = `http://${reachedAt(options.host)}:${port}`
  const reached = options.accounts?.PUBLIC_URL?.replace(/\/+$/, '') ?? url
  return {
    ...{ url, key, port },
    ownerLink: wanted ? `${reached}/account#register=${ownerToken}` : null,
    workerdPid: () => findWorkerd(),
    async evict(webSockets) {
      for (const id of await miniflare.listDurableObjectIds('CLUSTER', WORKER))
        await miniflare.unsafeEvictDurableObject(WORKER, 'Cluster', { id, webSockets })
    },
    database: () => miniflare.getD1Database('DB'),
    async stop() {
      await miniflare.dispose()
      lock.close()
    },
  }
}

/** There is one place that sets an alarm. */
function withLateAlarms(bundle: string, lateMs: number): string {
  if (lateMs === 0) return bundle
  const places = [...bundle.matchAll(/\.setAlarm\(\w+\)/g)]
  if (places.length !== 1) throw new Error('alarms are not set in one place')
  return bundle.replace(/\.setAlarm\((\w+)\)/, `.setAlarm($1 + ${lateMs})`)
}

const LOOPBACK = '127.0.0.1'

/** All addresses is none to be named. */
function reachedAt(host = LOOPBACK): string {
  if (host === '0.0.0.0' || host === '::') return LOOPBACK
  return host.includes(':') ? `[${host}]` : host
}

const portTaken = (port: number, cause: unknown) =>
  new HoldfastError(
    {
      code: 'PORT_TAKEN',
      message: `port ${port} is taken`,
      why: 'Another program listens there, perhaps a control plane that was started before.',
      remedy: 'Choose another port (npm start -- --bare --port 8788), or stop that program.',
    },
    { cause },
  )

function create(
  options: ControlPlaneOptions,
  bundle: string,
  port: number,
  ownerToken: string,
): Miniflare {
  // workerd has to go with us, even when we are killed: nobody else would end it.
  process.env['MINIFLARE_WORKERD_PATH'] = workerdWrapper(options.folder)
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  const before = new Map(signals.map((s) => [s, process.listeners(s)]))
  const miniflare = new Miniflare({
    host: options.host ?? LOOPBACK,
    port,
    cf: false,
    logRequests: false,
    telemetry: { enabled: false },
    log: new Log(LogLevel.ERROR),
    handleStructuredLogs: ({ level, message }: { level: string; message: string }) =>
      options.log?.(level, message),
    resourcePersistencePath: join(options.folder, 'state'),
    workers: [
      {
        config: {
          name: WORKER,
          compatibilityDate: '2026-10-01',
          compatibilityFlags: ['nodejs_compat'],
          manifest: {
            mainModule: 'worker.js',
            modules: { 'worker.js': { type: 'esm', contents: bundle } },
          },
          exports: { Cluster: { type: 'durable-object', storage: 'sqlite' } },
          env: {
            CLUSTER: { type: 'durable-object', worker: WORKER, exportName: 'Cluster' },
            DB: { type: 'd1', id: 'tenants' },
            // Of this machine's own: receivers are mostly in its network.
            WEBHOOK_TARGETS: { type: 'text', value: 'any' },
            ...texts({
              ...options.accounts,
              AUTH_SECRET: readAuthSecret(options.folder),
              OWNER_TOKEN: ownerToken,
            }),
            // Nobody else's: what sets up a thousand groups at once is not held back.
            RATE_FACTOR: { type: 'text', value: String(options.rateFactor ?? 20) },
            WEBHOOK_RETRY_FACTOR: { type: 'text', value: String(options.webhookRetryFactor ?? 1) },
          },
        },
      },
    ],
  } as unknown as ConstructorParameters<typeof Miniflare>[0])
  // Its own signal listeners would exit at once, before anything is cleaned up.
  for (const s of signals)
    for (const own of process.listeners(s))
      if (!before.get(s)?.includes(own)) process.off(s, own as () => void)
  return miniflare
}

const texts = (all: Readonly<Record<string, string | undefined>>) =>
  Object.fromEntries(
    Object.entries(all).flatMap(([name, value]) =>
      value === undefined ? [] : [[name, { type: 'text', value }]],
    ),
  )

function workerdWrapper(folder: string): string {
  const workerd = createRequire(createRequire(import.meta.url).resolve('miniflare')).resolve(
    'workerd/bin/workerd',
  )
  const path = join(folder, 'workerd.sh')
  writeFileSync(
    path,
    `#!/bin/sh\nif command -v setpriv >/dev/null; then exec setpriv --pdeathsig KILL '${workerd}' "$@"; fi\nexec '${workerd}' "$@"\n`,
  )
  chmodSync(path, 0o755)
  return path
}

function findWorkerd(): number | null {
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, 'latin1')
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
      if (Number(fields[1]) !== process.pid || fields[0] === 'Z') continue
      if (readFileSync(`/proc/${entry}/cmdline`, 'latin1').includes('workerd')) return Number(entry)
    } catch {
      // It has just ended.
    }
  }
  return null
}

/** The operator's key of this machine: made once, kept with the state, readable by its owner. */
function readKey(folder: string): string {
  const path = join(folder, 'api-key')
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    const { key } = newKey()
    writeFileSync(path, key, { mode: 0o600 })
    return key
  }
}

async function migrate(miniflare: Miniflare): Promise<void> {
  const db = await miniflare.getD1Database('DB')
  await db.exec('CREATE TABLE IF NOT EXISTS d1_migrations (name TEXT PRIMARY KEY)')
  const folder = join(ROOT, 'worker/d1-migrations')
  for (const name of readdirSync(folder)
    .filter((f) => f.endsWith('.sql'))
    .sort()) {
    const known = await db.prepare('SELECT 1 FROM d1_migrations WHERE name = ?').bind(name).first()
    if (known) continue
    const statements = readFileSync(join(folder, name), 'utf8')
      .split('--> statement-breakpoint')
      .map((sql) => db.prepare(sql))
    const note = db.prepare('INSERT INTO d1_migrations (name) VALUES (?)').bind(name)
    await db.batch([...statements, note])
  }
}
