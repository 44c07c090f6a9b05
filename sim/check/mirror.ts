/**
 * The hive as the storage has it, followed from commit to commit, and what must hold at each of
 * them. It folds with code of its own: what it judges is not asked what it thinks.
 */
import { createHash } from 'node:crypto'
import type { Group, HiveDocument, Node, Resource } from '../../schema/hive.ts'
import type { Update } from '../../schema/update.ts'
import type { Disk } from '../world/fakes/storage.ts'
import type { Kernel } from '../world/kernel.ts'
import type { Running, Witness } from '../world/witness.ts'

export interface Committed {
  readonly update: Update
  readonly hash: string
  readonly atMs: number
  /** Turn of the kernel in which it was committed. */
  readonly turn: number
}

const HASH_OF_NOTHING = '0'.repeat(64)

export class Mirror {
  readonly #kernel: Kernel
  readonly #disk: Disk
  readonly #witness: Witness
  readonly nodes = new Map<string, Node>()
  readonly groups = new Map<string, Group>()
  readonly resources = new Map<string, Resource>()
  readonly committed: Committed[] = []
  readonly problems: string[] = []
  /** Broken by hosts that had stood still longer than any rule allows for (A5): counted, no more. */
  readonly excused: string[] = []
  seq = 0
  #hash = HASH_OF_NOTHING
  #epochs = new Map<string, number>()
  #session = 0
  #reports = new Map<string, { run: string; n: number; runs: Set<string> }>()
  #journal = 0
  /** By resource: the update in which an operator last said what is wanted of it. */
  readonly #said = new Map<string, number>()

  constructor(kernel: Kernel, disk: Disk, witness: Witness) {
    this.#kernel = kernel
    this.#disk = disk
    this.#witness = witness
    disk.onCommit = () => this.#read()
    witness.onStart = (running) => this.#started(running)
  }

  hashAt(seq: number): string | null {
    if (seq === 0) return HASH_OF_NOTHING
    return this.committed[seq - 1]?.hash ?? null
  }

