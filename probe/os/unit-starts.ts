/**
 * How a unit of systemd is started under a mark (G4): a run-time drop-in has systemd look for a file,
 * and the guard alone makes and removes that file. The module asks for exactly this command, and the
 * guard compares.
 */
import { join } from 'node:path'
import type { HostPolicy } from '../../schema/host-policy.ts'
import type { ChildSpec } from '../../schema/workload.ts'
import { toolPath } from './tool-path.ts'

type Section = NonNullable<HostPolicy['systemd-unit']>

const SYSTEM_BUS = 'unix:path=/run/dbus/system_bus_socket'
export const SYSTEMD = 'org.freedesktop.systemd1'
export const MANAGER_PATH = '/org/freedesktop/systemd1'
export const MANAGER = `${SYSTEMD}.Manager`

export const busAddress = (section: Section): string => section.bus ?? SYSTEM_BUS

/** There while, and only where, the guard permits a start of the unit; says for which epoch. */
export const unitMark = (section: Section, unit: string): string =>
  join(section.runFolder ?? '/run', 'holdfast-units', unit)

/** Has systemd fail every start of the unit, whoever asks for it, that the guard does not permit. */
export function unitDropIn(section: Section, unit: string): { path: string; text: string } {
  const folder = join(section.runFolder ?? '/run', 'systemd/system', `${unit}.d`)
  return {
    path: join(folder, '50-holdfast.conf'),
    text: `# Only the cluster starts this unit (Holdfast). The guard of this host makes the file.
[Unit]
AssertPathExists=${unitMark(section, unit)}
[Service]
EnvironmentFile=-${unitMark(section, unit)}
`,
  }
}

/** Prints the path of the job, and does not wait for it. @throws {Error} this host has no `busctl` */
export function unitStart(section: Section, unit: string): Pick<ChildSpec, 'command' | 'args'> {
  const command = toolPath('busctl')
  if (command === null) throw new Error('this host has no busctl: it comes with systemd')
  const where = [`--address=${busAddress(section)}`, '--timeout=5', '--no-pager']
  const what = [SYSTEMD, MANAGER_PATH, MANAGER, 'StartUnit', 'ss', unit, 'replace']
  return { command, args: [...where, 'call', ...what] }
}
