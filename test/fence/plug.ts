/** A plug for one demo host: what the fence agent of the tests pulls. */
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Demo } from '../../demo/cluster.ts'
import { CLUSTER } from '../../demo/cluster.ts'
import type { DemoHost } from '../../demo/host.ts'
import { killHandles } from '../../probe/guard/cgroup.ts'
import type { FencePolicy } from '../../schema/host-policy.ts'
import { ROOT } from '../tidy/tracked-files.ts'

export const AGENT = 'fence_host'

/** Puts the agent where a host policy may name it, as a package would. */
export function fenceFolder(folder: string): FencePolicy {
  const agents = join(folder, 'agents')
  mkdirSync(agents, { recursive: true })
  copyFileSync(join(ROOT, 'test/fence/fence_host.sh'), join(agents, AGENT))
  chmodSync(join(agents, AGENT), 0o755)
  return { agents: [AGENT, 'fence_missing'], folder: agents, secrets: join(folder, 'secrets') }
}

/** The power of a host is in this process's hands, so the script asks it by a socket. */
export class Plug {
  readonly folder: string
  readonly host: DemoHost
  readonly #server: Server
  #ended = false

  constructor(demo: Demo, host: DemoHost) {
    this.host = host
    this.folder = join(demo.folder, 'plugs', host.name)
    mkdirSync(this.folder, { recursive: true })
    const socket = join(this.folder, 'power')
    this.#server = createServer((link) => {
      link.on('data', (data) => {
        const what = String(data).trim()
        if (this.#ended) return link.destroy()
        const done = what === 'off' ? cutPower(host) : host.boot()
        // One that fails closes without a word: the agent's exit code says so.
        done.then(
          () => link.end('done\n'),
          () => link.destroy(),
        )
      })
      link.on('error', () => {})
    }).listen(socket)
    const ask = (word: string) =>
      `exec "${process.execPath}" -e 'const l=require("net").connect(process.argv[1]);l.write(process.argv[2]);l.on("error",()=>process.exit(1));l.resume().on("end",()=>process.exit(0))' "${socket}" ${word}\n`
    writeFileSync(join(this.folder, 'off.sh'), ask('off'))
    writeFileSync(join(this.folder, 'on.sh'), ask('on'))
    writeFileSync(join(this.folder, 'state'), 'on')
  }

  /** How it misbehaves from now on. */
  mode(mode: 'none' | 'hang' | 'lie' | 'garbage' | 'fail'): void {
    writeFileSync(join(this.folder, 'mode'), mode)
  }

  /** Instead of killing: off and status together take so long. For a host that is dead already. */
  answersIn(ms: number): void {
    writeFileSync(join(this.folder, 'ms'), String(ms / 2_000))
    writeFileSync(join(this.folder, 'off.sh'), 'true\n')
  }

  /** Actions that the agent was called with, in order. */
  calls(): string[] {
    const file = join(this.folder, 'calls')
    if (!existsSync(file)) return []
    return readFileSync(file, 'utf8')
      .trim()
      .split('\n')
      .map((line) => line.split(' ')[0] ?? '')
      .filter((action) => action !== '')
  }

  state(): string {
    return readFileSync(join(this.folder, 'state'), 'utf8').trim()
  }

  reset(): void {
    this.mode('none')
    writeFileSync(join(this.folder, 'state'), 'on')
    writeFileSync(join(this.folder, 'calls'), '')
  }

  end(): void {
    this.#ended = true
    this.#server.close()
  }
}

/** A plug that is off is off: it says so once nothing of the host lives. */
async function cutPower(host: DemoHost): Promise<void> {
  const handles = killHandles(host.nodeId)
  const tree = Object.values(host.treePids())
  const all = () => [...tree, ...handles.groups().flatMap((group) => handles.members(group))]
  const pids = all()
  host.powerCut()
  while (living([...pids, ...all()]).length > 0) await sleep(2)
}

/** Sets it up over the API, as `holdfast fence add` does. */
export async function addFence(demo: Demo, plug: Plug, more: object = {}): Promise<void> {
  await demo.api('setFence', {
    params: { cluster: CLUSTER, node: plug.host.name },
    body: { agent: AGENT, options: { plug: plug.folder }, timeoutMs: 3_000, ...more },
  })
}

/** Processes of a host that are really there; one that waits for its parent to look is dead. */
export function living(pids: readonly number[]): number[] {
  return pids.filter((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
      return !['Z', 'X'].includes(stat.slice(stat.lastIndexOf(')') + 2)[0] ?? 'X')
    } catch {
      return false
    }
  })
}
