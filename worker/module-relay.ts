import type { Refusal } from '../schema/errors.ts'
import type { Request } from '../schema/event.ts'
import { LIMITS } from '../schema/limits.ts'
import type { NodeFrame } from '../schema/session.ts'
import { Answers } from './answers.ts'
import type { ClusterState } from './core/decision.ts'
import type { Attachment, Sockets } from './sockets.ts'
import type { Write } from './write.ts'

const FRAMES = ['typeAsk', 'fetchModule', 'module'] as const
export type ModuleFrame = Extract<NodeFrame, { t: (typeof FRAMES)[number] }>

export const isModuleFrame = (frame: NodeFrame): frame is ModuleFrame =>
  (FRAMES as readonly string[]).includes(frame.t)

interface Parts {
  readonly sockets: Sockets
  readonly state: () => ClusterState
  /** Carries out a request; null: done, or nothing had to be done. */
  readonly carryOut: (request: Request, write: Write) => Refusal | null
}

/** How long one node may take to answer before the next one is asked. */
const ANSWER_MS = 2_500
/** So many are asked. Whoever asks waits for all of them. */
const ASKED_MAX = 3
/** Files under way at once in one cluster: each may be held in memory here for a moment. */
const UNDER_WAY_MAX = 16
const HOUR_MS = 3_600_000

/** Types and module files between the hosts of a cluster (S-55, S-56). */
export class ModuleRelay {
  readonly #parts: Parts
  /** By node: since when, and how often. */
  readonly #asked = new Map<string, { sinceMs: number; many: number }>()
  readonly #answers = new Answers<{ text: string | null }>(UNDER_WAY_MAX)

  constructor(parts: Parts) {
    this.#parts = parts
  }

  frame(ws: WebSocket, a: Attachment, frame: ModuleFrame): void {
    switch (frame.t) {
      case 'typeAsk': {
        const { request, ask } = frame
        const refusal =
          this.#tooMany(a.nodeId) ??
          this.#parts.carryOut(requestOf(ask), this.#writeOf(a.nodeId, request))
        this.#parts.sockets.send(ws, { t: 'typeAnswer', request, refusal })
        break
      }
      case 'fetchModule':
        void this.#fetch(frame, a.nodeId).then((text) => {
          // Its socket may have gone meanwhile.
          this.#parts.sockets.tell(a.nodeId, { t: 'module', request: frame.request, text })
        })
        break
      case 'module':
        this.#answers.come(a.nodeId, frame.request, frame)
        break
    }
  }

  /** Each is an entry of the audit log, which has an end: none of the host's may push out those of others. */
  #tooMany(nodeId: string): Refusal | null {
    const nowMs = Date.now()
    const { sinceMs, many } = this.#asked.get(nodeId) ?? { sinceMs: nowMs, many: 0 }
    const isOver = Math.abs(nowMs - sinceMs) >= HOUR_MS
    const counted = isOver ? { sinceMs: nowMs, many: 1 } : { sinceMs, many: many + 1 }
    this.#asked.set(nodeId, counted)
    if (counted.many <= LIMITS.typeAsksPerHour) return null
    return {
      code: 'RATE_LIMITED',
      message: `this host has registered or unregistered types ${LIMITS.typeAsksPerHour} times within an hour`,
      why: 'Nothing was changed by this one.',
      remedy: 'Find out what on the host does so, and try again later.',
      retryAfterS: Math.max(1, Math.ceil((sinceMs + HOUR_MS - nowMs) / 1_000)),
    }
  }

  /** The receiver compares the hash itself: nothing that comes this way is believed (S-56). */
  async #fetch(
    { type, sha256 }: Extract<ModuleFrame, { t: 'fetchModule' }>,
    by: string,
  ): Promise<string | null> {
    const has = [...this.#parts.state().hive.nodes.values()].filter(
      ({ id, types }) =>
        id !== by &&
        this.#parts.sockets.welcomed(id) !== null &&
        types.some((t) => t.type === type && t.sha256 === sha256 && !t.problem),
    )
    for (const { id } of has.slice(0, ASKED_MAX)) {
      const said = await this.#answers.ask(id, ANSWER_MS, (request) =>
        this.#parts.sockets.tell(id, { t: 'moduleWanted', request, type, sha256 }),
      )
      if (said && said.text !== null) return said.text
    }
    return null
  }

  /** Of whoever is at work on a host: the host says no more than that. */
  #writeOf(id: string, request: string): Write {
    const name = `the host of ${this.#parts.state().hive.nodes.get(id)?.name ?? id}`
    const who = { kind: 'node', id, name } as const
    return { who, from: null, request, route: 'session', about: null, status: 200, once: null }
  }
}

function requestOf(ask: Extract<ModuleFrame, { t: 'typeAsk' }>['ask']): Request {
  if (ask.do === 'unregister') return { type: 'unregisterType', resourceType: ask.type }
  return { type: 'registerType', manifest: ask.manifest, sha256: ask.sha256 }
}
