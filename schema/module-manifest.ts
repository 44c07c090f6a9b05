/**
 * What a module file says of itself (S-52), as the cluster keeps it. The schema of its properties is
 * data: it travels, is shown, and decides at the control plane what a resource may be told. Therefore
 * it is a part of JSON Schema that can be checked in bounded time: no `pattern`, no `$ref`.
 */
import * as z from 'zod'
import { type Controls, controlCode } from './control.ts'
import { typeName } from './ids.ts'
import { pollPolicy } from './poll-policy.ts'

const words = z.string().min(1).max(500)
const bound = z.int().nonnegative().max(32_768)
const about = { title: words.optional(), description: words.optional() }
const propertyName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z_][A-Za-z0-9_-]*$/)
  // What every object has would be taken for given.
  .refine((name) => !(name in {}), { error: 'is a name that no property can have' })

/** JSON Schema of one property. */
export type PropertySchema =
  | {
      type: 'string'
      enum?: string[] | undefined
      minLength?: number | undefined
      maxLength?: number | undefined
      default?: string | undefined
    }
  | {
      type: 'integer' | 'number'
      minimum?: number | undefined
      maximum?: number | undefined
      default?: number | undefined
    }
  | { type: 'boolean'; default?: boolean | undefined }
  | {
      type: 'array'
      items: PropertySchema
      minItems?: number | undefined
      maxItems?: number | undefined
    }
  | ObjectSchema
  | { type: 'object'; additionalProperties: PropertySchema }

/** JSON Schema of an object that has these properties and no others. */
export interface ObjectSchema {
  type: 'object'
  properties: Record<string, PropertySchema>
  required?: string[] | undefined
  additionalProperties: false
}

const propertySchema: z.ZodType<PropertySchema> = z.lazy(() =>
  z.union([
    z.strictObject({
      type: z.literal('string'),
      ...about,
      enum: z.array(z.string().max(256)).min(1).max(100).optional(),
      minLength: bound.optional(),
      maxLength: bound.optional(),
      default: z.string().max(4_096).optional(),
    }),
    z.strictObject({
      type: z.enum(['integer', 'number']),
      ...about,
      minimum: z.number().optional(),
      maximum: z.number().optional(),
      default: z.number().optional(),
    }),
    z.strictObject({ type: z.literal('boolean'), ...about, default: z.boolean().optional() }),
    z.strictObject({
      type: z.literal('array'),
      ...about,
      items: propertySchema,
      minItems: bound.optional(),
      maxItems: bound.optional(),
    }),
    objectSchema,
    z.strictObject({ type: z.literal('object'), ...about, additionalProperties: propertySchema }),
  ]),
)

const objectSchema: z.ZodType<ObjectSchema> = z.lazy(() =>
  z
    .strictObject({
      type: z.literal('object'),
      ...about,
      properties: z.record(propertyName, propertySchema),
      required: z.array(propertyName).max(100).optional(),
      additionalProperties: z.literal(false, {
        error: 'has to be false: a property that nobody knows is a mistake of whoever wrote it',
      }),
    })
    .refine(
      ({ properties, required = [] }) => required.every((name) => Object.hasOwn(properties, name)),
      {
        error: 'requires a property that it does not have',
        path: ['required'],
      },
    ),
)

/** What nobody has set is not checked any more. */
function defaultsFit(schema: PropertySchema): boolean {
  if ('properties' in schema) return Object.values(schema.properties).every(defaultsFit)
  if (schema.type === 'object') return defaultsFit(schema.additionalProperties)
  if (schema.type === 'array') return defaultsFit(schema.items)
  const { default: value, ...bounds } = schema
  if (value === undefined) return true
  return z.fromJSONSchema(bounds as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value).success
}

/** A manifest has at most so many bytes of JSON: each node has all of them in its replica. */
const MANIFEST_BYTES_MAX = 16 * 1024
/** A module file has at most so many bytes: it travels from node to node in one frame. */
export const MODULE_BYTES_MAX = 256 * 1024

export const version = z
  .string()
  .max(32)
  .regex(/^\d{1,5}\.\d{1,5}\.\d{1,5}(?:-[0-9A-Za-z.-]{1,16})?$/, 'is no version such as 1.0.0')

export const moduleManifest = z
  .strictObject({
    type: typeName,
    version,
    title: words.max(120).describe('What a resource of this type is, in a few words.'),
    /** Which kind of monitor hosts it (S-23). */
    host: z.enum(['rhs', 'rhs-exec']).default('rhs'),
    /** `child`: it has the guard start something. Absent: it only looks at what others start. */
    way: z.literal('child').optional(),
    /** JSON Schema of the properties. */
    properties: objectSchema,
    /** Control codes that its `control` understands. */
    controls: z
      .record(
        controlCode,
        z.strictObject({ title: words, changes: z.boolean(), input: objectSchema.optional() }),
      )
      .refine((controls) => Object.keys(controls).length <= 32, { error: 'are more than 32' })
      .optional(),
    /** How its resources may be stopped (S-50). */
    hints: z
      .strictObject({
        fastOffline: z.boolean().optional(),
        parallelStop: z.int().min(1).max(1_000).optional(),
      })
      .optional(),
    /** Where it differs from the usual. */
    poll: pollPolicy.partial().optional(),
    /** Properties of a resource that works on any host: `module certify` starts it. */
    example: z.record(propertyName, z.json()),
  })
  .refine(({ properties }) => defaultsFit(properties), {
    error: 'has a default that does not fit its own bounds',
    path: ['properties'],
  })
  .refine((manifest) => JSON.stringify(manifest).length <= MANIFEST_BYTES_MAX, {
    error: `is larger than ${MANIFEST_BYTES_MAX} bytes`,
  })
export type ModuleManifest = z.infer<typeof moduleManifest>

const NO_INPUT: ObjectSchema = { type: 'object', properties: {}, additionalProperties: false }

export function controlsOf({ controls = {} }: ModuleManifest): Controls {
  return Object.fromEntries(
    Object.entries(controls).map(([code, { title, changes, input }]) => [
      code,
      { title, changes, input: propertiesSchema(input ?? NO_INPUT) },
    ]),
  )
}

const made = new WeakMap<ObjectSchema, z.ZodType<Record<string, unknown>>>()

/** The strict schema that this JSON Schema describes. */
export function propertiesSchema(schema: ObjectSchema): z.ZodType<Record<string, unknown>> {
  const known = made.get(schema)
  if (known) return known
  const fresh = z.fromJSONSchema(schema as Parameters<typeof z.fromJSONSchema>[0])
  made.set(schema, fresh as z.ZodType<Record<string, unknown>>)
  return fresh as z.ZodType<Record<string, unknown>>
}