  /** The last update that was committed in this turn or before it. */
  seqAtTurn(turn: number): number {
    let [low, high] = [0, this.committed.length]
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.committed[middle]?.turn ?? 0) <= turn) low = middle + 1
      else high = middle
    }
    return low
  }

  #wrong(text: string): void {
    this.problems.push(`${text} at ${Math.round(this.#kernel.nowMs)} ms`)
  }

  #read(): void {
    // Before the tables are there nothing has been committed.
    if (!this.#disk.hasTables) return
    const rows = this.#disk.prepared(
      'select seq, hash, body from updates where seq > ? order by seq',
    )
    const before = this.seq
    for (const row of rows.statement.all(before) as { seq: number; hash: string; body: string }[])
      this.#update(row)
    if (this.seq > before) this.#downOwnsNothing()
    this.#counters()
  }

  #update(row: { seq: number; hash: string; body: string }): void {
    const update = JSON.parse(row.body) as Update
    if (row.seq !== this.seq + 1 || update.seq !== row.seq)
      this.#wrong(`SEQ: ${row.seq} comes after ${this.seq} (U3)`)
    this.#hash = createHash('sha256').update(this.#hash).update(canonical(update)).digest('hex')
    if (this.#hash !== row.hash) this.#wrong(`CHAIN: the hashes break at ${row.seq} (U3)`)
    this.seq = row.seq
    const { nowMs: atMs, turns: turn } = this.#kernel
    this.committed.push({ update, hash: row.hash, atMs, turn })
    this.#because(update)
    this.#apply(update)
  }

  /** From the very commit on that says that a node is Down, all that it owned is free (D4). */
  #downOwnsNothing(): void {
    for (const { name, ownership } of this.groups.values()) {
      const owner = ownership.owner === null ? null : this.nodes.get(ownership.owner)
      if (owner?.state === 'down') this.#wrong(`DOWN OWNER: ${owner.name} owns ${name} (D4)`)
    }
  }

  #apply({ seq, because, change }: Update): void {
    switch (change.table) {
      case 'node':
        this.#grows(`node ${change.id}`, change.value?.epoch)
        put(this.nodes, change.id, change.value)
        return
      case 'resource':
        put(this.resources, change.id, change.value)
        if (because.code === 'operatorOnline' || because.code === 'operatorOffline')
          this.#said.set(change.id, seq)
        return
      case 'group':
        this.#grows(`group ${change.id}`, change.value?.ownership.epoch)
        put(this.groups, change.id, change.value)
        for (const running of this.#witness.runningOf(change.id)) this.#mayRun(running)
        return
      case 'cluster':
      case 'type':
      case 'rule':
        return
    }
  }

  #grows(what: string, epoch: number | undefined): void {
    const before = this.#epochs.get(what) ?? 0
    if (epoch === undefined) return
    if (epoch < before) this.#wrong(`EPOCH of ${what} goes back from ${before} to ${epoch} (C2)`)
    this.#epochs.set(what, epoch)
  }

  #started(running: Running): void {
    this.#mayRun(running)
  }

  /** What runs is owned by that node at that epoch, from its first instant to its last. */
  #mayRun(running: Running): void {
    const { groupId, nodeId, epoch, host } = running
    const ownership = this.groups.get(groupId)?.ownership
    if (ownership?.owner === nodeId && ownership.epoch === epoch) return
    const text = `NOT ITS OWN: ${host} runs ${groupId.slice(0, 8)} at epoch ${epoch}, and the hive says ${
      ownership ? `${ownership.phase} at ${ownership.epoch}` : 'that there is none'
    }`
    if (this.#witness.isExcused(host)) this.excused.push(text)
    else this.#wrong(text)
  }

  /** Everything says why, and names a node only with a reason that is true of it. */
  #because({ because, seq, change }: Update): void {
    if (!because.code || !because.manager) this.#wrong(`BECAUSE: update ${seq} does not say why`)
    for (const { node, reason } of because.rejected ?? []) {
      const known = [...this.nodes.values()].find((n) => n.name === node)
      const untrue =
        !known ||
        (reason === 'down' && known.state !== 'down') ||
        (reason === 'its host shuts down' && known.state !== 'leaving') ||
        (reason === 'paused' && !known.paused)
      if (untrue) this.#wrong(`BECAUSE: update ${seq} says of ${node} that it is ${reason}`)
    }
    if (because.code !== 'placed' || change.table !== 'group') return
    const owner = this.nodes.get(change.value?.ownership.owner ?? '')
    if (owner?.state !== 'up' || owner.paused)
      this.#wrong(`BECAUSE: update ${seq} places a group on ${owner?.name ?? 'nobody'}`)
    const epoch = this.groups.get(change.id)?.ownership.epoch ?? 0
    if (change.value?.ownership.epoch !== epoch + 1)
      this.#wrong(`EPOCH: update ${seq} places a group at an epoch that is not new (C2, O2)`)
  }

  /** Numbers that only grow: sessions, and reports of each run of an agent (S1, S-16). */
  #counters(): void {
    const session = this.#disk.prepared("select value from meta where key = 'session'")
    const { value = 0 } = (session.statement.get() as { value?: number }) ?? {}
    if (value < this.#session) this.#wrong(`SESSION number goes back to ${value} (S1)`)
    this.#session = value
    const entries = this.#disk
      .prepared('select id, first_seq as firstSeq, event from journal where id > ? order by id')
      .statement.all(this.#journal) as { id: number; firstSeq: number; event: string }[]
    for (const { id, firstSeq, event: text } of entries) {
      this.#journal = id
      const event = JSON.parse(text) as JournalEvent
      this.#onceOnly(event)
      for (const intent of event.intents ?? []) this.#notUndone(intent, firstSeq)
      if (event.intent) this.#notUndone(event.intent, firstSeq)
    }
  }

  /** What was done on a host changes nothing that an operator said after the host knew (S-68). */
  #notUndone({ resourceId, knownSeq }: LocalIntent, firstSeq: number): void {
    const followed = this.committed.slice(firstSeq - 1).some(({ update: { change, because } }) => {
      return change.id === resourceId && because.code === 'changedOnHost'
    })
    const said = this.#said.get(resourceId) ?? 0
    if (followed && said > knownSeq)
      this.#wrong(`UNDONE: a host that knew ${knownSeq} undoes what was said in ${said} (S-68)`)
  }

  /** A report has its effect once: each one that has an effect has a number of its own (S-16). */
  #onceOnly(event: JournalEvent): void {
    if (!NUMBERED.has(event.type) || event.nodeId === undefined) return
    const row = this.#disk.prepared('select run, report_n as n from sessions where node_id = ?')
    const mark = row.statement.get(event.nodeId) as { run: string; n: number } | undefined
    if (!mark) return
    const known = this.#reports.get(event.nodeId) ?? { run: '', n: 0, runs: new Set<string>() }
    this.#reports.set(event.nodeId, known)
    if (mark.run === known.run && mark.n <= known.n)
      this.#wrong(`TWICE: report ${mark.n} of a node has its effect again (S-16)`)
    if (mark.run !== known.run && known.runs.has(mark.run))
      this.#wrong('TWICE: a report of an earlier run of an agent has an effect (S-16)')
    known.runs.add(mark.run)
    known.run = mark.run
    known.n = mark.n
  }

  document(): Pick<HiveDocument, 'nodes' | 'groups' | 'resources'> {
    return {
      nodes: [...this.nodes.values()],
      groups: [...this.groups.values()],
      resources: [...this.resources.values()],
    }
  }
}

interface LocalIntent {
  readonly resourceId: string
  readonly knownSeq: number
}

/** As far as it is looked at here. */
interface JournalEvent {
  readonly type: string
  readonly nodeId?: string
  readonly intent?: LocalIntent
  readonly intents?: readonly LocalIntent[]
}

const NUMBERED: ReadonlySet<string> = new Set([
  'resourceReported',
  'intentReported',
  'groupReleased',
  'nodeTypesChanged',
  'nodeLeaving',
  'nodeSaidGoodbye',
  'nodeLeft',
])

function put<V>(table: Map<string, V>, id: string, value: V | null): void {
  if (value === null) table.delete(id)
  else table.set(id, value)
}

/** JSON with sorted keys, as the chain of hashes is made of. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value)
  const fields = Object.entries(value).filter(([, v]) => v !== undefined)
  fields.sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${fields.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`
}
