import { chmodSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { HostPolicy } from '../../schema/host-policy.ts'
import { installGate } from '../gate/gate-script.ts'

/** What the gate becomes where the host policy names nothing else. */
export const EMULATOR = '/usr/bin/qemu-system-x86_64'

/** Where the gate of virtual machines stands; emulators may run as another user than we. */
export function gateFolder(
  runFolder: string,
  policy: HostPolicy,
  mark: Readonly<Record<string, string>>,
): string {
  chmodSync(runFolder, 0o711)
  const folder = join(runFolder, 'gate')
  mkdirSync(folder, { recursive: true, mode: 0o711 })
  const emulator = policy['virtual-machine']?.emulators?.[0] ?? EMULATOR
  if (policy['virtual-machine'] && existsSync(emulator)) {
    const [[name, value] = []] = Object.entries(mark)
    installGate(folder, { emulator, ...(name && { mark: `${name}=${value}` }) })
  }
  return folder
}
