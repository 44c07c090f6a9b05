/** A bus of its own with a double of systemd on it, for tests. */
import { type ChildProcess, execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupMount, inTree } from '../../../probe/os/cgroup-tree.ts'
import { toolPath } from '../../../probe/os/tool-path.ts'
import type { HostPolicy } from '../../../schema/host-policy.ts'
import type { Told, UnitOfTest } from './double.ts'

const CONFIG = (
  address: string,
) => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>${address}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

/** What this host lacks for it, or null. */
export const missing: string | null = (() => {
  for (const [tool, from] of [
    ['dbus-daemon', 'dbus-daemon'],
    ['busctl', 'systemd'],
  ] as const)
    if (toolPath(tool) === null) return `missing: ${tool} (apt install ${from})`
  const mount = cgroupMount()
  const folder = join(mount ?? '', `hfsd-probe${process.pid}`)
  try {
    if (mount === null) return 'missing: cgroup v2'
    mkdirSync(folder)
    const usable = existsSync(join(folder, 'cgroup.kill'))
    rmdirSync(folder)
    return usable ? null : 'missing: cgroup.kill'
  } catch {
    return 'missing: a cgroup v2 that can be written'
  }
})()

let next = 0

export class SystemdHost {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-systemd-'))
  readonly address = `unix:path=${this.folder}/bus`
  readonly runFolder = join(this.folder, 'run')
  readonly slice = `hfsd${process.pid}n${next++}.slice`
  #daemon: ChildProcess | null = null
  #double: ChildProcess | null = null

  static async start(): Promise<SystemdHost> {
    const host = new SystemdHost()
    mkdirSync(join(host.runFolder, 'systemd/system'), { recursive: true })
    writeFileSync(join(host.folder, 'bus.conf'), CONFIG(host.address))
    await host.startBus()
    const file = new URL('double.ts', import.meta.url).pathname
    host.#double = fork(file, [host.address, host.runFolder, host.slice])
    await once(host.#double, 'message')
    return host
  }

  section(units: string[]): NonNullable<HostPolicy['systemd-unit']> {
    return { units, bus: this.address, runFolder: this.runFolder }
  }

  define(unit: string, as: UnitOfTest): Promise<void> {
    return this.#tell({ define: unit, as })
  }

  systemState(state: string): Promise<void> {
    return this.#tell({ systemState: state })
  }

  async startBus(): Promise<void> {
    const config = `--config-file=${join(this.folder, 'bus.conf')}`
    this.#daemon = spawn('dbus-daemon', [config, '--nofork'], { stdio: 'ignore' })
    while (!existsSync(join(this.folder, 'bus'))) await sleep(5)
  }

  /** The double comes back to the next one by itself. */
  async endBus(): Promise<void> {
    const gone = once(this.#daemon as ChildProcess, 'exit')
    this.#daemon?.kill('SIGKILL')
    await gone
    rmSync(join(this.folder, 'bus'), { force: true })
  }

  /** As an administrator does it, by another client than the probe's. */
  busctl(member: string, ...args: string[]): string {
    const manager = ['org.freedesktop.systemd1', '/org/freedesktop/systemd1']
    const call = ['call', ...manager, 'org.freedesktop.systemd1.Manager', member, ...args]
    return execFileSync('busctl', [`--address=${this.address}`, ...call], {
      encoding: 'utf8',
      stdio: 'pipe',
    })
  }

  pids(unit: string): number[] {
    return inTree(this.cgroup(unit))
  }

  cgroup(unit: string): string {
    return join(cgroupMount() ?? '', this.slice, unit)
  }

  mark(unit: string): string {
    return join(this.runFolder, 'holdfast-units', unit)
  }

  async end(): Promise<void> {
    const gone = once(this.#double as ChildProcess, 'exit')
    this.#double?.disconnect()
    await gone
    this.#daemon?.kill('SIGKILL')
    const slice = join(cgroupMount() ?? '', this.slice)
    for (let again = 0; again < 100 && inTree(slice).length > 0; again += 1) await sleep(10)
    if (existsSync(slice)) {
      for (const one of readdirSync(slice, { withFileTypes: true }))
        if (one.isDirectory()) rmdirSync(join(slice, one.name))
      rmdirSync(slice)
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #tell(told: Told): Promise<void> {
    const done = once(this.#double as ChildProcess, 'message')
    this.#double?.send(told)
    await done
  }
}
