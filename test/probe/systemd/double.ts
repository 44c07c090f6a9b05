/**
 * A double of systemd, and not systemd: its Manager and Unit objects on the bus of a test, as far as
 * they are used, with real processes in real cgroups. What it does is taken from systemd 252.
 *
 * Arguments: bus address, run folder (drop-ins), slice. Its units come by IPC (`Told`).
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createClient, type Message } from 'dbus-native'
import { cgroupMount, inTree } from '../../../probe/os/cgroup-tree.ts'
import { pathOf } from '../../../probe/systemd/manager.ts'

export interface UnitOfTest {
  /** For `sh -c`. */
  readonly exec: string
  readonly loadState?: string
  readonly fileState?: string
  readonly type?: string
  readonly restart?: string
  readonly remains?: boolean
  readonly id?: string
  readonly wantedBy?: readonly string[]
  readonly triggeredBy?: readonly string[]
  /** Active without a process, as a socket that listens. */
  readonly armed?: boolean
  /** Its start job ends with this, and nothing runs. */
  readonly jobResult?: string
  /** Its start job never ends; null: by itself. */
  readonly hangs?: 'start' | 'stop' | null
  /** A later file of its own takes assertions away. */
  readonly resetsAsserts?: boolean
}

export type Told =
  | { readonly define: string; readonly as: UnitOfTest }
  | { readonly systemState: string }

const [address = '', runFolder = '', slice = ''] = process.argv.slice(2)
const NAME = 'org.freedesktop.systemd1'
const ROOT = '/org/freedesktop/systemd1'
const PROPERTIES = 'org.freedesktop.DBus.Properties'
const [CALL, SIGNAL] = [1, 4]

type Variant = [signature: string, value: unknown]
type Job = { id: number; path: string; type: 'start' | 'stop' | 'restart' | 'reload' }

const units = new Map<string, Unit>()
let systemState = 'running'
let subscribed = false
let lastJob = 0
/** Apart from those of answers, which the library counts. */
let nextSerial = 1_000_000
let announced = false

class Failure extends Error {
  readonly dbusName: string
  constructor(name: string, message: string) {
    super(message)
    this.dbusName = name
  }
}

class Unit {
  def: UnitOfTest
  active = 'inactive'
  sub = 'dead'
  result = 'success'
  code = 0
  status = 0
  job: Job | null = null
  asserts: string[] = []
  readonly name: string
  readonly folder: string
  #loaded = ''
  #child: ChildProcess | null = null

  constructor(name: string, def: UnitOfTest) {
    this.name = name
    this.def = def
    this.folder = join(cgroupMount() ?? '', slice, name)
    if (def.armed) this.active = 'active'
    this.load()
  }

