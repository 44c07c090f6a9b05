/**
 * Hosts with a network and mounts of their own, all on one bridge in a namespace of its own: this
 * machine's network is not touched. Each reaches the control plane through a relay on its own
 * loopback, by a unix socket, which no namespace of networks keeps apart.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cannotPlay } from './machines.ts'

export { cannotPlay as cannotHaveIslands }

const PORT = 7_000
const RELAY = new URL('./island-relay.ts', import.meta.url).pathname

export class Islands {
  readonly controlUrl = `http://127.0.0.1:${PORT}`
  readonly #prefix = `hfi${process.pid}-`
  readonly #folder = mkdtempSync(join(tmpdir(), 'hfi-'))
  readonly #children: ChildProcess[] = []
  readonly #holders = new Map<string, number>()
  #server: Server | null = null

  /** @param network addresses are `NETWORK.1`, `.2` … of the hosts, and `.254` of the hub */
  constructor(names: readonly string[], network = '10.88.0') {
    ip(`netns add ${this.space('hub')}`)
    for (const words of ['link set lo up', 'link add br0 type bridge', 'link set br0 up'])
      this.ip('hub', words)
    this.ip('hub', `address add ${network}.254/24 dev br0`)
    for (const [i, name] of names.entries()) {
      ip(`netns add ${this.space(name)}`)
      this.ip(name, 'link set lo up')
      this.ip(name, `link add eth0 type veth peer name ${name} netns ${this.space('hub')}`)
      this.ip('hub', `link set ${name} master br0 up`)
      this.ip(name, `address add ${network}.${i + 1}/24 dev eth0`)
      this.ip(name, 'link set eth0 up')
      const net = `--net=/run/netns/${this.space(name)}`
      const holder = this.#spawn('nsenter', [net, 'unshare', '--mount', 'sleep', '1000000'])
      this.#holders.set(name, holder.pid as number)
      this.#spawn('nsenter', [net, process.execPath, RELAY, String(PORT), this.#socket])
    }
  }

  space(name: string): string {
    return `${this.#prefix}${name}`
  }

  /** To the control plane, wherever it is. */
  serve(port: number): void {
    if (this.#server) return
    const server = createServer((from) => {
      const to = connect(port, '127.0.0.1')
      for (const [a, b] of [
        [from, to],
        [to, from],
      ] as const) {
        a.pipe(b)
        a.on('error', () => b.destroy())
      }
    })
    this.#server = server
    server.listen(this.#socket)
  }

  /** Words that bring a command into the network and the mounts of a host. */
  enter(name: string): string[] {
    const pid = this.#holders.get(name)
    return ['nsenter', `--net=/run/netns/${this.space(name)}`, `--mount=/proc/${pid}/ns/mnt`]
  }

  /** Runs a command in there. @returns what it has written */
  run(name: string, command: string): string {
    const [file = '', ...words] = this.enter(name)
    const done = spawnSync(file, [...words, 'sh', '-c', command], { encoding: 'utf8' })
    if (done.status !== 0) throw new Error(`${name}: ${command}: ${done.stderr}`)
    return done.stdout
  }

  /** In its network alone. */
  ip(name: string, words: string): string {
    return ip(`-n ${this.space(name)} ${words}`)
  }

  end(): void {
    this.#server?.close()
    for (const child of this.#children) child.kill('SIGKILL')
    for (const name of ['hub', ...this.#holders.keys()])
      spawnSync('ip', ['netns', 'delete', this.space(name)])
    rmSync(this.#folder, { recursive: true, force: true })
  }

  get #socket(): string {
    return join(this.#folder, 'control')
  }

  #spawn(command: string, args: readonly string[]): ChildProcess {
    const child = spawn(command, args, { stdio: 'ignore' })
    this.#children.push(child)
    return child
  }
}

function ip(words: string): string {
  const done = spawnSync('ip', words.split(' '), { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(`ip ${words}: ${done.stderr}`)
  return done.stdout
}
