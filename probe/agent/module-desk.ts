/** What this host asks of its cluster about modules, and what others ask of it (S-55, S-56). */
import { createHash, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Refusal } from '../../schema/errors.ts'
import type { Hive } from '../../schema/hive.ts'
import { MODULE_BYTES_MAX } from '../../schema/module-manifest.ts'
import type { NodeFrame, ObjectFrame } from '../../schema/session.ts'
import type { TypeAsk } from '../../schema/type-asks.ts'
import { modulesFolder, readPins } from '../os/module-pins.ts'

export type ModuleFrame = Extract<ObjectFrame, { t: 'typeAnswer' | 'moduleWanted' | 'module' }>

interface Parts {
  replica(): { readonly folder: string; readonly hive: Hive }
  session(): {
    readonly seqW: number | null
    /** Worth something on this session only: whoever asks, asks again. */
    answer(frame: NodeFrame): void
  }
}

/** The guard waits a little longer, and has an answer of its own for it. */
const ANSWER_MS = 8_500

export class ModuleDesk {
  readonly #parts: Parts
  readonly #waiting = new Map<string, (frame: ModuleFrame) => void>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** From the door of this host. */
  async ask(ask: TypeAsk): Promise<object> {
    const { hive } = this.#parts.replica()
    if (ask.do === 'known') return { types: [...hive.types.values()], seq: hive.seq }
    if (this.#parts.session().seqW === null) return { refused: NO_SESSION }
    const request = randomUUID()
    if (ask.do === 'fetch') {
      const { type, sha256 } = ask
      const said = await this.#said(request, { t: 'fetchModule', request, type, sha256 })
      if (said?.t !== 'module') return { refused: NO_ANSWER }
      return { text: said.text }
    }
    const said = await this.#said(request, { t: 'typeAsk', request, ask })
    if (said?.t !== 'typeAnswer') return { refused: NO_ANSWER }
    return said.refusal ? { refused: said.refusal } : { ok: true }
  }

  heard(frame: ModuleFrame): void {
    if (frame.t !== 'moduleWanted') return this.#waiting.get(frame.request)?.(frame)
    const { request, type, sha256 } = frame
    this.#parts.session().answer({ t: 'module', request, text: this.#fileOf(type, sha256) })
  }

  #said(request: string, frame: NodeFrame): Promise<ModuleFrame | null> {
    return new Promise((resolve) => {
      const come = (said: ModuleFrame | null) => {
        clearTimeout(timer)
        this.#waiting.delete(request)
        resolve(said)
      }
      const timer = setTimeout(come, ANSWER_MS, null)
      this.#waiting.set(request, come)
      this.#parts.session().answer(frame)
    })
  }

  /** Only a pinned file, and only if it is what its pin says: nobody gets a corrupt one from here. */
  #fileOf(type: string, sha256: string): string | null {
    const { folder } = this.#parts.replica()
    try {
      const pin = readPins(folder).find((p) => p.type === type && p.sha256 === sha256)
      if (!pin) return null
      const bytes = readFileSync(join(modulesFolder(folder), pin.file))
      if (bytes.length > MODULE_BYTES_MAX) return null
      if (createHash('sha256').update(bytes).digest('hex') !== sha256) return null
      return bytes.toString('base64')
    } catch {
      return null
    }
  }
}

const NO_SESSION: Refusal = {
  code: 'UNAVAILABLE',
  message: 'this host has no session with its control plane',
  why: 'Types are registered in the hive, which is there. Nothing was changed.',
  remedy: 'Look: holdfast-probe status. Then ask again.',
}

const NO_ANSWER: Refusal = {
  code: 'UNAVAILABLE',
  message: 'the control plane has not answered in time',
  why: 'What was asked for may yet be done; asked for again it is done once.',
  remedy: 'Ask again.',
}