  load(): void {
    this.#loaded = dropIns(this.name)
    const found = [...this.#loaded.matchAll(/^AssertPathExists=(.*)$/gm)].map((m) => m[1] ?? '')
    this.asserts = this.def.resetsAsserts ? [] : found
  }

  /** As systemd queues it: one job a unit, and the later one replaces another kind. */
  queue(type: Job['type']): Job {
    if (this.job?.type === type) return this.job
    if (this.job) this.endJob('canceled')
    lastJob += 1
    const job = { id: lastJob, path: `${ROOT}/job/${lastJob}`, type }
    this.job = job
    setImmediate(() => {
      signal(ROOT, `${NAME}.Manager`, 'JobNew', 'uos', [job.id, job.path, this.name])
      this.run(job)
    })
    return job
  }

  run(job: Job): void {
    if (this.job !== job) return
    const up = this.active === 'active'
    if (job.type === 'reload' || (job.type === 'start' && up)) return this.endJob('done')
    if (job.type === 'start') return this.start()
    if (!up && this.active !== 'activating')
      return job.type === 'stop' ? this.endJob('done') : this.start()
    this.become('deactivating', 'stop-sigterm')
    if (this.def.hangs !== 'stop') this.kill('SIGTERM')
  }

  start(): void {
    const { jobResult, hangs, exec } = this.def
    if (this.asserts.some((path) => !exists(path))) return this.endJob('assert')
    if (jobResult === 'failed') return this.failed()
    if (jobResult) return this.endJob(jobResult)
    this.result = 'success'
    mkdirSync(this.folder, { recursive: true })
    const enter = `echo $$ > '${this.folder}/cgroup.procs'; exec sh -c '${exec}'`
    const child = spawn('sh', ['-c', enter], { stdio: 'ignore', detached: true })
    this.#child = child
    child.once('exit', (code, sig) => this.exited(child, code, sig))
    this.become('activating', 'start')
    if (hangs === 'start') return
    const entered = () => {
      if (this.#child !== child) return
      if (inTree(this.folder).length === 0) return void setTimeout(entered, 1)
      this.become('active', 'running')
      this.endJob('done')
    }
    entered()
  }

  failed(): void {
    this.result = 'exit-code'
    this.code = 1
    this.status = 203
    this.become('failed', 'failed')
    this.endJob('failed')
  }

  exited(child: ChildProcess, code: number | null, sig: NodeJS.Signals | null): void {
    if (this.#child !== child) return
    this.#child = null
    this.code = code === null ? 2 : 1
    this.status = code ?? (sig === 'SIGTERM' ? 15 : 9)
    const clean = code === 0 || sig === 'SIGTERM'
    this.result = clean ? 'success' : code === null ? 'signal' : 'exit-code'
    this.kill('SIGKILL')
    const empty = () => {
      if (inTree(this.folder).length > 0) return void setTimeout(empty, 1)
      removeFolder(this.folder)
      this.become(clean ? 'inactive' : 'failed', clean ? 'dead' : 'failed')
      if (this.job?.type === 'restart') return this.start()
      if (this.job) this.endJob(this.job.type === 'stop' ? 'done' : 'failed')
    }
    empty()
  }

  kill(sig: NodeJS.Signals): void {
    for (const pid of inTree(this.folder))
      try {
        process.kill(pid, sig)
      } catch {
        // Gone already.
      }
  }

  endJob(result: string): void {
    const { job } = this
    this.job = null
    if (!job) return
    const body = [job.id, job.path, this.name, result]
    signal(ROOT, `${NAME}.Manager`, 'JobRemoved', 'uoss', body)
  }

  /** Of the service first, then of the unit. */
  become(active: string, sub: string): void {
    this.active = active
    this.sub = sub
    const { result, code, status } = this
    this.#changed('Service', {
      Result: ['s', result],
      ExecMainCode: ['i', code],
      ExecMainStatus: ['i', status],
    })
    this.#changed('Unit', { ActiveState: ['s', active], SubState: ['s', sub] })
  }

  #changed(of: string, properties: Record<string, Variant>): void {
    const body = [`${NAME}.${of}`, Object.entries(properties), []]
    signal(pathOf(this.name), PROPERTIES, 'PropertiesChanged', 'sa{sv}as', body)
  }

