/** The cluster of a scenario, up to the moment at which its events begin. */
import { neededFields } from '../../schema/dependency.ts'
import type { Refusal } from '../../schema/errors.ts'
import type { Request } from '../../schema/event.ts'
import { Mirror } from '../check/mirror.ts'
import type { Code } from '../world/code.ts'
import type { SimHost } from '../world/host.ts'
import { makeScene } from '../world/make-scene.ts'
import type { Scene } from '../world/scene.ts'
import type { WorldPlan } from '../world/setting.ts'
import { needsOf } from './parse.ts'
import { Recorder } from './recorder.ts'
import type { Scenario, ScenarioGroup } from './schema.ts'

export interface Stage {
  readonly scene: Scene
  /** What judges it, whatever the scenario expects. */
  readonly mirror: Mirror
  readonly recorder: Recorder
  readonly hosts: ReadonlyMap<string, SimHost>
  /** GUIDs by name. */
  readonly groups: ReadonlyMap<string, string>
  /** By name of the group, then of the resource. */
  readonly resources: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** When the scenario begins, milliseconds of the kernel. */
  readonly startMs: number
}

/** Nothing goes wrong but what the scenario says. */
const CALM: WorldPlan = {
  delayMaxMs: 2,
  loss: 0,
  alarmLateMaxMs: 2,
  alarmLate: 0,
  syncMaxMs: 2,
  onlineMaxMs: 20,
  offlineMaxMs: 20,
  killMaxMs: 5,
  flaky: 0,
  hangs: 0,
  lies: 0,
  ipcMaxMs: 0,
  runFolderLasts: false,
  watchdog: false,
  managerLateMaxMs: 5,
  peers: false,
  fencing: 'none',
  extremeClocks: false,
}
/** Each step of the set-up is given so long. */
const STEP_MS = 5
const SETTLES_MS = 120_000
const ASK_MS = 1

export async function setStage(scenario: Scenario, code: Code): Promise<Stage> {
  const names = scenario.nodes.map((n) => n.name)
  const { scene, calm } = makeScene(
    {
      ...{ seed: 1, profile: 'standard', nodes: names.length, names, groups: [], world: CALM },
      endMs: Number.POSITIVE_INFINITY,
    },
    code,
  )
  calm()
  scene.operator.delayMs = () => ASK_MS
  // Before anything happens in it.
  const mirror = new Mirror(scene.kernel, scene.platform.disk, scene.witness)
  const setting = new Setting(scenario, scene, mirror, new Recorder(scene))
  await setting.form()
  if (scenario.start === 'cold') return setting.cold()
  return setting.settled()
}

class Setting {
  readonly #scenario: Scenario
  readonly #scene: Scene
  readonly #hosts: ReadonlyMap<string, SimHost>
  readonly #groups: Map<string, string>
  readonly #resources: Map<string, Map<string, string>>
  readonly #mirror: Mirror
  readonly #recorder: Recorder

