/** What the module keeps of one domain between calls. */
import type { Call } from '../../schema/resource-module.ts'
import type { VirtualMachineProperties } from '../../schema/resource-types/virtual-machine.ts'
import type { Domain, LibvirtClient, LifecycleEvent } from './client.ts'
import { type PreparedDomain, prepareDomainXml } from './domain-xml.ts'
import { afterEvent, afterExit, NEW_RUN, type Run, type Verdict } from './verdict.ts'

type VmCall = Call<VirtualMachineProperties>

/**
 * After a process has ended: how long libvirt's reason may be behind its end, and how long to wait
 * for the reason when an end was announced.
 */
const ATTRIBUTION_MS = 50
const REASON_MS = 2_000
/** One question to a QEMU that hangs is left standing; a second would take another libvirt worker. */
const LEFT_STANDING_MS = 600_000

export class HeldDomain {
  run: Run = NEW_RUN
  persistentState: 0 | 1
  #prepared: PreparedDomain
  #properties: VirtualMachineProperties
  #gate: string
  #question: { readonly sinceMs: number; readonly answered: Promise<boolean> } | null = null
  #tell: ((verdict: Verdict) => void) | null = null
  #timer: NodeJS.Timeout | undefined

  constructor(call: VmCall, gate: string) {
    this.persistentState = call.persistentState
    this.#properties = call.properties
    this.#gate = gate
    this.#prepared = prepare(call, gate)
  }

  get prepared(): PreparedDomain {
    return this.#prepared
  }

  /** libvirt finds a domain by its UUID; name and id are only carried along. */
  get domain(): Domain {
    return { name: this.#properties.domain, uuid: this.#prepared.uuid, id: -1 }
  }

  update(call: VmCall, gate: string): void {
    this.persistentState = call.persistentState
    const { xml, domain } = this.#properties
    this.#properties = call.properties
    if (xml === call.properties.xml && domain === call.properties.domain && gate === this.#gate) return
    this.#gate = gate
    this.#prepared = prepare(call, gate)
  }

  lifecycle(event: LifecycleEvent): void {
    if (event.domain.uuid !== this.#prepared.uuid) return
    this.#become(afterEvent(this.run, event, this.#properties.onGuestShutdown))
  }

  /** The guard has seen the process end. libvirt is given a moment to say why. */
  exited(): void {
    clearTimeout(this.#timer)
    const look = (patience: boolean) => {
      this.#become(afterExit(this.run, patience, this.#properties.onGuestShutdown))
      if (patience && this.run.verdict === null) this.#timer = setTimeout(look, REASON_MS, false)
    }
    this.#timer = setTimeout(look, ATTRIBUTION_MS, true)
  }

  watch(tell: (verdict: Verdict) => void): () => void {
    this.#tell = tell
    return () => {
      if (this.#tell === tell) this.#tell = null
    }
  }

  forget(): void {
    clearTimeout(this.#timer)
    this.#tell = null
  }

  /** @returns 0 when QEMU answers in time, else for how many milliseconds it has not */
  async reach(client: LibvirtClient, timeoutMs: number): Promise<number> {
    this.#question ??= this.#ask(client)
    const { sinceMs, answered } = this.#question
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false)
    })
    const inTime = await Promise.race([answered, late])
    clearTimeout(timer)
    return inTime ? 0 : Math.max(1, performance.now() - sinceMs)
  }

  #ask(client: LibvirtClient): { sinceMs: number; answered: Promise<boolean> } {
    const asked = client.reachQemu(this.domain, { timeoutMs: LEFT_STANDING_MS })
    const question = { sinceMs: performance.now(), answered: asked.then(() => true) }
    const clear = () => {
      if (this.#question === question) this.#question = null
    }
    asked.then(clear, clear)
    return question
  }

  #become(run: Run): void {
    const news = this.run.verdict === null && run.verdict !== null && !run.ours
    // A new run: what was waited for about the last one is settled.
    if (run === NEW_RUN || run.verdict !== null) clearTimeout(this.#timer)
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
