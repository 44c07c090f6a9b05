/** `@holdfast/client` as a stranger gets it: packed, installed in an empty folder, compiled, run. */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openApi } from '../../schema/api/openapi.ts'
import { routes } from '../../schema/api/routes.ts'
import { bundleClient } from '../../tools/bundle-client.ts'
import { renderClientTypes } from '../../tools/client-types.ts'
import { ROOT } from '../tidy/tracked-files.ts'

let folder: string
let server: Server
let url: string
const seen: string[] = []

const run = (tool: string, args: string[], cwd = folder) =>
  execFileSync(tool, args, {
    ...{ cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] },
    env: { ...process.env, PATH: `${dirname(process.execPath)}:${process.env['PATH']}` },
  })

const PROBLEM = {
  ...{ type: 'https://holdfast.dev/errors/ALREADY_THERE', title: 'It is there already' },
  ...{ status: 409, code: 'ALREADY_THERE', detail: 'group "web" is already on n2', request: 'r1' },
}

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-client-'))
  const made = join(folder, 'made')
  await bundleClient(made)
  const tarball = run('npm', ['pack', '--silent', '--pack-destination', folder], made).trim()
  writeFileSync(join(folder, 'package.json'), '{ "name": "stranger", "type": "module" }')
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', join(folder, tarball)])
  server = createServer((request, reply) => {
    seen.push(`${request.method} ${request.url} ${request.headers.authorization}`)
    const isMove = request.url?.endsWith('/move')
    reply.writeHead(isMove ? 409 : 200, { 'content-type': 'application/json' })
    reply.end(
      JSON.stringify(
        isMove
          ? PROBLEM
          : { clusters: [{ id: 'c', name: 'prod', profile: 'wan', createdAtMs: 1, later: true }] },
      ),
    )
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}, 120_000)
afterAll(() => {
  server.close()
  rmSync(folder, { recursive: true })
})

/** @returns what the compiler says; empty: nothing */
function compiled(name: string, text: string, more: readonly string[] = []): string {
  writeFileSync(join(folder, `${name}.ts`), text)
  try {
    const options = [
      '--strict',
      '--module',
      'nodenext',
      '--target',
      'es2022',
      '--lib',
      'esnext,dom',
    ]
    run(process.execPath, [
      ...[join(ROOT, 'node_modules/typescript/bin/tsc'), ...options],
      ...['--types', '', ...more, `${name}.ts`],
    ])
    return ''
  } catch (error) {
    const { stdout } = error as { stdout?: string }
    if (stdout === undefined) throw error
    return stdout
  }
}
/** With the sources of the product, which are no files of the stranger. */
const TOGETHER = [
  '--noEmit',
  '--allowImportingTsExtensions',
  '--skipLibCheck',
  '--exactOptionalPropertyTypes',
  'false',
]

it('has no more in it than it says, and depends on nothing', () => {
  const installed = join(folder, 'node_modules/@holdfast/client')
  const files = ['LICENSE', 'README.md', 'index.d.ts', 'index.js', 'package.json']
  expect(readdirSync(installed).sort()).toEqual(files)
  expect(readdirSync(join(folder, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(
    ['@holdfast'],
  )
  const told = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'))
  expect(told).toMatchObject({ name: '@holdfast/client', license: 'Apache-2.0' })
  expect(told).not.toHaveProperty('private')
  expect(told).not.toHaveProperty('dependencies')
})

it('compiles and runs, with types', () => {
  const program = `import { createClient, HoldfastError, type ClusterSummary } from '@holdfast/client'
const client = createClient({ url: process.argv[2] as string, key: 'hfk_0123456789' })
const { clusters } = await client('listClusters')
const first: ClusterSummary | undefined = clusters[0]
console.log(first?.name, first?.profile)
try {
  await client('moveGroup', { params: { cluster: 'prod', group: 'web' }, body: { to: 'n2' } })
} catch (error) {
  if (!(error instanceof HoldfastError)) throw error
  console.log(error.refusal.code, error.message, error.refusal.request)
}
`
  const node = 'declare const process: { argv: string[] }\n'
  expect(compiled('program', node + program)).toBe('')
  const ran = execRun(['program.js', url])
  return expect(ran)
    .resolves.toBe('prod wan\nALREADY_THERE group "web" is already on n2 r1\n')
    .then(() => {
      expect(seen).toEqual([
        'GET /v1/clusters Bearer hfk_0123456789',
        'POST /v1/clusters/prod/groups/web/move Bearer hfk_0123456789',
      ])
    })
})

it.each([
  ['an unknown call', "client('teleport')"],
  ['a parameter left out', "client('getCluster')"],
  [
    'an unknown field',
    "client('createGroup', { params: { cluster: 'c' }, body: { name: 'g', no: 1 } })",
  ],
  ['a body left out', "client('createGroup', { params: { cluster: 'c' } })"],
  ['a field that no answer has', "client('whoami').then((me) => me.nosuch)"],
])('does not compile with %s', (_, call) => {
  const head =
    "import { createClient } from '@holdfast/client'\nconst client = createClient({ url: '' })\n"
  expect(compiled('wrong', `${head}${call}\n`)).toMatch(/error TS\d+/)
})

it('has the types of the route table: each answer and each body, in both directions', () => {
  const program = `import type { OperationName, Operations } from '@holdfast/client'
import type { Body, Query, Response, RouteName } from '${ROOT}schema/api/routes.ts'
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : 'narrower') : 'wider'
type In<N extends RouteName> = Operations[N]['input']
type Given<N extends RouteName, K extends string> = K extends keyof In<N> ? NonNullable<In<N>[K]> : undefined
export const names: Same<OperationName, RouteName> = true
export const answers: { [N in RouteName]: true } = {} as {
  [N in RouteName]: Same<Response<N>, Operations[N]['answer']>
}
export const bodies: { [N in RouteName]: true } = {} as {
  [N in RouteName]: Same<Body<N>, Given<N, 'body'>>
}
export const queries: { [N in RouteName]: true } = {} as {
  [N in RouteName]: keyof Query<N> extends keyof Given<N, 'query'> ? true : N
}
`
  expect(compiled('drift', program, TOGETHER)).toBe('')
})

it('is another one when a route is', () => {
  const document = structuredClone(openApi())
  const before = renderClientTypes(document)
  expect(before).toBe(renderClientTypes())
  for (const name of Object.keys(routes)) expect(before).toContain(`  ${name}: { input:`)
  const summary = document.components.schemas['ClusterSummary']?.properties ?? {}
  summary['region'] = { type: 'string' }
  expect(renderClientTypes(document)).toContain('region?: string')
})

/** Not synchronously: the server that it asks is of this process. */
async function execRun(args: string[]): Promise<string> {
  const { promisify } = await import('node:util')
  const { execFile } = await import('node:child_process')
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: folder })
  return stdout
}
