/**
 * A private libvirtd that stands for one host: its own mount namespace and folders, nothing of the
 * machine's own libvirt is touched. Used by the demo and by tests that need real virtual machines.
 *
 * The daemon runs below a subreaper, because libvirt waits for its children with kill(pid, 0) and
 * takes a zombie for a living process. The shell that holds the namespace reads our pipe: when we
 * die, however we die, it ends the daemon and every emulator of this host.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { childrenOf, killPid } from './host.ts'

export interface LibvirtHost {
  /** The daemon's unix socket. */
  readonly socket: string
  /** State of this host; removed by `killAll`. */
  readonly folder: string
  /** Pids of the emulators that run on this host, by domain. */
  emulators(): ReadonlyMap<string, number>
  /** The daemon's pid, or null while it is down. */
  daemonPid(): number | null
  /** Ends the daemon in order; its virtual machines go on. */
  stop(): Promise<void>
  /** SIGKILL to the daemon; its virtual machines go on. */
  kill(): Promise<void>
  /** Brings the daemon back. */
  start(): Promise<void>
  /** SIGKILL to everything that runs on this host; of what lies in memory nothing is left. */
  powerCut(): void
  /** Ends the daemon and every virtual machine, and removes the folder. */
  killAll(): Promise<void>
}

/** Why no private libvirtd can be started here, or null. */
export function libvirtMissing(): string | null {
  if (process.platform !== 'linux') return 'libvirt hosts need Linux'
  if (process.getuid?.() !== 0) return 'root is needed to start a private libvirtd'
  for (const tool of ['libvirtd', 'qemu-system-x86_64', 'tini', 'unshare', 'mount'])
    if (findTool(tool) === null) return `"${tool}" is not installed`
  if (spawnSync('unshare', ['-m', 'true']).status !== 0) return 'mount namespaces are not allowed'
  return null
}

/** Starts one host. At most a second when libvirt has to probe the emulator first. */
export async function startLibvirtHost(options: { name?: string } = {}): Promise<LibvirtHost> {
  // A unix socket's path has at most 107 characters, and libvirt adds its own below ours.
  const folder = mkdtempSync(join(tmpdir(), 'hf-'))
  writeConfig(folder)
  const holder = spawn(
    'tini',
    ['-s', '--', 'unshare', '-m', '-u', 'sh', '-c', HOLD, 'sh', folder, options.name ?? 'host'],
    { stdio: ['pipe', 'inherit', 'inherit'] },
  )
  const host = hostOf(folder, holder)
  await host.start()
  return host
}

