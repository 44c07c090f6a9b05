/** The process in which a module is tried: whatever the module does to it, the command survives. */
import { join } from 'node:path'
import type { ModuleManifest } from '../../schema/module-manifest.ts'
import type { ChildSpec } from '../../schema/workload.ts'
import { loadModuleFile } from '../modules/module-file.ts'
import { runContract } from './contract.ts'
import { Sandbox } from './sandbox.ts'
import type { Check, Verdict } from './trial.ts'

/** Child → parent. */
export type Word =
  | { t: 'loaded'; manifest: ModuleManifest; sha256: string }
  | { t: 'unusable'; why: string }
  | { t: 'begins'; id: string; title: string }
  | { t: 'ended'; verdict: Verdict }
  | { t: 'starts'; command: string }
  | { t: 'log'; message: string }
  | { t: 'over' }

export interface TrialOptions {
  readonly file: string
  readonly folder: string
  /** Names the kill groups, so that the parent can end what this process leaves behind. */
  readonly owner: string
  /** 0: it is loaded, and not tried. */
  readonly timeoutMs: number
}

/** In RHS a module that logs without end is cut short as well. */
const LOG_LINES_MAX = 1_000

/** Each word has left before the next step: the step may be the last one of this process. */
async function say(word: Word): Promise<void> {
  await new Promise<void>((resolve) => {
    if (process.send) process.send(word, () => resolve())
    else resolve()
  })
}

export async function tryInChild({ file, folder, owner, timeoutMs }: TrialOptions): Promise<void> {
  const loaded = await loadModuleFile(file).catch(async (error: Error) => {
    const { refusal } = error as { refusal?: { why?: string } }
    await say({ t: 'unusable', why: refusal?.why ?? error.message })
    return null
  })
  if (!loaded) return
  const { manifest, module, sha256 } = loaded
  await say({ t: 'loaded', manifest, sha256 })
  if (timeoutMs === 0) return say({ t: 'over' })
  const { example: properties } = manifest
  const forbids = (spec: ChildSpec): string | null => {
    if (spec.undo) return 'a start that has to be undone is for types that come with the probe'
    void say({ t: 'starts', command: spec.command })
    return null
  }
  let lines = 0
  const log = (message: string) => {
    lines += 1
    if (lines <= LOG_LINES_MAX) void say({ t: 'log', message: String(message).slice(0, 1_000) })
  }
  const parts = { module, properties, folder: join(folder, 'guard'), owner, forbids, log }
  const bench = new Sandbox(parts)
  let saying = Promise.resolve()
  const queue = (word: Word) => {
    saying = saying.then(() => say(word))
  }
  await runContract(
    { module, properties, bench, timeoutMs },
    {
      begins: ({ id, title: what }: Check) => queue({ t: 'begins', id, title: what }),
      ended: (verdict) => queue({ t: 'ended', verdict }),
    },
  )
  await saying
  await bench.end()
  await say({ t: 'over' })
}
