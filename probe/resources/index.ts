import { join } from 'node:path'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { ResourceModule } from '../../schema/resource-module.ts'
import { GATE_NAME } from '../gate/gate-script.ts'
import { processModule } from './process.ts'
import { createVirtualMachine } from './virtual-machine.ts'

/**
 * The modules of this host: shipped with the probe, and allowed by the host's policy. A type that
 * the policy does not name is not offered to the cluster at all.
 *
 * @throws {Error} a module without isAlive or looksAlive (S-45), or with a `restart` (S-47)
 */
export function loadModules(
  policy: HostPolicy,
  runFolder: string,
): ReadonlyMap<string, ResourceModule> {
  const modules = new Map<string, ResourceModule>()
  if (policy.process) register(modules, processModule as ResourceModule)
  const vm = policy['virtual-machine']
  if (vm) {
    const gate = join(runFolder, 'gate', GATE_NAME)
    register(
      modules,
      createVirtualMachine({
        gate,
        ...(vm.socket && { socket: vm.socket }),
        ...(vm.paths && { paths: vm.paths }),
      }) as ResourceModule,
    )
  }
  return modules
}

export function register(modules: Map<string, ResourceModule>, module: ResourceModule): void {
  for (const required of ['isAlive', 'looksAlive'] as const)
    if (typeof module[required] !== 'function')
      throw new Error(`module ${module.type} is refused: it has no ${required} (S-45)`)
  if ('restart' in module)
    throw new Error(`module ${module.type} is refused: a restart is Online (S-47)`)
  modules.set(module.type, module)
}
