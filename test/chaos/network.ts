/**
 * One namespace per host, all on a bridge in the namespace that this process has for itself. Cuts and
 * losses are rules of nftables in the host's own namespace.
 */
import { spawn, spawnSync } from 'node:child_process'

export const HUB = '10.77.0.254'

export interface Rule {
  readonly chain: 'in' | 'out'
  /** Everything, or what is from and to the control plane alone. */
  readonly scope: 'all' | 'control'
  /** 100 is a cut. */
  readonly lossPercent: number
}

export class Network {
  readonly #rules = new Map<string, Set<Rule>>()

  constructor(hosts: readonly string[]) {
    for (const command of [
      'link set lo up',
      'link add hub type bridge',
      `addr add ${HUB}/24 dev hub`,
      'link set hub up',
    ])
      ip(command)
    for (const [i, host] of hosts.entries()) {
      ip(`netns add ${host}`)
      ip(`-n ${host} link set lo up`)
      ip(`link add ${host} type veth peer name eth0 netns ${host}`)
      ip(`link set ${host} master hub up`)
      ip(`-n ${host} addr add ${addressOf(i)}/24 dev eth0`)
      ip(`-n ${host} link set eth0 up`)
      this.#rules.set(host, new Set())
    }
  }

  /** Words that bring a command into the namespace; `ip netns exec` would hide the cgroups. */
  enter(host: string): string[] {
    return ['nsenter', `--net=/run/netns/${host}`]
  }

  /** A machine without power has the address that it boots with, and no other. */
  loseAddresses(host: string, keep: string): void {
    ip(`-n ${host} addr flush dev eth0 scope global`)
    ip(`-n ${host} addr add ${keep}/24 dev eth0`)
  }

  async add(host: string, ...rules: Rule[]): Promise<void> {
    for (const rule of rules) this.#rules.get(host)?.add(rule)
    await this.#apply(host)
  }

  async remove(host: string, ...rules: Rule[]): Promise<void> {
    for (const rule of rules) this.#rules.get(host)?.delete(rule)
    await this.#apply(host)
  }

  /** Replaces the whole table at once. */
  async #apply(host: string): Promise<void> {
    const chain = (name: Rule['chain']) => {
      const rules = [...(this.#rules.get(host) ?? [])].filter((rule) => rule.chain === name)
      return `chain ${name} { type filter hook ${name}put priority 0; ${rules.map((rule) => `${ruleText(rule)}\n`).join('')} }`
    }
    const text = `table inet chaos {}\ndelete table inet chaos\ntable inet chaos { ${chain('in')}\n${chain('out')}\n}\n`
    const [command = '', ...args] = [...this.enter(host), 'nft', '-f', '-']
    const child = spawn(command, args, { stdio: ['pipe', 'inherit', 'inherit'] })
    child.stdin.end(text)
    const code = await new Promise((resolve) => child.once('exit', resolve))
    if (code !== 0) throw new Error(`nft in ${host}: exit code ${code} of ${text}`)
  }
}

export function addressOf(index: number): string {
  return `10.77.0.${index + 1}`
}

function ruleText({ chain, scope, lossPercent }: Rule): string {
  const device = chain === 'in' ? 'iifname "eth0"' : 'oifname "eth0"'
  const peer = scope === 'all' ? '' : ` ip ${chain === 'in' ? 'saddr' : 'daddr'} ${HUB}`
  const chance = lossPercent >= 100 ? '' : ` numgen random mod 100 < ${lossPercent}`
  return `${device}${peer}${chance} drop`
}

function ip(words: string): void {
  const done = spawnSync('ip', words.split(' '))
  if (done.status !== 0) throw new Error(`ip ${words}: ${done.stderr}`)
}
