/**
 * The commands that put an address on a device, or mount a file system. The module asks for exactly
 * these, and the guard compares: what a host policy allows is an address or a mount, not a program.
 */
import type { ChildSpec } from '../../schema/workload.ts'
import { toolPath } from './tool-path.ts'

type Command = Pick<ChildSpec, 'command' | 'args'>

export interface MountAsk {
  readonly source: string
  readonly target: string
  readonly fsType?: string | undefined
  readonly options: readonly string[]
  readonly fsck: 'no' | 'preen' | 'repair'
}

/** @throws {Error} this host has no `ip` */
export function addressStart(address: string, device: string): Command {
  return { command: tool('ip', 'iproute2'), args: ['address', 'replace', address, 'dev', device] }
}

/** Mounted already is success. fsck: 0 is clean, 1 repaired; all else must not be mounted. */
const CHECK_AND_MOUNT = `
for target; do :; done
if findmnt -rn --source "$2" --mountpoint "$target" >/dev/null 2>&1; then exit 0; fi
if [ "$1" != no ]; then
  if [ "$1" = preen ]; then how=-p; else how=-y; fi
  fsck "$how" "$2"; code=$?
  if [ "$code" -gt 1 ]; then echo "fsck $how $2: exit code $code" >&2; exit 1; fi
fi
shift 2
exec mount "$@"
`

/** @throws {Error} this host has no `mount` */
export function mountStart(ask: MountAsk): Command {
  const { source, target, options, fsck } = ask
  // `mount` takes a source for a device unless it is told the type.
  const fsType = ask.fsType ?? (source === 'tmpfs' ? source : undefined)
  tool('mount', 'mount')
  const how = [
    ...(fsType === undefined ? [] : ['-t', fsType]),
    ...(options.length === 0 ? [] : ['-o', options.join(',')]),
  ]
  return {
    command: '/bin/sh',
    args: ['-c', CHECK_AND_MOUNT, 'mount', fsck, source, ...how, '--', source, target],
  }
}

/** What a command of `mountStart` mounts where; null: it is none. */
export function mountOf({ command, args }: Command): { source: string; target: string } | null {
  const [target, source, dashes] = [...args].reverse()
  const isOne = command === '/bin/sh' && args[0] === '-c' && args[1] === CHECK_AND_MOUNT
  if (!isOne || dashes !== '--' || source === undefined || target === undefined) return null
  return args[4] === source ? { source, target } : null
}

function tool(name: string, debianPackage: string): string {
  const path = toolPath(name)
  if (path === null) throw new Error(`this host has no ${name}: apt install ${debianPackage}`)
  return path
}