function hostOf(folder: string, holder: ChildProcess): LibvirtHost {
  const socket = join(folder, 'run', 'libvirt-sock')
  const daemonPid = () => livePid(join(folder, 'run', 'libvirtd.pid'), 'libvirtd')
  const emulators = () => emulatorsBelow(join(folder, 'run', 'qemu'))
  const end = async (signal: NodeJS.Signals) => {
    const pid = daemonPid()
    if (pid === null) return
    process.kill(pid, signal)
    await until(() => !alive(pid), 10_000, 'libvirtd does not end')
  }
  return {
    socket,
    folder,
    emulators,
    daemonPid,
    stop: () => end('SIGTERM'),
    kill: () => end('SIGKILL'),
    async start() {
      rmSync(socket, { force: true })
      holder.stdin?.write('start\n')
      await until(() => answers(socket), 20_000, `libvirtd does not answer, see ${folder}/log`)
    },
    powerCut() {
      killInside(holder)
      for (const name of readdirSync(join(folder, 'run')))
        rmSync(join(folder, 'run', name), { recursive: true, force: true })
    },
    async killAll() {
      killInside(holder)
      holder.stdin?.end()
      await until(() => holder.exitCode !== null || holder.signalCode !== null, 10_000, 'no end')
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/**
 * All processes in the mount namespace but the shell that holds it: an emulator that has just been started
 * has no pid file yet.
 */
function killInside(holder: ChildProcess): void {
  const shell = childrenOf(holder.pid as number)[0]
  const space = shell === undefined ? null : mountSpace(shell)
  // Before it has a space of its own it is in everybody's.
  if (space === mountSpace(process.pid)) return
  // What is killed may have started something a moment ago.
  for (let left = space !== null, round = 0; left && round < 5; round += 1) {
    const inside = readdirSync('/proc')
      .map(Number)
      .filter((pid) => pid > 1 && pid !== shell && mountSpace(pid) === space && alive(pid))
    for (const pid of inside) killPid(pid)
    left = inside.length > 0
  }
}

function mountSpace(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/ns/mnt`)
  } catch {
    return null
  }
}

/** Runs below tini, in its own mount namespace. $1: folder, $2: host name. */
const HOLD = `
hostname "$2"; mount --make-rprivate / || exit 1
mkdir -p /run/libvirt /var/lib/libvirt /etc/libvirt /var/cache/libvirt /var/log/libvirt
mount --bind "$1/run" /run/libvirt && mount --bind "$1/lib" /var/lib/libvirt &&
mount --bind "$1/etc" /etc/libvirt && mount --bind "$1/cache" /var/cache/libvirt &&
mount --bind "$1/log" /var/log/libvirt || exit 1
ulimit -n 4096
while read -r command; do
  [ "$command" = start ] || continue
  rm -f /run/libvirt/libvirtd.pid
  libvirtd --pid-file /run/libvirt/libvirtd.pid </dev/null >>"$1/log/libvirtd.log" 2>&1 &
done
for file in /run/libvirt/libvirtd.pid /run/libvirt/qemu/*.pid; do
  [ -s "$file" ] && kill -9 "$(cat "$file")" 2>/dev/null
done
exit 0
`

/**
 * Everything as root, no security driver, no cgroups, no log daemon: libvirt then needs nothing of
 * the machine, and probes the emulator once instead of at every start.
 */
const QEMU_CONF = `user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
seccomp_sandbox = 0
`

function writeConfig(folder: string): void {
  for (const name of ['run', 'lib', 'etc/qemu', 'cache', 'log'])
    mkdirSync(join(folder, name), { recursive: true })
  writeFileSync(join(folder, 'etc/qemu.conf'), QEMU_CONF)
  // All hosts of one machine share its SMBIOS uuid, and libvirt refuses to migrate to "itself".
  writeFileSync(
    join(folder, 'etc/libvirtd.conf'),
    `host_uuid = "${randomUUID()}"\nauth_unix_rw = "none"\n`,
  )
}

function emulatorsBelow(folder: string): ReadonlyMap<string, number> {
  const found = new Map<string, number>()
  if (!existsSync(folder)) return found
  for (const file of readdirSync(folder)) {
    if (!file.endsWith('.pid')) continue
    // The daemon has a pid file here too; an emulator says the name of its guest.
    const pid = livePid(join(folder, file), 'guest=')
    if (pid !== null) found.set(file.slice(0, -'.pid'.length), pid)
  }
  return found
}

/** The pid in a file if such a process lives; a pid file may outlive its process. */
function livePid(file: string, command: string): number | null {
  try {
    const pid = Number(readFileSync(file, 'utf8').trim())
    if (!Number.isInteger(pid) || pid <= 1 || !alive(pid)) return null
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(command) ? pid : null
  } catch {
    return null
  }
}

/** A zombie is dead: whoever should reap it may take seconds. */
function alive(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    return false
  }
}

function answers(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket, () => {
      probe.destroy()
      resolve(true)
    })
    probe.on('error', () => resolve(false))
  })
}

async function until(
  met: () => boolean | Promise<boolean>,
  timeoutMs: number,
  otherwise: string,
): Promise<void> {
  const end = performance.now() + timeoutMs
  while (!(await met())) {
    if (performance.now() > end) throw new Error(otherwise)
    await sleep(10)
  }
}

function findTool(name: string): string | null {
  for (const folder of (process.env['PATH'] ?? '/usr/sbin:/usr/bin:/sbin:/bin').split(':'))
    if (existsSync(join(folder, name))) return join(folder, name)
  return null
}
