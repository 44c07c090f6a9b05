/** What the module keeps of one domain between calls. */
import type { Call, ProcessRef } from '../../schema/resource-type.ts'
import type { VirtualMachineProperties } from '../../schema/resource-types/virtual-machine.ts'
import { type Domain, type LibvirtClient, LibvirtError, type LifecycleEvent } from './client.ts'
import { type PreparedDomain, prepareDomainXml } from './domain-xml.ts'
import { SignsOfLife } from './signs-of-life.ts'
import { afterEvent, afterExit, NEW_RUN, type Run, type Verdict } from './verdict.ts'

type VmCall = Call<VirtualMachineProperties>

/** How long libvirt may take to say why a process has ended: 0.2 s when it is not busy. */
const REASON_MS = 1_000
/** A question to a QEMU that hangs is left standing: a second takes another libvirt worker. */
const LEFT_STANDING_MS = 600_000

export class HeldDomain {
  run: Run = NEW_RUN
  persistentState: 0 | 1
  /** The copy that was gone on from here: paused again, it is somebody's wish (M4). */
  goneOnFrom: string | null = null
  /** By the last look; null: there was none. */
  seenPaused: boolean | null = null
  /** The process has ended, and libvirt has not yet said why. */
  waitsForReason = false
  /** libvirt here has the definition that is wanted: false once that is another one. */
  defined = true
  /** False: nothing is known that could be defined. */
  definable: boolean
  /** Why what is wanted now cannot be started; what runs was started before, and goes on. */
  problem: string | null = null
  /** What libvirt's own tools were told last. A new definition comes without it. */
  note: string | null = null
  #prepared: PreparedDomain
  #properties: VirtualMachineProperties
  #gate: string
  readonly #signs = new SignsOfLife()
  #question: Promise<boolean> | null = null
  #silentSinceMs: number | null = null
  #leaves = false
  #tell: ((verdict: Verdict) => void) | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(call: VmCall, gate: string) {
    this.persistentState = call.persistentState
    this.#properties = call.properties
    this.#gate = gate
    this.#prepared = this.#prepare(call, gate) ?? bare(call, gate)
    // What runs is looked after all the same; what is defined here is left as it is.
    this.definable = this.problem === null
    this.#leave(call)
  }

  get prepared(): PreparedDomain {
    return this.#prepared
  }

  /** @throws {Error} what is wanted cannot be started */
  get startable(): PreparedDomain {
    if (this.problem !== null) throw new Error(this.problem)
    return this.#prepared
  }

  /** libvirt finds a domain by its UUID; name and id are only carried along. */
  get domain(): Domain {
    return { name: this.#properties.domain, uuid: this.#prepared.uuid, id: -1 }
  }

  update(call: VmCall, gate: string): void {
    this.persistentState = call.persistentState
    this.#leave(call)
    const { xml, domain } = this.#properties
    this.#properties = call.properties
    if (xml === call.properties.xml && domain === call.properties.domain && gate === this.#gate)
      return
    this.#gate = gate
    const prepared = this.#prepare(call, gate)
    if (prepared === null) return
    this.#prepared = prepared
    this.definable = true
    this.defined = false
  }

  /** libvirt goes on with what a monitor has asked for that is gone, or has given it up. */
  #leave({ carry }: VmCall): void {
    this.#leaves = carry !== null
    if (this.#leaves) this.run = { ...this.run, moves: true }
  }

  /** A slip in the XML ends nothing that runs. */
  #prepare(call: VmCall, gate: string): PreparedDomain | null {
    try {
      this.problem = null
      return prepare(call, gate)
    } catch (error) {
      this.problem = error instanceof Error ? error.message : String(error)
      return null
    }
  }

  /**
   * A copy that has come (M4), and that no Online of this monitor has let go on yet. Where that of an
   * earlier monitor has, it is not paused.
   */
  waitsToGoOn({ resume }: Pick<Call, 'resume'>): boolean {
    return resume?.method === 'live' && this.goneOnFrom !== resume.mid
  }

  lifecycle(event: LifecycleEvent): void {
    if (event.domain.uuid !== this.#prepared.uuid) return
    this.#become(afterEvent(this.run, event, this.#properties.onGuestShutdown))
  }

  /** The guard has seen the process end. libvirt is given a moment to say why. */
  exited(): void {
    this.#look(true)
    if (this.run.verdict !== null) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#look(false), REASON_MS)
    this.waitsForReason = true
  }

  watch(tell: (verdict: Verdict) => void): () => void {
    this.#tell = tell
    return () => {
      if (this.#tell === tell) this.#tell = null
    }
  }

  forget(): void {
    clearTimeout(this.#timer)
    this.#signs.forget()
    this.#tell = null
  }

  /**
   * @param process looked at for a sign of life before it is asked; null: it is asked
   * @returns 0 when QEMU lives, or answers in time; else for how many milliseconds it has not
   * @throws {LibvirtGone} the daemon is gone
   */
  async reach(
    client: LibvirtClient,
    timeoutMs: number,
    process: ProcessRef | null,
  ): Promise<number> {
    // Whoever owes an answer has to give it. That it is still being moved is for libvirt to say.
    const owes = this.#silentSinceMs !== null || this.run.moves
    if (process !== null && this.#signs.seen(process) && !owes) return 0
    this.#silentSinceMs ??= performance.now()
    this.#question ??= this.#ask(client)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false)
    })
    const inTime = await Promise.race([this.#question, late])
    clearTimeout(timer)
    return inTime || this.#silentSinceMs === null
      ? 0
      : Math.max(1, performance.now() - this.#silentSinceMs)
  }

  /** Resolves with whether QEMU has answered. A refusal by libvirt is no answer of QEMU. */
  async #ask(client: LibvirtClient): Promise<boolean> {
    try {
      await client.reachQemu(this.domain, { timeoutMs: LEFT_STANDING_MS })
      this.#silentSinceMs = null
      await this.#staysAfterAll(client)
      return true
    } catch (error) {
      if (error instanceof LibvirtError) return false
      this.#silentSinceMs = null
      throw error
    } finally {
      this.#question = null
    }
  }

  /** It runs, and nothing takes it away any more: from now on an administrator does, if anybody. */
  async #staysAfterAll(client: LibvirtClient): Promise<void> {
    if (!this.run.moves || this.#leaves) return
    const { runs } = await client.job(this.domain, { timeoutMs: LEFT_STANDING_MS })
    if (!runs && !this.#leaves) this.run = { ...this.run, moves: false }
  }

  #look(patience: boolean): void {
    this.waitsForReason = false
    this.#become(afterExit(this.run, patience, this.#properties.onGuestShutdown))
  }

  #become(run: Run): void {
    const news = this.run.verdict === null && run.verdict !== null && !run.ours
    // A new run: what was waited for about the last one is settled.
    if (run === NEW_RUN || run.verdict !== null) {
      clearTimeout(this.#timer)
      this.waitsForReason = false
    }
    this.run = run
    if (news && run.verdict !== null) this.#tell?.(run.verdict)
  }
}

function prepare(call: VmCall, gate: string): PreparedDomain {
  return prepareDomainXml(call.properties.xml, {
    name: call.properties.domain,
    uuid: call.guid,
    emulator: gate,
  })
}

/** As much as it takes to ask libvirt for it. */
function bare({ guid, properties: { domain, xml } }: VmCall, emulator: string): PreparedDomain {
  const uuid = /<uuid>\s*([0-9a-f-]{36})\s*<\/uuid>/i.exec(xml)?.[1]?.toLowerCase() ?? guid
  return prepareDomainXml('<domain/>', { name: domain, uuid, emulator })
}
