/**
 * Runs fence agents for others (F1). What this host allows is its own policy's to say: the control
 * plane names an agent and its harmless options; programs, files and secrets come from this host.
 */
import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FenceOrder, FenceOutcome, FenceProbe } from '../../schema/fencing.ts'
import { allows, type FencePolicy, SAFE_FENCE_OPTIONS } from '../../schema/host-policy.ts'
import { LIMITS } from '../../schema/limits.ts'
import { type AgentRun, runAgent } from './run-agent.ts'

const AGENTS_FOLDER = '/usr/sbin'
const SECRETS_FOLDER = '/etc/holdfast/fence'
/** Of `status`: the node is off. 0 is on, 1 an error. */
const OFF = 2
/** Between two looks at a node that is not off yet. */
const LOOK_MS = 250

/** What runs: the program, and what it gets on its input. */
interface Prepared {
  readonly path: string
  readonly lines: string
  readonly secrets: readonly string[]
}

export interface FenceResult {
  readonly outcome: FenceOutcome
  readonly detail: string
}

/**
 * Switches off, and says so only when the agent's own `status` says "off" afterwards (F1). What the
 * agent makes of `off` alone proves nothing: some return early, some lie.
 */
export async function fenceOff(
  order: FenceOrder,
  policy: FencePolicy | null,
): Promise<FenceResult> {
  const prepared = prepare(order, policy)
  if ('fault' in prepared) return { outcome: 'failed', detail: prepared.fault }
  const failed = (what: string, run: AgentRun): FenceResult => ({
    outcome: 'failed',
    detail: saying(`${order.agent} ${what}`, run, prepared),
  })
  const endMs = performance.now() + order.timeoutMs
  const leftMs = () => Math.max(1, endMs - performance.now())
  const off = await call(prepared, 'off', leftMs())
  if (off.code !== 0) return failed(`off ${ended(off)}`, off)
  let answered: AgentRun | null = null
  for (;;) {
    const status = await call(prepared, 'status', leftMs())
    if (!status.timedOut) answered = status
    if (status.code === OFF) {
      const tookMs = Math.round(order.timeoutMs - leftMs())
      return {
        outcome: 'off',
        detail: `${order.agent}: off, and its status says so (${tookMs} ms)`,
      }
    }
    if (leftMs() <= LOOK_MS) {
      // The last one has been cut off by the end of the time: what it said before tells more.
      const last = answered ?? status
      const said = last.code === 0 ? 'says that it is still on' : ended(last)
      return failed(`said that it switched off, but its status ${said}`, last)
    }
    await sleep(LOOK_MS)
  }
}

/** After its end is on record. That it fails changes nothing but what the log says. */
export async function switchOn(order: FenceOrder, policy: FencePolicy | null): Promise<string> {
  const prepared = prepare(order, policy)
  if ('fault' in prepared) return prepared.fault
  const on = await call(prepared, 'on', order.timeoutMs)
  return on.code === 0
    ? `${order.target.name} is switched on again`
    : saying(`${order.target.name} could not be switched on again: ${ended(on)}`, on, prepared)
}

/** Looks only: what `status` and `monitor` say. */
export async function tryFence(
  order: FenceOrder,
  policy: FencePolicy | null,
): Promise<{ fault: string | null; probes: FenceProbe[] }> {
  const prepared = prepare(order, policy)
  if ('fault' in prepared) return { fault: prepared.fault, probes: [] }
  const probes: FenceProbe[] = []
  const endMs = performance.now() + order.timeoutMs
  for (const action of ['status', 'monitor'] as const) {
    const run = await call(prepared, action, Math.max(1, endMs - performance.now()))
    const said = action === 'status' ? statusText(run) : ended(run)
    const ok = run.code === 0 || (action === 'status' && run.code === OFF)
    probes.push({ action, ok, detail: saying(said, run, prepared), tookMs: run.tookMs })
  }
  return { fault: null, probes }
}

const statusText = (run: AgentRun) =>
  run.code === 0 ? 'the node is on' : run.code === OFF ? 'the node is off' : ended(run)

const call = (prepared: Prepared, action: string, timeoutMs: number) =>
  runAgent(prepared.path, `action=${action}\n${prepared.lines}`, timeoutMs)

function ended(run: AgentRun): string {
  if (run.timedOut) return `did not end in time and was killed (${Math.round(run.tookMs)} ms)`
  return run.code === null ? 'was killed, or could not be started' : `ended with ${run.code}`
}

/** With what it wrote, and without what must not be read elsewhere. */
function saying(what: string, run: AgentRun, { secrets }: Prepared): string {
  let output = run.output.replace(/\s+/g, ' ')
  for (const secret of secrets) output = output.replaceAll(secret, '***')
  return `${what}${output ? `: ${output}` : ''}`.slice(0, LIMITS.detailLengthMax)
}

/** What the policy of this host makes of an order, or why it is not carried out. */
function prepare(order: FenceOrder, policy: FencePolicy | null): Prepared | { fault: string } {
  const { agent } = order
  if (!policy || !allows(policy.agents, agent))
    return { fault: `hostPolicy: this host's policy does not allow the fence agent ${agent}` }
  const known = new Set([...SAFE_FENCE_OPTIONS, ...(policy.options ?? [])])
  const strange = Object.keys(order.options).find((key) => !known.has(key))
  if (strange !== undefined)
    return {
      fault: `hostPolicy: this host's policy does not allow the control plane to set the option ${strange} of ${agent}: put it into the secrets file, or allow it`,
    }
  const path = join(policy.folder ?? AGENTS_FOLDER, agent)
  const strayAgent = notRoots(path, 0o022)
  if (strayAgent) return { fault: `the fence agent ${agent} cannot be used here: ${strayAgent}` }
  const own = order.secrets === null ? {} : readSecrets(order.secrets, policy)
  if (typeof own === 'string') return { fault: own }
  const options = { ...order.options, ...own }
  const lines = Object.entries(options).map(([key, value]) => `${key}=${value}\n`)
  const secrets = Object.values(own).filter((value) => value.length > 2)
  return { path, lines: lines.join(''), secrets }
}

/** @returns options, or what is wrong with the file */
function readSecrets(name: string, policy: FencePolicy): Record<string, string> | string {
  const path = join(policy.secrets ?? SECRETS_FOLDER, name)
  const problem = notRoots(path, 0o077)
  if (problem) return `the secrets file ${path} cannot be used: ${problem}`
  const options: Record<string, string> = {}
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const found = /^\s*([a-z][a-z0-9_-]*)\s*=(.*)$/.exec(line)
    if (!found || found[1] === 'action')
      return `the secrets file ${path} has a line that is not key=value, or sets the action`
    options[found[1] as string] = (found[2] as string).trim()
  }
  return options
}

/** What else than root could have made of a file; null: it is root's own. */
function notRoots(path: string, othersMode: number): string | null {
  try {
    const { uid, mode } = statSync(path)
    if (uid !== 0 && uid !== process.getuid?.()) return `${path} belongs to another user`
    if ((mode & othersMode) === 0) return null
    const may = othersMode === 0o022 ? 'changed' : 'read'
    return `${path} can be ${may} by others than its owner`
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? `${path} is missing` : String(error)
  }
}