  constructor(scenario: Scenario, scene: Scene, mirror: Mirror, recorder: Recorder) {
    this.#scenario = scenario
    this.#scene = scene
    this.#mirror = mirror
    this.#recorder = recorder
    const { random } = scene.kernel
    this.#hosts = new Map(scene.hosts.map((host) => [host.name, host]))
    this.#groups = new Map(scenario.groups.map((g) => [g.name, random.uuid()]))
    this.#resources = new Map(
      scenario.groups.map((g) => [
        g.name,
        new Map(membersOf(g).map((r) => [r.name, random.uuid()])),
      ]),
    )
  }

  async form(): Promise<void> {
    const { hosts } = this.#scene
    const clusterId = hosts[0]?.clusterId ?? ''
    await this.#ask({ type: 'formCluster', clusterId, name: 'scenario', profile: 'standard' })
    for (const host of hosts) {
      const { nodeId, name, publicKey } = host
      await this.#ask({ type: 'joinNode', nodeId, name, publicKey })
    }
  }

  /** Nothing runs; hosts that are up join in list order. */
  async cold(): Promise<Stage> {
    for (const group of this.#scenario.groups) await this.#make(group, [])
    for (const group of this.#scenario.groups) await this.#order(group)
    for (const group of this.#scenario.groups) await this.#free(group)
    await this.#declare()
    const stage = this.#stage()
    for (const { host, network } of this.#living()) {
      host.powerOn()
      if (network) await this.#until(() => host.inSession)
    }
    return stage
  }

  async settled(): Promise<Stage> {
    // Before there is any host: what nobody may own yet is placed nowhere.
    for (const group of this.#scenario.groups) await this.#make(group, [])
    for (const { host } of this.#living()) host.powerOn()
    const ups = this.#living().filter(({ network }) => network)
    await this.#until(() => ups.every(({ host }) => host.inSession))
    const names = new Set(ups.map(({ name }) => name))
    const settled = this.#scenario.groups.filter((g) => g.owner !== null && names.has(g.owner))
    for (const group of settled) await this.#allow(group, this.#ids([group.owner as string]))
    await this.#until(() => settled.every((g) => this.#isThere(g)))
    const stage = this.#stage()
    for (const group of this.#scenario.groups) await this.#order(group)
    for (const group of settled) await this.#free(group)
    await this.#declare()
    // As if in one moment: what is placed first comes first.
    const inOrder = this.#scenario.groups
      .filter((g) => !settled.includes(g))
      .sort((one, other) => (other.priority ?? 0) - (one.priority ?? 0))
    for (const group of inOrder) await this.#free(group)
    return stage
  }

  #stage(): Stage {
    return {
      scene: this.#scene,
      mirror: this.#mirror,
      recorder: this.#recorder,
      hosts: this.#hosts,
      groups: this.#groups,
      resources: this.#resources,
      startMs: this.#scene.kernel.nowMs,
    }
  }

  #living() {
    return this.#scenario.nodes
      .filter((n) => n.up)
      .map((n) => {
        const host = this.#hosts.get(n.name) as SimHost
        if (!n.network) host.weather.up = host.weather.down = host.lan = false
        return { ...n, host }
      })
  }

  #isThere(g: ScenarioGroup): boolean {
    const groupId = this.#groups.get(g.name) ?? ''
    const running = this.#scene.witness.runningOf(groupId)
    return g.wanted === 'offline'
      ? this.#recorder.hive.groups.get(groupId)?.ownership.phase === 'owned'
      : running.length === membersOf(g).length
  }

  async #make(g: ScenarioGroup, possibleOwners: readonly string[] | null): Promise<void> {
    const groupId = this.#groups.get(g.name) as string
    const settings = {
      failoverThreshold: g.failoverThreshold ?? null,
      ...(g.priority !== undefined && { priority: g.priority }),
      ...(g.needs && { needs: g.needs }),
    }
    await this.#ask({ type: 'createGroup', groupId, name: g.name, settings })
    const ids = this.#resources.get(g.name) as Map<string, string>
    for (const r of inOnlineOrder(membersOf(g)))
      await this.#ask({
        type: 'createResource',
        resourceId: ids.get(r.name) as string,
        groupId,
        name: `${g.name}.${r.name}`,
        resourceType: r.live ? 'virtual-machine' : 'process',
        persistentState: g.wanted === 'online' ? 1 : 0,
        settings: {
          properties: r.live ? { domain: r.name, xml: '<domain/>' } : { command: '/bin/workload' },
          ...neededFields(needsOf(r).map((some) => some.map((name) => ids.get(name) as string))),
          possibleOwners: possibleOwners && [...possibleOwners],
          ...(g.restartThreshold !== undefined && { restart: { attempts: g.restartThreshold } }),
        },
      })
  }

  async #order({ name, after, onlyWhile }: ScenarioGroup): Promise<void> {
    if (after.length + onlyWhile.length === 0) return
    const ids = (names: readonly string[]) => names.map((one) => this.#groups.get(one) as string)
    const settings = { after: ids(after), onlyWhile: ids(onlyWhile) }
    const groupId = this.#groups.get(name) as string
    await this.#ask({ type: 'changeGroup', groupId, settings })
  }

  /** From now on it is as the scenario says, and may be wherever that lets it. */
  async #free(g: ScenarioGroup): Promise<void> {
    await this.#asDeclared(g)
    await this.#allow(g, this.#possible(g))
  }

  async #allow(g: ScenarioGroup, owners: readonly string[] | null): Promise<void> {
    const settings = { possibleOwners: owners && [...owners] }
    for (const resourceId of this.#resources.get(g.name)?.values() ?? [])
      await this.#ask({ type: 'changeResource', resourceId, settings })
  }

  async #asDeclared(g: ScenarioGroup): Promise<void> {
    const groupId = this.#groups.get(g.name) as string
    const when = g.failback === 'immediate' ? ('atOnce' as const) : ('off' as const)
    const preferredOwners = this.#ids(g.preferredOwners)
    await this.#ask({
      type: 'changeGroup',
      groupId,
      settings: { preferredOwners, failback: { when } },
    })
  }

  async #declare(): Promise<void> {
    const { nodes, rules, policy: placement, startsPerNode } = this.#scenario
    await this.#ask({ type: 'setPlacement', placement })
    if (startsPerNode !== undefined) await this.#ask({ type: 'setStarts', startsPerNode })
    for (const { name, capacity, faultDomain } of nodes) {
      if (!capacity && !faultDomain) continue
      const nodeId = this.#ids([name])[0] as string
      const what = { ...(capacity && { capacity }), ...(faultDomain && { faultDomain }) }
      await this.#ask({ type: 'changeNode', nodeId, ...what })
    }
    for (const [n, rule] of rules.entries()) {
      const kind = rule.keepApart ? ('keepApart' as const) : ('keepTogether' as const)
      const names = rule.keepApart ?? rule.keepTogether ?? []
      const groups = names.map((name) => this.#groups.get(name) as string)
      const ruleId = this.#scene.kernel.random.uuid()
      await this.#ask({
        type: 'createRule',
        ruleId,
        name: `rule-${n + 1}`,
        kind,
        groups,
        hard: rule.hard,
      })
    }
  }

  #ids(names: readonly string[]): string[] {
    return names.map((name) => this.#hosts.get(name)?.nodeId as string)
  }

  #possible(g: ScenarioGroup): string[] | null {
    return g.possibleOwners ? this.#ids(g.possibleOwners) : null
  }

  /** @throws {Error} the set-up itself was refused: the scenario contradicts itself */
  async #ask(request: Request): Promise<void> {
    const { operator } = this.#scene
    let answer: { refused: Refusal | undefined } | null = null
    operator.ask(request, (_, refused) => {
      answer = { refused }
    })
    await this.#until(() => answer !== null)
    const { refused } = answer as unknown as { refused: Refusal | undefined }
    if (refused) throw new Error(`it cannot be set up: ${refused.message}`)
  }

  async #until(done: () => boolean): Promise<void> {
    const { kernel } = this.#scene
    const endMs = kernel.nowMs + SETTLES_MS
    while (!done()) {
      if (kernel.nowMs > endMs) throw new Error('it does not come to its beginning')
      await kernel.runUntil(kernel.nowMs + STEP_MS)
    }
  }
}

export const membersOf = (g: ScenarioGroup) =>
  g.resources ?? [{ name: g.name, dependsOn: [], live: false }]

/** What another one depends on is made before it. */
function inOnlineOrder(all: ReturnType<typeof membersOf>): ReturnType<typeof membersOf> {
  const made: ReturnType<typeof membersOf> = []
  const take = (one: (typeof all)[number], above: readonly string[]) => {
    if (made.includes(one)) return
    if (above.includes(one.name))
      throw new Error(`${[...above, one.name].join(' depends on ')}: that is a circle`)
    for (const name of needsOf(one).flat()) {
      const provider = all.find((other) => other.name === name)
      if (provider) take(provider, [...above, one.name])
    }
    made.push(one)
  }
  for (const one of all) take(one, [])
  return made
}
