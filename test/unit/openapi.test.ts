/** The OpenAPI document: valid by the rules of OpenAPI 3.1, and all of the route table is in it. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it, test } from 'vitest'
import type * as z from 'zod'
import { EXAMPLES } from '../../schema/api/examples.ts'
import { type Operation, openApi } from '../../schema/api/openapi.ts'
import type { Route } from '../../schema/api/route.ts'
import { errorsOf } from '../../schema/api/route-errors.ts'
import { type RouteName, routes } from '../../schema/api/routes.ts'
import { ERRORS } from '../../schema/errors.ts'

const document = openApi()
const text = JSON.stringify(document)
const operations = new Map<string, Operation & { method: string; path: string }>(
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, one]) => [one.operationId, { ...one, method, path }]),
  ),
)
const NAMES = Object.keys(routes) as RouteName[]

it('is valid by the schema of OpenAPI 3.1', async () => {
  const validator = new Validator()
  const { valid, errors } = await validator.validate(JSON.parse(text))
  expect(errors).toBeUndefined()
  expect(valid).toBe(true)
  expect(validator.version).toBe('3.1')
})

it('is refused by the validator when it is not', async () => {
  const wrong = JSON.parse(text)
  delete wrong.info.title
  expect((await new Validator().validate(wrong)).valid).toBe(false)
})

it('has every route of the table, and the streams, once', () => {
  expect([...operations.keys()].sort()).toEqual([...NAMES, 'streamEvents', 'watchOperation'].sort())
  expect(text.match(/"operationId"/g)).toHaveLength(operations.size)
})

describe.each(NAMES)('%s', (name) => {
  const route: Route = routes[name]
  const { method, path, parameters, responses, requestBody, security, tags } = operations.get(
    name,
  ) as NonNullable<ReturnType<typeof operations.get>>
  const named = (where: string) =>
    parameters.flatMap((one) => ('in' in one && one.in === where ? [one.name] : []))

  test('method, path and its parameters', () => {
    expect(method.toUpperCase()).toBe(route.method)
    expect(path).toBe(route.path.replaceAll(/:([a-z]+)/g, '{$1}'))
    expect(named('path')).toEqual([...path.matchAll(/\{([a-z]+)\}/g)].map(([, one]) => one))
    const { shape = {} } = (route.query ?? {}) as { shape?: object }
    expect(named('query')).toEqual(Object.keys(shape))
    expect(document.tags.map((one) => one.name)).toEqual(expect.arrayContaining([...tags]))
  })

  test('who may call it', () => {
    const isOpen = route.access === 'anyone' || route.access === 'joinToken'
    expect(security).toEqual(isOpen ? [] : [{ apiKey: [] }])
  })

  test('its body, with an example that fits', () => {
    expect(requestBody === undefined).toBe(route.body === undefined)
    if (!route.body) return
    const example = requestBody?.content['application/json']?.example
    expect(example).toEqual(EXAMPLES[name as keyof typeof EXAMPLES])
    expect((route.body as z.ZodType).safeParse(example)).toMatchObject({ success: true })
  })

  test('its answer, and every code that it may be refused with', () => {
    expect(responses[route.status ?? 200]).toBeDefined()
    const told = Object.entries(responses).flatMap(([status, { content }]) => {
      const schema = content?.['application/problem+json']?.schema
      const codes = (schema?.properties?.['code']?.enum ?? []) as (keyof typeof ERRORS)[]
      for (const code of codes) expect(ERRORS[code].http).toBe(Number(status))
      return codes
    })
    expect(told.sort()).toEqual(errorsOf(name).sort())
  })
})

it('refers only to what there is, and nothing is there that is not referred to', () => {
  const refs = new Set(
    [...text.matchAll(/"#\/components\/(\w+)\/([\w-]+)"/g)].map((m) => `${m[1]}/${m[2]}`),
  )
  const { schemas, parameters, headers } = document.components
  const there = Object.entries({ schemas, parameters, headers }).flatMap(([kind, all]) =>
    Object.keys(all).map((id) => `${kind}/${id}`),
  )
  expect([...refs].sort()).toEqual(there.sort())
})

it('says nothing of fields that answers do not have yet: they may get more', () => {
  expect(document.components.schemas['ClusterView']).not.toHaveProperty('additionalProperties')
  expect(document.components.schemas['CreateGroup']).toMatchObject({ additionalProperties: false })
})
