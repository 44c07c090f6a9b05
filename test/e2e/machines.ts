/**
 * Machines played by namespaces: each has processes, a network, /etc, /var/lib, /run and a clone in
 * /opt/holdfast of its own, and shells in which commands are typed. All networks hang on a bridge that is in one of them, so that
 * this machine's own network is not touched.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { ROOT } from '../tidy/tracked-files.ts'

const PREFIX = `hfw${process.pid}-`
const SHOWS_MS = 90_000
/** Whatever it has started ends with its first shell. */
const OWN = ['--mount', '--pid', '--fork', '--mount-proc', '--kill-child']
const END = '\u001e'

/** Why this machine cannot play others, or null. @param tools that the page needs besides */
export function cannotPlay(tools: readonly string[] = []): string | null {
  if (process.getuid?.() !== 0) return 'not root: no network namespaces'
  for (const tool of ['ip', 'nsenter', 'unshare', 'mount', 'bash', ...tools])
    if (spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0) return `${tool} is missing`
  const tried = spawnSync('unshare', ['--mount', '--net', 'sh', '-c', overlays('/tmp')])
  return tried.status === 0 ? null : `no namespaces to be had: ${tried.stderr}`.trim()
}

/** Own folders over the machine's, and the clone at /opt/holdfast, as the page has it. */
function overlays(root: string): string {
  return [
    'mount --make-rprivate /',
    'mount -t tmpfs tmpfs /run',
    'mkdir /run/etc-new /run/etc-work',
    'mount -t overlay overlay -o lowerdir=/etc,upperdir=/run/etc-new,workdir=/run/etc-work /etc',
    'mount -t tmpfs -o mode=755 tmpfs /var/lib',
    'mount -t tmpfs -o mode=755 tmpfs /opt',
    'mkdir /opt/holdfast /run/clone-new /run/clone-work',
    `mount -t overlay overlay -o lowerdir='${root}',upperdir=/run/clone-new,workdir=/run/clone-work /opt/holdfast`,
    // A clone that nobody has started anything in.
    'rm -rf /opt/holdfast/.holdfast',
  ].join(' && ')
}

export class Machines {
  readonly #spaces: string[] = []
  readonly #shells: Shell[] = []

  /** @param addresses name of the machine → its address; the first one has the bridge */
  constructor(addresses: Readonly<Record<string, string>>) {
    const [hub] = Object.keys(addresses)
    for (const [name, address] of Object.entries(addresses)) {
      const space = PREFIX + name
      sh(`ip netns add ${space}`)
      this.#spaces.push(space)
      sh(`ip -n ${space} link set lo up`)
      if (name === hub) {
        sh(`ip -n ${space} link add eth0 type bridge`)
      } else {
        sh(`ip -n ${space} link add eth0 type veth peer name ${name} netns ${PREFIX}${hub}`)
        sh(`ip -n ${PREFIX}${hub} link set ${name} master eth0 up`)
      }
      sh(`ip -n ${space} addr add ${address}/24 dev eth0`)
      sh(`ip -n ${space} link set eth0 up`)
    }
  }

  /** Logs in: the first shell of a machine makes its folders, the others see them. */
  async shell(name: string): Promise<Shell> {
    const first = this.#shells.find((one) => one.machine === name)
    const enter = first
      ? ['nsenter', '-t', String(first.init), '--mount', '--net', '--pid']
      : ['nsenter', `--net=/run/netns/${PREFIX}${name}`, 'unshare', ...OWN]
    const shell = new Shell(name, [...enter, 'bash', '--noprofile', '--norc'])
    this.#shells.push(shell)
    if (!first) await shell.type(overlays(ROOT))
    return shell
  }

  /** What still runs in the namespaces is of this test: it goes, and they with it. */
  end(): void {
    for (const space of this.#spaces) {
      const pids = spawnSync('ip', ['netns', 'pids', space]).stdout.toString()
      for (const pid of pids.split(/\s+/).map(Number))
        if (pid > 1) spawnSync('kill', ['-9', String(pid)])
      spawnSync('ip', ['netns', 'delete', space])
    }
  }
}

export class Shell {
  readonly machine: string
  readonly #child: ChildProcess
  #text = ''
  #exit: number | null | undefined

  constructor(machine: string, [file = '', ...args]: readonly string[]) {
    this.machine = machine
    const env = { PATH: process.env['PATH'] ?? '', HOME: '/opt', LANG: 'C.UTF-8' }
    this.#child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], env })
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#text += text
      })
    this.#child.stdin?.on('error', () => {})
    this.#child.on('exit', (code) => {
      this.#exit = code
    })
  }

  /** The first process of the machine, if this is its first shell. */
  get init(): number {
    const { pid } = this.#child
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim())
  }

  /**
   * Runs commands to their end.
   *
   * @param answer what is typed once they show that they ask for it, and what they show after that:
   *   they share their input with the shell, so nothing more is typed before
   * @returns what they showed, both streams
   */
  async type(text: string, answer?: { at: RegExp; line: string; until: RegExp }): Promise<string> {
    this.#text = ''
    this.send(text)
    if (answer) {
      await this.shows(answer.at, text)
      this.send(answer.line)
      await this.shows(answer.until, text)
    }
    this.send(`echo "${END}$?${END}"`)
    const end = new RegExp(`${END}(\\d+)${END}\n`)
    await this.shows(end, text)
    const code = Number(end.exec(this.#text)?.[1])
    const shown = this.#text.replace(end, '')
    if (code !== 0) throw new Error(`${this.machine}: exit code ${code} of\n${text}\n${shown}`)
    return shown
  }

  /** Types a line and waits for nothing. */
  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  async shows(pattern: RegExp, what = ''): Promise<string> {
    const end = performance.now() + SHOWS_MS
    while (!pattern.test(this.#text)) {
      const over = performance.now() > end
      if (over || this.#exit !== undefined)
        throw new Error(`${this.machine} does not show ${pattern}: ${what}\n${this.#text}`)
      await new Promise((next) => setTimeout(next, 20))
    }
    return this.#text
  }
}

function sh(command: string): void {
  const done = spawnSync('sh', ['-c', command])
  if (done.status !== 0) throw new Error(`${command}: ${done.stderr}`)
}
