/** Calls of OCF agents: where they are, what they are told, and what an exit code means. */
import { statSync } from 'node:fs'
import type { HostPolicy } from '../../schema/host-policy.ts'
import { allows } from '../../schema/host-policy.ts'
import type { Call } from '../../schema/resource-type.ts'
import { OCF_AGENT, OCF_EXIT, type OcfProperties } from '../../schema/resource-types/ocf.ts'
import { ocfAgentPath, ocfRoot } from '../os/allowed.ts'
import { type ActionEnd, lastLines, runAction } from './action.ts'
import { type AgentMetaData, parameterProblem, readMetaData } from './ocf-agent.ts'
import { environment } from './program.ts'

export type OcfCall = Call<OcfProperties>
export type OcfAction = 'start' | 'stop' | 'monitor'
type Section = NonNullable<HostPolicy['ocf']>

/** What Pacemaker takes where an agent advises nothing. */
const DEFAULT_MS = 20_000
const META_DATA_MS = 10_000
const META_DATA_BYTES = 1024 * 1024

interface Known {
  readonly stamp: string
  readonly metaData: Promise<AgentMetaData>
}

export class OcfActions {
  readonly #section: Section
  /** By path, for as long as the file is the same. */
  readonly #known = new Map<string, Known>()

  constructor(section: Section) {
    this.#section = section
  }

  /** @throws {Error} the host policy forbids it, or there is no such agent */
  pathOf({ properties }: Pick<OcfCall, 'properties'>): string {
    const { agent } = properties
    if (!allows(this.#section.agents, agent))
      throw new Error(`hostPolicy: this host's policy does not allow ${agent}`)
    const path = ocfAgentPath(agent, this.#section)
    if (path === null || stampOf(path) === null)
      throw new Error(
        `${agent} is not on this host: no file ${path}. Most agents are in the package resource-agents`,
      )
    return path
  }

  /** @throws {Error} it has none, it is not that of an OCF agent, or the parameters do not fit it */
  async checked(call: OcfCall): Promise<AgentMetaData> {
    const metaData = await this.metaData(call)
    const problem = parameterProblem(metaData, call.properties.parameters)
    if (problem) throw new Error(`${call.properties.agent}: ${problem}`)
    return metaData
  }

  async metaData(call: OcfCall): Promise<AgentMetaData> {
    const path = this.pathOf(call)
    const stamp = stampOf(path) ?? ''
    const known = this.#known.get(path)
    if (known?.stamp === stamp) return known.metaData
    const metaData = this.#read(path, call.properties.agent)
    this.#known.set(path, { stamp, metaData })
    metaData.catch(() => this.#known.delete(path))
    return metaData
  }

  async #read(path: string, agent: string): Promise<AgentMetaData> {
    const end = await runAction({
      command: path,
      args: ['meta-data'],
      env: { PATH: environmentPath, OCF_ROOT: ocfRoot(this.#section), OCF_RESOURCE_TYPE: agent },
      timeoutMs: META_DATA_MS,
      signal: new AbortController().signal,
      stdoutBytes: META_DATA_BYTES,
    })
    if (end.code !== OCF_EXIT.success) throw new Error(`${agent}: meta-data: ${outcomeOf(end)}`)
    try {
      return readMetaData(end.stdout)
    } catch (error) {
      throw new Error(`${agent}: ${(error as Error).message}`)
    }
  }

  timeoutMs({ properties }: OcfCall, action: OcfAction, metaData: AgentMetaData): number {
    const { startMs, stopMs, monitorMs } = properties.timeouts
    const own = { start: startMs, stop: stopMs, monitor: monitorMs }[action]
    return own ?? metaData.timeoutsMs.get(action) ?? DEFAULT_MS
  }

  /** @throws {Error} it cannot be called */
  async run(call: OcfCall, action: OcfAction, depth = 0): Promise<ActionEnd> {
    const metaData = await this.metaData(call)
    const timeoutMs = this.timeoutMs(call, action, metaData)
    return runAction({
      command: this.pathOf(call),
      args: [action],
      env: this.variables(call, action, timeoutMs, depth),
      timeoutMs,
      signal: call.signal,
    })
  }

  /** What the OCF standard and its shell library expect in the environment. */
  variables(
    call: OcfCall,
    action: OcfAction,
    timeoutMs: number,
    depth = 0,
  ): Record<string, string> {
    const { agent, parameters } = call.properties
    const [, provider = '', type = ''] = OCF_AGENT.exec(agent) ?? []
    const own = Object.entries(parameters).map(([name, value]) => [`OCF_RESKEY_${name}`, value])
    return {
      ...environment(call, Object.fromEntries(own)),
      OCF_ROOT: ocfRoot(this.#section),
      OCF_RA_VERSION_MAJOR: '1',
      OCF_RA_VERSION_MINOR: '1',
      // It names state files of agents: the name of the resource may change while it runs.
      OCF_RESOURCE_INSTANCE: call.guid,
      OCF_RESOURCE_PROVIDER: provider,
      OCF_RESOURCE_TYPE: type,
      OCF_RESKEY_CRM_meta_name: action,
      OCF_RESKEY_CRM_meta_timeout: String(timeoutMs),
      ...(action === 'monitor' && { OCF_CHECK_LEVEL: String(depth) }),
      HA_LOGD: 'no',
      LC_ALL: 'C',
    }
  }
}

const environmentPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

function stampOf(path: string): string | null {
  try {
    const stat = statSync(path)
    return stat.isFile() ? `${stat.ino} ${stat.mtimeMs} ${stat.size}` : null
  } catch {
    return null
  }
}

const MEANINGS: Readonly<Record<number, string>> = {
  [OCF_EXIT.genericError]: 'generic error',
  [OCF_EXIT.wrongArguments]: 'wrong parameters',
  [OCF_EXIT.notImplemented]: 'not implemented',
  [OCF_EXIT.noPermission]: 'no permission',
  [OCF_EXIT.notInstalled]: 'what it needs is not installed',
  [OCF_EXIT.notConfigured]: 'not configured',
  [OCF_EXIT.notRunning]: 'not running',
  [OCF_EXIT.failedPromoted]: 'failed in its promoted role',
}

/** In words: `exit code 5 (what it needs is not installed): the last lines`. */
export function outcomeOf(end: Pick<ActionEnd, 'code' | 'timedOut' | 'output'>): string {
  const meaning = end.code === null ? undefined : MEANINGS[end.code]
  const how = end.timedOut
    ? 'no end in its time'
    : end.code === null
      ? 'ended by a signal'
      : `exit code ${end.code}${meaning === undefined ? '' : ` (${meaning})`}`
  const said = lastLines(end.output)
  return said === '' ? how : `${how}: ${said}`
}