  properties(of: string): Record<string, Variant> {
    const { def, name } = this
    if (of === `${NAME}.Service`)
      return {
        Type: ['s', def.type ?? 'simple'],
        Restart: ['s', def.restart ?? 'no'],
        RestartForceExitStatus: ['(aiai)', [[], []]],
        RemainAfterExit: ['b', def.remains ?? false],
        Slice: ['s', slice],
        ControlGroup: ['s', `/${slice}/${name}`],
        Result: ['s', this.result],
        ExecMainCode: ['i', this.code],
        ExecMainStatus: ['i', this.status],
      }
    return {
      Id: ['s', def.id ?? name],
      LoadState: ['s', def.loadState ?? 'loaded'],
      LoadError: ['(ss)', ['', '']],
      ActiveState: ['s', this.active],
      SubState: ['s', this.sub],
      UnitFileState: ['s', def.fileState ?? 'static'],
      NeedDaemonReload: ['b', this.#loaded !== dropIns(name)],
      Asserts: [
        'a(sbbsi)',
        this.asserts.map((path) => ['AssertPathExists', false, false, path, 0]),
      ],
      WantedBy: ['as', def.wantedBy ?? []],
      TriggeredBy: ['as', def.triggeredBy ?? []],
      Job: ['(uo)', [this.job?.id ?? 0, this.job?.path ?? '/']],
    }
  }
}

/** One that is nowhere defined has the load state `not-found`, as systemd has it. */
function unitOf(name: string): Unit {
  return units.get(name) ?? new Unit(name, { exec: '', loadState: 'not-found' })
}

function startable(name: string): Unit {
  const unit = unitOf(name)
  if (unit.def.loadState === 'not-found')
    throw new Failure(`${NAME}.NoSuchUnit`, `Unit ${name} not found.`)
  return unit
}

const manager: Record<string, (args: never) => [signature: string, body: unknown[]]> = {
  Subscribe: () => {
    subscribed = true
    return ['', []]
  },
  ListUnitsByNames: ([names]: [string[]]) => [
    'a(ssssssouso)',
    [
      names.map(unitOf).map((u) => {
        const job = [u.job?.id ?? 0, u.job?.type ?? '', u.job?.path ?? '/']
        const states = [u.def.loadState ?? 'loaded', u.active, u.sub]
        return [u.name, '', ...states, '', pathOf(u.name), ...job]
      }),
    ],
  ],
  StartUnit: ([name]: [string]) => ['o', [startable(name).queue('start').path]],
  StopUnit: ([name]: [string]) => ['o', [startable(name).queue('stop').path]],
  RestartUnit: ([name]: [string]) => ['o', [startable(name).queue('restart').path]],
  ReloadUnit: ([name]: [string]) => ['o', [startable(name).queue('reload').path]],
  KillUnit: ([name, , sig]: [string, string, number]) => {
    startable(name).kill(sig === 9 ? 'SIGKILL' : 'SIGTERM')
    return ['', []]
  },
  ResetFailedUnit: ([name]: [string]) => {
    const unit = startable(name)
    if (unit.active === 'failed') unit.become('inactive', 'dead')
    return ['', []]
  },
  GetUnitFileState: ([name]: [string]) => ['s', [startable(name).def.fileState ?? 'static']],
  Reload: () => {
    for (const unit of units.values()) unit.load()
    return ['', []]
  },
}

function answer({ path, interface: of, member = '', body = [] }: Message): [string, unknown[]] {
  if (of === `${NAME}.Manager` && manager[member]) return manager[member](body as never)
  if (of === PROPERTIES && member === 'Get') return ['v', [['s', systemState]]]
  const name = [...units.keys()].find((one) => pathOf(one) === path) ?? 'none.service'
  if (of === PROPERTIES && member === 'GetAll')
    return ['a{sv}', [Object.entries(unitOf(name).properties(String(body[0])))]]
  throw new Failure('org.freedesktop.DBus.Error.UnknownMethod', `${of}.${member}`)
}

function signal(
  path: string,
  of: string,
  member: string,
  signature: string,
  body: unknown[],
): void {
  // Nobody has subscribed: systemd sends nothing.
  if (!subscribed) return
  const serial = nextSerial++
  bus.connection.message({ type: SIGNAL, serial, path, interface: of, member, signature, body })
}

function dropIns(name: string): string {
  const folder = join(runFolder, 'systemd/system', `${name}.d`)
  try {
    const files = readdirSync(folder).filter((file) => file.endsWith('.conf'))
    return files.map((file) => readFileSync(join(folder, file), 'utf8')).join('\n')
  } catch {
    return ''
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined
}

function removeFolder(folder: string): void {
  try {
    rmdirSync(folder)
  } catch {
    // Somebody is in it again.
  }
}

function connect() {
  const made = createClient({ busAddress: address })
  made.connection.on('error', () => {})
  made.connection.on('close', () => {
    subscribed = false
    setTimeout(() => {
      bus = connect()
    }, 50)
  })
  const [own] = made.connection.listeners('message') as ((message: Message) => void)[]
  made.connection.removeAllListeners('message')
  made.connection.on('message', (message: Message) => {
    if (message.type !== CALL) return own?.(message)
    try {
      const [signature, body] = answer(message)
      made.sendReply(message as never, signature, body)
    } catch (error) {
      const { dbusName = 'org.freedesktop.DBus.Error.Failed', message: text } = error as Failure
      made.sendError(message as never, dbusName, text)
    }
  })
  void made.requestName(NAME, 0).then(
    () => {
      if (!announced) process.send?.('ready')
      announced = true
    },
    () => {},
  )
  return made
}

process.on('message', (told: Told) => {
  if ('systemState' in told) systemState = told.systemState
  else {
    const known = units.get(told.define)
    if (known) known.def = told.as
    else units.set(told.define, new Unit(told.define, told.as))
  }
  process.send?.('done')
})
process.on('disconnect', () => {
  for (const unit of units.values()) unit.kill('SIGKILL')
  process.exit(0)
})
let bus = connect()
