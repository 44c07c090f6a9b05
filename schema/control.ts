/** Control codes: what an operator may ask of a resource besides the cluster's own functions. */
import * as z from 'zod'
import { detail } from './ids.ts'

export const controlCode = z
  .string()
  .max(32)
  .regex(/^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/)

/** What a module answers, as JSON text: at most so many characters. */
export const CONTROL_TEXT_MAX = 64 * 1024

export const controlInput = z.record(z.string().max(64), z.json())

/** What came of it: JSON text, or why not. */
export const controlOutcome = z.union([
  z.strictObject({ answer: z.string().max(CONTROL_TEXT_MAX) }),
  z.strictObject({ error: detail }),
])
export type ControlOutcome = z.infer<typeof controlOutcome>

export interface ControlInfo {
  /** What it does, or what it answers. */
  readonly title: string
  /** It does something to the resource, instead of only looking. */
  readonly changes: boolean
  /** Strict schema of what it is told. */
  readonly input: z.ZodType<Record<string, unknown>>
}
export type Controls = Readonly<Record<string, ControlInfo>>

/** The one of this code; what every object has, such as `constructor`, is none. */
export const controlOf = (controls: Controls | undefined, code: string): ControlInfo | undefined =>
  controls && Object.hasOwn(controls, code) ? controls[code] : undefined
