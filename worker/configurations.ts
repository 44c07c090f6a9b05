/** The configuration of the cluster as one document: planned and applied, all of it or nothing. */
import type * as z from 'zod'
import type {
  applied,
  applyConfig,
  ConfigEffect,
  PlanView,
  planConfig,
} from '../schema/api/config.ts'
import type { Refusal } from '../schema/errors.ts'
import type { Request } from '../schema/event.ts'
import type { Wanted } from './core/config/compiled.ts'
import { exportConfig } from './core/config/export.ts'
import { plan, stopped } from './core/config/plan.ts'
import type { ClusterState } from './core/decision.ts'
import type { Asked, Reply, Write } from './write.ts'

export type PlanAsk = z.output<typeof planConfig>
export type ApplyAsk = z.output<typeof applyConfig>
export type Applied = z.output<typeof applied>
/** With what would be changed, where it was only tried. */
export type AppliedOrDry = Applied & Pick<Asked, 'dry'>

interface Around {
  state(): ClusterState
  carryOut(request: Request, by: string, write: Write, reply: Reply): { refused: Refusal } | Asked
  /** The answer of what nothing had to be done for; or why it is not given. */
  nothing(write: Write, body: Applied): Refusal | null
  /** How long a group was away when it changed its owner lately, newest first. */
  outagesOf(group: string): readonly number[]
}

export class Configurations {
  readonly #around: Around

  constructor(around: Around) {
    this.#around = around
  }

  export(): { seq: number; config: unknown } {
    const { hive } = this.#around.state()
    return { seq: hive.seq, config: exportConfig(hive) }
  }

  plan(ask: PlanAsk): PlanView | { refused: Refusal } {
    const planned = plan(this.#around.state(), wantedOf(ask), Date.now())
    if ('refused' in planned) return planned
    return { ...planned.view, effects: planned.view.effects.map((one) => this.#timed(one)) }
  }

  #timed(effect: ConfigEffect): ConfigEffect {
    if (effect.what !== 'move' && effect.what !== 'restart') return effect
    const known = this.#around.outagesOf(effect.group).toSorted((a, b) => a - b)
    return { ...effect, outageMs: known[Math.floor(known.length / 2)] ?? null }
  }

  /** No `await` between planning and carrying out: what was judged is what is changed. */
  apply(ask: ApplyAsk, by: string, write: Write): AppliedOrDry | { refused: Refusal } {
    const planned = plan(this.#around.state(), wantedOf(ask), Date.now())
    if ('refused' in planned) return planned
    const { view, request } = planned
    const { changes, later } = view
    if (ask.base !== undefined && ask.base !== view.base) return { refused: STALE }
    const stops = stopped(view.effects)
    if (stops.length > 0 && !ask.force)
      return {
        refused: {
          code: 'PLAN_STOPS_GROUP',
          message: `${stops.map((one) => one.group).join(', ')} would be stopped, and could be nowhere then`,
          why: stops
            .map(({ group, reasons }) => {
              const rows = reasons.map(({ node, reason }) => `${node} ${reason}`)
              return `${group}: ${rows.join(', ')}`
            })
            .join('; '),
          remedy: 'Change the configuration so that a node can have it, or apply it with --force.',
        },
      }
    if (request === null) {
      const answer = { seq: view.seq, changes, later }
      const refused = this.#around.nothing(write, answer)
      return refused ? { refused } : answer
    }
    const done = this.#around.carryOut(request, by, write, { fields: { changes, later } })
    if ('refused' in done) return done
    const { seq, dry } = done
    return { seq, changes, later, ...(dry && { dry }) }
  }
}

const STALE: Refusal = {
  code: 'PLAN_STALE',
  message: 'the plan was made from what the cluster is no longer',
  why: 'Since then the configuration was changed, or a group or node is elsewhere or in another state. Nothing was changed.',
  remedy: 'Plan again, look at it, and apply that: holdfast plan',
}

const wantedOf = ({ config, prune, lines }: PlanAsk): Wanted => ({
  ...{ config, prune },
  source(pointer) {
    const line = lines?.at[pointer]
    return line === undefined ? undefined : `${lines?.file}:${line}`
  },
  newId: () => crypto.randomUUID(),
})
