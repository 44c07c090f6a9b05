/**
 * A management extension: the settings of one resource type, as people know them, read from the
 * properties in the hive and written back into them. The counterpart of an administrator extension in
 * Windows clustering: the module that runs the resource does not know of it, and does without it.
 *
 * Pure: properties in, settings or properties out.
 */
import type * as z from 'zod'

type Json = z.core.util.JSONType
export type Properties = Readonly<Record<string, Json>>

export interface ManagementExtension {
  readonly type: string
  /** Strict schema of a change: only what is named in it is changed. */
  readonly change: z.ZodType
  /** @throws {SettingsError} the properties cannot be read */
  settingsOf(properties: Properties): Json
  /**
   * The properties with a change that fits the schema. A change that changes nothing gives equal ones.
   *
   * @param seed the same for one resource at all times, for what is made up
   * @throws {SettingsError} it cannot be
   */
  withSettings(properties: Properties, change: unknown, seed: string): Properties
  /** Control code of the type by which its module says what runs. */
  readonly runningCode: string
  /** The settings of what runs, out of the answer to that code; null: nothing runs. */
  runningOf(answer: unknown): Json | null
  /** What of a change can be tried on what runs; null: nothing of it. */
  liveOf(before: Json, after: Json): LiveChange | null
  /** What came of it, out of the answer to that code: by setting, null for done, or why not. */
  triedOf(answer: unknown): Readonly<Record<string, string | null>>
  /** Where what runs is not as configured. What is not configured is nobody's business. */
  differences(configured: Json, running: Json): Difference[]
}

export interface LiveChange {
  /** Control code of the type, and what it is told. */
  readonly code: string
  readonly input: Readonly<Record<string, Json>>
}

export interface Difference {
  /** Path of the setting, e.g. `disks.vda.source`. */
  readonly field: string
  readonly configured: Json
  readonly running: Json
}

/** What cannot be, and where: an operator's mistake. */
export class SettingsError extends Error {
  /** JSON pointer into the settings; `/xml` for the definition as a whole. */
  readonly pointer: string
  constructor(pointer: string, message: string) {
    super(message)
    this.name = 'SettingsError'
    this.pointer = pointer
  }
}
