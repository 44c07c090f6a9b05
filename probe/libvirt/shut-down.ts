import type { Call } from '../../schema/resource-type.ts'
import type { VirtualMachineProperties } from '../../schema/resource-types/virtual-machine.ts'
import {
  DOMAIN,
  type Domain,
  type LibvirtClient,
  LibvirtError,
  OPERATION_INVALID,
} from './client.ts'
import { stateOf } from './domain-state.ts'
import { isActive } from './verdict.ts'
import { pause } from './waits.ts'

/** libvirt's own calls, that do not wait for a guest. */
const CALL_MS = 5_000
const POLL_MS = 50
/** A guest that still boots does not see the button: press again. */
const PRESS_AGAIN_MS = 10_000

/** Asks the guest to shut down, and waits until it has or its time is over (S-40). */
export async function shutDown(
  client: LibvirtClient,
  domain: Domain,
  call: Call<VirtualMachineProperties>,
): Promise<void> {
  const end = performance.now() + call.properties.shutdownTimeoutMs
  let pressedAt = Number.NEGATIVE_INFINITY
  let exited = false
  const stopExits = call.workload.onExit(() => {
    exited = true
  })
  try {
    while (!exited && performance.now() < end) {
      // A QEMU that hangs answers nothing, and has no more time than its guest.
      const timeoutMs = Math.min(CALL_MS, end - performance.now())
      const current = await stateOf(client, domain, timeoutMs)
      if (current === null || !isActive(current.state)) return
      if (performance.now() - pressedAt >= PRESS_AGAIN_MS) {
        // A guest that is paused sees no button.
        if (current.state === DOMAIN.paused) await client.resume(domain, { timeoutMs })
        await client.shutdown(domain, { timeoutMs })
        pressedAt = performance.now()
        call.progress('waiting for the guest to shut down')
      }
      await pause(POLL_MS, call.signal)
    }
  } catch (error) {
    // It went away between the look and the press.
    if (!(error instanceof LibvirtError && error.code === OPERATION_INVALID)) throw error
  } finally {
    stopExits()
  }
}
