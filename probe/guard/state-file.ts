import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import * as z from 'zod'
import { policyTold } from '../../schema/fencing.ts'
import { begunWorkload, workloadCopy, workloadRecord } from '../../schema/ipc.ts'
import { heldGroup } from '../../schema/session.ts'
import { timing } from '../../schema/timing.ts'
import type { GuardFile } from '../core/guard.ts'
import { withReserve } from '../reserve.ts'
import { complain } from './policy.ts'

const guardFile = z.strictObject({
  boot: z.string(),
  guard: z.guid(),
  timing,
  /** Absent in the file of an older guard, which knew no other. */
  policy: policyTold.default({ takeover: 'lease', number: 0 }),
  leases: z.strictObject({
    pongEndMs: z.number().nullable(),
    authorityEndMs: z.number().nullable(),
  }),
  grants: z.array(heldGroup),
  seen: z.array(heldGroup),
  records: z.array(workloadRecord),
  /** Absent in the file of an older guard. */
  copies: z.array(workloadCopy).default([]),
  begun: z.array(begunWorkload).default([]),
})

/**
 * The guard's state file (G9): replaced whole by an atomic rename. It outlives the guard, not the
 * machine, so nothing is synced to disk; the boot id in it says so even if the folder lasts.
 */
export class StateFile {
  readonly #path: string

  constructor(folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    this.#path = join(folder, 'guard.json')
  }

  /**
   * @returns null when there is none, or it cannot be understood: then nothing is adopted, and all
   *   that is found of an old tree is killed
   */
  read(): GuardFile | null {
    let text: string
    try {
      text = readFileSync(this.#path, 'utf8')
    } catch {
      return null
    }
    try {
      return guardFile.parse(JSON.parse(text)) as GuardFile
    } catch (error) {
      complain('state file', `${this.#path} is damaged, so nothing is adopted: ${error}`)
      return null
    }
  }

  write(state: GuardFile): void {
    const { boot, guard, timing, policy, leases, grants, seen, records } = state
    const { copies, begun } = state
    const kept = { boot, guard, timing, policy, leases, grants, seen, records, copies, begun }
    const text = JSON.stringify(kept)
    withReserve(() => writeFileSync(`${this.#path}.new`, text, { mode: 0o600 }))
    renameSync(`${this.#path}.new`, this.#path)
  }
}
