/** Takes addresses from devices, and looks whether they are gone. */
import type { Undo } from '../../../schema/undo.ts'
import { runTool } from '../../os/tool.ts'

type Address = Extract<Undo, { kind: 'address' }>

const TIMEOUT_MS = 5_000

interface Device {
  readonly ifname: string
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number }[]
}

/**
 * All that is to go in one turn goes by one call of `ip`: at a lapse a host with hundreds of
 * addresses has no time to start a process for each.
 */
export class Addresses {
  #queue: Address[] = []
  #round: Promise<readonly Device[]> | null = null

  /** @returns whether it is gone: seen, not believed */
  async remove(address: Address): Promise<boolean> {
    this.#queue.push(address)
    this.#round ??= Promise.resolve().then(() => this.#removeAll())
    const devices = await this.#round
    const device = devices.find((d) => d.ifname === address.device)
    return !(device?.addr_info ?? []).some(
      ({ local, prefixlen }) => `${local}/${prefixlen}` === address.address,
    )
  }

  async #removeAll(): Promise<readonly Device[]> {
    const all = this.#queue
    this.#queue = []
    this.#round = null
    const lines = all.map(({ address, device }) => `address del ${address} dev ${device}\n`)
    // What is not there is an error of its line, and no reason to leave the others.
    await runTool('ip', ['-force', '-batch', '-'], TIMEOUT_MS, lines.join(''))
    const { code, stdout } = await runTool('ip', ['-json', 'address', 'show'], TIMEOUT_MS)
    if (code !== 0) throw new Error(`ip address show: exit code ${code}`)
    return JSON.parse(stdout) as Device[]
  }
}
