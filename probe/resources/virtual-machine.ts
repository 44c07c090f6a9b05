/**
 * Resource type `virtual-machine`: one libvirt domain that only the cluster starts (S-46).
 *
 * The domain's emulator is the gate (G4 b): QEMU comes to life only with the guard's yes. Whether
 * it lives is seen on processes by the guard; libvirt says *why* it ended. When libvirtd is gone
 * nothing is known and nothing is restarted: its virtual machines run on.
 */
import { totalmem } from 'node:os'
import type { Receiver } from '../../schema/carry.ts'
import { allows, type HostPolicy } from '../../schema/host-policy.ts'
import type { Answer, Call, ResourceModule, Step } from '../../schema/resource-type.ts'
import { CONTROLS } from '../../schema/resource-types/controls.ts'
import type { VirtualMachineProperties } from '../../schema/resource-types/virtual-machine.ts'
import { virtualMachineProperties } from '../../schema/resource-types/virtual-machine.ts'
import { aliveOf } from '../libvirt/alive.ts'
import {
  DOMAIN,
  type DomainState,
  defaultSocket,
  LibvirtClient,
  LibvirtError,
  LibvirtGone,
  LibvirtTimeout,
} from '../libvirt/client.ts'
import { definitionsOf } from '../libvirt/definitions.ts'
import { refuseForeign, settled } from '../libvirt/domain-state.ts'
import { prepareDomainXml } from '../libvirt/domain-xml.ts'
import { HeldDomain } from '../libvirt/held-domain.ts'
import { DEFAULT_PATHS, pathProblem } from '../libvirt/host-paths.ts'
import { hostIsStopping } from '../libvirt/host-stopping.ts'
import { metadataOf, writeMetadata } from '../libvirt/metadata.ts'
import { forgetSaved, migrate, restore, save } from '../libvirt/move.ts'
import { resize, type Sizes } from '../libvirt/resize.ts'
import { shutDown } from '../libvirt/shut-down.ts'
import { States } from '../libvirt/states.ts'
import { checkFiles, memoryProblem, thoroughCheck } from '../libvirt/thorough-check.ts'
import { isActive, NEW_RUN } from '../libvirt/verdict.ts'
import { letGo, messageOf } from '../libvirt/waits.ts'

export interface VirtualMachineOptions {
  /** libvirt's socket. Default: HOLDFAST_LIBVIRT_SOCKET, then where libvirt listens. */
  readonly socket?: string
  /** The launcher for `<emulator>`. Default: HOLDFAST_GATE. */
  readonly gate?: string
  /** Domains that may run here, by the host policy; absent: all, as far as this module asks. */
  readonly domains?: readonly string[]
  /** Files that a domain may name, by the host policy. */
  readonly paths?: readonly string[]
  /** How another host's libvirt reaches this one's, by the host policy; absent: nothing is received. */
  readonly migration?: NonNullable<HostPolicy['virtual-machine']>['migration']
  /** Memory of the host; default: what the kernel says. */
  readonly hostMemoryBytes?: number
  /** How long QEMU may take to answer one IsAlive before nothing is known of it. */
  readonly answerMs?: number
  /** After so long without an answer it has failed. */
  readonly hungMs?: number
  readonly hostStopping?: () => Promise<boolean>
}

type VmCall = Call<VirtualMachineProperties>

const ANSWER_MS = 2_000
const HUNG_MS = 15_000
/** libvirt's own calls, that do not wait for a guest. */
const CALL_MS = 5_000
/** libvirt waits five seconds for a guest to let go of a CPU. */
const RESIZE_MS = 8_000
/** A note for libvirt's own tools is not worth more. */
const NOTE_MS = 2_000

export function createVirtualMachine(
  options: VirtualMachineOptions = {},
): ResourceModule<VirtualMachineProperties> {
  const vms = new VirtualMachines(options)
  return {
    type: 'virtual-machine',
    version: '1.0.0',
    properties: virtualMachineProperties,
    host: 'rhs',
    way: 'gate',
    validate: async (call) => vms.validate(call),
    open: (call) => vms.open(call),
    close: async (call) => vms.close(call),
    online: (call) => vms.online(call),
    offline: (call) => vms.offline(call),
    terminate: (call) => vms.terminate(call),
    receive: (call, mid) => vms.receive(call, mid),
    migrate: (call) => vms.migrate(call),
    save: (call) => vms.save(call),
    controls: CONTROLS['virtual-machine'],
    control: (call, code, input) => vms.control(call, code, input),
    isAlive: (calls) => vms.areAlive(calls, (call, known) => vms.isAlive(call, known)),
    looksAlive: (calls) => vms.areAlive(calls, (call, known) => vms.looksAlive(call, known)),
    watch: (call, push) => vms.watch(call, push),
    notify: (call, step) => vms.notify(call, step),
  }
}

