import { join } from 'node:path'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'
import type { ProcessProperties } from '../../schema/resource-types/process.ts'
import { GATE_NAME } from '../gate/gate-script.ts'
import { createFileSystem } from './file-system.ts'
import { createHttpEndpoint } from './http-endpoint.ts'
import { createIpAddress } from './ip-address.ts'
import { createOcf } from './ocf.ts'
import { processModule } from './process.ts'
import { validateProgram } from './program.ts'
import { createScript } from './script.ts'
import { createSystemdUnit } from './systemd-unit.ts'
import { createTcpEndpoint } from './tcp-endpoint.ts'
import { createVirtualMachine } from './virtual-machine.ts'

type ProcessCall = Call<ProcessProperties>

/**
 * The modules of this host: shipped with the probe, and allowed by the host's policy. A type that
 * starts something and that the policy does not name is not offered to the cluster at all. Endpoints
 * start nothing; without a policy they may look at this host itself.
 *
 * @param host only those that this kind of monitor hosts (S-23); absent: all
 * @throws {Error} a module without isAlive or looksAlive (S-45), or with a `restart` (S-47)
 */
export function loadModules(
  policy: HostPolicy,
  runFolder: string,
  host?: ResourceModule['host'],
): ReadonlyMap<string, ResourceModule> {
  const modules = new Map<string, ResourceModule>()
  const add = (module: unknown) => {
    if (host === undefined || (module as ResourceModule).host === host)
      register(modules, module as ResourceModule)
  }
  if (policy.process)
    add({
      ...processModule,
      validate: async (call: ProcessCall) => validateProgram(policy.process, call),
    })
  if (policy.script) add(createScript(policy.script))
  if (policy.ocf) add(createOcf(policy.ocf))
  if (policy['ip-address']) add(createIpAddress(policy['ip-address']))
  if (policy['file-system']) add(createFileSystem(policy['file-system']))
  if (policy['systemd-unit']) add(createSystemdUnit(policy['systemd-unit']))
  const vm = policy['virtual-machine']
  if (vm) {
    const gate = join(runFolder, 'gate', GATE_NAME)
    const socket = vm.socket && { socket: vm.socket }
    const { domains, paths, migration } = vm
    const more = { ...(paths && { paths }), ...(migration && { migration }) }
    add(createVirtualMachine({ gate, domains, ...socket, ...more }))
  }
  add(createHttpEndpoint(policy.endpoints))
  add(createTcpEndpoint(policy.endpoints))
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