class VirtualMachines {
  readonly #options: VirtualMachineOptions
  readonly #client: LibvirtClient
  readonly #states: States
  readonly #held = new Map<string, HeldDomain>()

  constructor(options: VirtualMachineOptions) {
    this.#options = options
    this.#client = new LibvirtClient(
      () => options.socket ?? process.env['HOLDFAST_LIBVIRT_SOCKET'] ?? defaultSocket(),
    )
    this.#states = new States(this.#client)
    this.#client.onLifecycle((event) => {
      for (const held of this.#held.values()) held.lifecycle(event)
    })
  }

  /**
   * What of the host its definition names is allowed and there: a local disk pins its group to the host
   * that has it. Needs no libvirtd, and does not ask whether it could be reached.
   */
  validate({ guid, properties: { domain, xml }, dependent }: VmCall): void {
    const { domains, paths = DEFAULT_PATHS, hostMemoryBytes = totalmem() } = this.#options
    if (domains && !allows(domains, domain))
      throw new Error(`hostPolicy: this host's policy does not allow domain ${domain}`)
    const definition = { name: domain, uuid: guid, emulator: this.#options.gate ?? '' }
    const { xml: prepared, facts } = prepareDomainXml(xml, definition)
    const problem =
      memoryProblem(facts, hostMemoryBytes) ??
      pathProblem(prepared, paths) ??
      (dependent ? null : checkFiles(facts.files))
    if (problem) throw new Error(problem)
  }

  /** What would be in the way of its next start here, by what is wanted now. */
  #against(call: VmCall): string | null {
    try {
      this.validate({ ...call, dependent: false })
      return null
    } catch (error) {
      return messageOf(error)
    }
  }

  /** S-37. A libvirtd that is down now may be back before it is needed: no failure. */
  async open(call: VmCall): Promise<void> {
    this.#hold(call)
    try {
      await this.#client.connect({ timeoutMs: CALL_MS })
    } catch (error) {
      call.log(`libvirt cannot be asked yet: ${messageOf(error)}`)
    }
  }

  /** By QEMU's own monitor. A reset is no end: the domain stays what it is. */
  async control(call: VmCall, code: string, input: Sizes): Promise<unknown> {
    const { domain } = this.#hold(call)
    if (code === 'resize') return resize(this.#client, domain, input, { timeoutMs: RESIZE_MS })
    if (code === 'settings') return definitionsOf(this.#client, domain, { timeoutMs: CALL_MS })
    const execute = code === 'reset' ? 'system_reset' : 'query-status'
    const said = await this.#client.monitorCommand(domain, JSON.stringify({ execute }), {
      timeoutMs: CALL_MS,
    })
    const { return: answer } = JSON.parse(said) as { return?: unknown }
    return code === 'reset' ? null : answer
  }

  /** S-38. The definition stays: behind the gate nobody can start it without the guard. */
  close(call: VmCall): void {
    this.#held.get(call.guid)?.forget()
    this.#held.delete(call.guid)
    if (this.#held.size === 0) this.#client.close()
  }

  /** S-39. */
  async online(call: VmCall): Promise<void> {
    const held = this.#hold(call)
    const problem = pathProblem(held.prepared.xml, this.#options.paths ?? DEFAULT_PATHS)
    if (problem) throw new Error(`host policy: ${problem}`)
    const { domain } = held
    // Its guest stands still meanwhile; whose name it has was asked before it came, and it is paused.
    const waits =
      held.waitsToGoOn(call) && held.seenPaused === true && call.workload.process !== null
    if (waits && (await this.#goOn(held, call))) return
    await refuseForeign(this.#client, domain, call.signal)
    const current = await settled(this.#client, held.domain, call)
    if (current !== null && isActive(current.state)) {
      if (call.workload.process === null)
        throw new Error(
          `domain "${domain.name}" runs, but not by this host's guard. Stop it: ` +
            `virsh destroy ${domain.name}`,
        )
      if (current.state === DOMAIN.paused) {
        // G3: a copy goes on as anything starts, with the guard's yes.
        await call.workload.permitGate(domain.name)
        await this.#client.resume(domain, { timeoutMs: CALL_MS })
      }
      held.goneOnFrom = call.resume?.mid ?? null
      return
    }
    held.goneOnFrom = call.resume?.mid ?? null
    await this.#client.define(held.startable.xml, { signal: call.signal })
    held.defined = true
    await this.#client.setAutostart(domain, false, { timeoutMs: CALL_MS })
    if (await restore(this.#client, held, call)) {
      held.run = NEW_RUN
      return
    }
    await forgetSaved(call)
    // G3: recorded as starting before libvirt is asked; from now on only G5 ends the record.
    await call.workload.permitGate(domain.name)
    held.run = NEW_RUN
    try {
      await this.#client.create(domain, { signal: call.signal })
    } catch (error) {
      // The request may still be carried out; without a record the gate will refuse it.
      await call.workload.stop()
      throw error
    }
    call.log(`domain "${domain.name}" runs`)
  }

  /** M4: what was seen paused by the last look. @returns false: libvirt does not let it go on. */
  async #goOn(held: HeldDomain, call: VmCall): Promise<boolean> {
    // G3: a copy goes on as anything starts, with the guard's yes.
    await call.workload.permitGate(held.domain.name)
    try {
      await this.#client.resume(held.domain, { timeoutMs: CALL_MS })
    } catch (error) {
      if (error instanceof LibvirtError) return false
      throw error
    }
    held.goneOnFrom = call.resume?.mid ?? null
    held.seenPaused = false
    return true
  }

  /** S-40. The guest is asked; what is left after its time is killed. */
  async offline(call: VmCall): Promise<void> {
    try {
      const held = this.#hold(call)
      held.run = { ...held.run, ours: true }
      if (call.properties.shutdownTimeoutMs > 0) await shutDown(this.#client, held.domain, call)
    } catch (error) {
      if (call.signal.aborted) throw error
      call.log(`the guest cannot be shut down: ${messageOf(error)}. It is killed.`)
    }
    await call.workload.stop()
  }

  /** M1, M2: a copy may come in, and waits. */
  async receive(call: VmCall, mid: string): Promise<Receiver> {
    const { migration, gate = process.env['HOLDFAST_GATE'] } = this.#options
    if (!migration)
      throw new Error("this host's policy names no way to receive it (virtual-machine.migration)")
    if (!gate) throw new Error('no gate is installed on this host (HOLDFAST_GATE)')
    this.validate(call)
    const { domain } = new HeldDomain(call, gate)
    await refuseForeign(this.#client, domain, call.signal)
    await call.workload.permitCopy(mid, domain.name)
    const { connect, address, sharedStorage } = migration
    return {
      ...{ connect, emulator: gate },
      ...(address !== undefined && { address }),
      ...(sharedStorage && { sharedStorage: 'yes' }),
    }
  }

  /** M3. */
  migrate(call: VmCall): Promise<void> {
    const shared = this.#options.migration?.sharedStorage === true
    return migrate(this.#client, this.#hold(call), call, shared)
  }

  /** S-92. */
  save(call: VmCall): Promise<void> {
    return save(this.#client, this.#hold(call), call, this.#options.paths ?? DEFAULT_PATHS)
  }

  /**
   * S-41. The guard kills the process, whatever libvirt or the properties are like; libvirt is only
   * told of it. Its own destroy can take 12 s.
   */
  async terminate(call: VmCall): Promise<void> {
    const known = this.#held.get(call.guid)
    if (known !== undefined) known.run = { ...known.run, ours: true }
    await call.workload.stop()
    try {
      const held = this.#hold(call)
      held.run = { ...held.run, ours: true }
      const left = await settled(this.#client, held.domain, call)
      // Not one of the guard's: it was started past the gate.
      if (left !== null && isActive(left.state))
        await this.#client.destroy(held.domain, { signal: call.signal })
    } catch (error) {
      call.log(`libvirt does not say that the domain is gone: ${messageOf(error)}`)
    }
  }

  /** S-27: libvirt is asked once about all of them. */
  async areAlive(
    calls: readonly VmCall[],
    check: (call: VmCall, known: DomainState | undefined) => Promise<Answer>,
  ): Promise<Answer[]> {
    const domains = calls.flatMap(({ guid }) => this.#held.get(guid)?.domain ?? [])
    const states = await this.#states.of(domains, this.#answerMs / 4)
    return Promise.all(
      calls.map((call) => {
        const uuid = this.#held.get(call.guid)?.domain.uuid
        return check(call, uuid === undefined ? undefined : states.get(uuid))
      }),
    )
  }

  /** S-43. */
  async isAlive(call: VmCall, known: DomainState | undefined, thorough = false): Promise<Answer> {
    const { hungMs = HUNG_MS } = this.#options
    const options = { known, thorough, hungMs, answerMs: this.#answerMs }
    try {
      const work = aliveOf(this.#client, this.#hold(call), call, options)
      return { guid: call.guid, ...(await letGo(work, call.signal)) }
    } catch (error) {
      if (call.signal.aborted) return { guid: call.guid, status: 'unknown', detail: 'given up' }
      if (error instanceof LibvirtGone || error instanceof LibvirtTimeout)
        return { guid: call.guid, status: 'unknown', detail: error.message }
      return { guid: call.guid, status: 'failed', detail: messageOf(error) }
    }
  }

  /** S-44. The definition is put back when it was changed; a file that it runs on and is gone is a failure. */
  async looksAlive(call: VmCall, known: DomainState | undefined): Promise<Answer> {
    const answer = await this.isAlive(call, known, true)
    if (answer.status !== 'online') return answer
    const held = this.#hold(call)
    try {
      const deadline = { timeoutMs: CALL_MS }
      const { lost, repaired, refused } = await thoroughCheck(this.#client, held, deadline)
      if (lost !== null) return { guid: call.guid, status: 'failed', detail: lost }
      if (repaired !== null) call.log(repaired)
      const against = refused ?? this.#against(call)
      if (against !== null)
        return { ...answer, degraded: true, detail: `it could not be started again: ${against}` }
      return repaired === null ? answer : { ...answer, detail: repaired }
    } catch (error) {
      const unknown = error instanceof LibvirtGone || error instanceof LibvirtTimeout
      return { guid: call.guid, status: unknown ? 'unknown' : 'failed', detail: messageOf(error) }
    }
  }

  /** S-36. */
  watch(call: VmCall, push: (answer: Answer) => void): () => void {
    const stopping = this.#options.hostStopping ?? hostIsStopping
    const held = this.#hold(call)
    // A shutdown because the host goes down is nobody's wish for this virtual machine.
    let watching = true
    const stop = held.watch(async (verdict) => {
      const noIntent = verdict.status === 'stopped' && (await stopping())
      if (watching)
        push({ guid: call.guid, ...(noIntent ? { ...verdict, status: 'offline' } : verdict) })
    })
    const stopExits = call.workload.onExit(() => held.exited())
    return () => {
      watching = false
      stop()
      stopExits()
    }
  }

  /** S-86. Only of a domain that is held: after a close it is another host's to tell of it. */
  async notify(call: VmCall, step: Step): Promise<void> {
    const held = this.#held.get(call.guid)
    // While it is moved libvirt lets nobody at it; and whatever writes to a copy that waits to go on
    // keeps libvirt from letting it go on: it has the note with the next step.
    if (held === undefined || call.carry) return
    if (held.waitsToGoOn(call) && held.seenPaused !== false) return
    const deadline = { timeoutMs: NOTE_MS, signal: call.signal }
    held.note = metadataOf(call, step)
    await writeMetadata(this.#client, held.domain, held.note, deadline)
  }

  #hold(call: VmCall): HeldDomain {
    const known = this.#held.get(call.guid)
    const gate = this.#options.gate ?? process.env['HOLDFAST_GATE']
    if (gate === undefined || gate === '')
      throw new Error('no gate is installed on this host (HOLDFAST_GATE)')
    if (known === undefined) {
      const held = new HeldDomain(call, gate)
      this.#held.set(call.guid, held)
      return held
    }
    known.update(call, gate)
    return known
  }

  get #answerMs(): number {
    return this.#options.answerMs ?? ANSWER_MS
  }
}
