/** `holdfast-probe module new` and `certify`, with modules that do all that a module must not (S-45, S-47, S-52). */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { moduleTemplate } from '../../../probe/modules/template.ts'
import { marked } from '../../../probe/os/marks.ts'
import { ProbeUnderTest } from '../run-probe.ts'

const probe = new ProbeUnderTest()
beforeAll(() => probe.build())
afterAll(() => probe.end())

interface Certificate {
  certified: boolean
  sha256: string
  commands: string[]
  checks: { id: string; verdict: string; detail: string }[]
}

async function certify(file: string, ...more: string[]) {
  const { code, stdout, stderr } = await probe.run(['module', 'certify', file, '--json', ...more])
  const said = JSON.parse(stdout) as Certificate & { error?: { code: string; why: string } }
  const broken = said.checks?.filter((c) => c.verdict === 'broken') ?? []
  return { code, stderr, said, broken }
}

/** The template with something in it changed. */
async function changed(type: string, find: string | RegExp, replace: string): Promise<string> {
  const text = moduleTemplate(type)
  const after = text.replace(find, () => replace)
  expect(after, 'the template does not have it').not.toBe(text)
  const file = join(probe.folder, `${type}.mjs`)
  writeFileSync(file, after)
  return file
}

async function fresh(type: string): Promise<string> {
  const { code, stderr } = await probe.run(['module', 'new', type, '--folder', probe.folder])
  expect(stderr).toBe('')
  expect(code).toBe(0)
  return join(probe.folder, `${type}.mjs`)
}

describe('a new module', () => {
  test('keeps the contract as it is, and names what the host policy has to allow', async () => {
    const { code, said, broken } = await certify(await fresh('keeper'))
    expect(broken).toEqual([])
    expect(code).toBe(0)
    expect(said).toMatchObject({ certified: true, type: 'keeper', commands: ['/bin/sleep'] })
    expect(said.checks.filter((c) => c.verdict === 'kept').length).toBeGreaterThan(13)
  })

  test('is never written over another, and never named like a type that comes with the probe', async () => {
    const file = await fresh('twice')
    writeFileSync(file, 'mine')
    const again = await probe.run(['module', 'new', 'twice', '--folder', probe.folder])
    expect(again.code).toBe(2)
    expect(readFileSync(file, 'utf8')).toBe('mine')
    const nowhere = join(probe.folder, 'no', 'such')
    const lost = await probe.run(['module', 'new', 'lost', '--folder', nowhere])
    expect(lost.code).toBe(2)
    expect(lost.stderr).toContain(`mkdir -p ${nowhere}`)
    for (const type of ['process', 'My_Type', '../x']) {
      const refused = await probe.run(['module', 'new', type, '--folder', probe.folder])
      expect(refused.code, type).toBe(2)
      expect(refused.stderr).toContain('cannot be the name of a new type')
    }
  })

  test('in TypeScript: its types are taken off', async () => {
    const file = await changed(
      'typed',
      'async function lives(call)',
      'async function lives(call: any)',
    )
    const ts = file.replace(/mjs$/, 'ts')
    writeFileSync(ts, readFileSync(file))
    expect((await certify(file)).said.error?.why).toContain('importing it failed')
    expect((await certify(ts)).broken).toEqual([])
  })
})

describe('what cannot be used is refused, with the reason (S-33, S-45, S-47)', () => {
  test.each([
    ['no-checks', 'async looksAlive', 'async seemsAlive', 'it has no function looksAlive (S-45)'],
    ['restarts', 'async terminate', 'async restart', 'a restart is Online (S-47)'],
    ['misspelt', 'async terminate', 'async Terminate', 'is terminate meant?'],
    ['invented', 'async terminate', 'async explode', 'which nobody calls; there are validate'],
    ['ill-typed', "version: '1.0.0'", "version: 'new'", 'manifest: version: is no version'],
    ['loose', 'additionalProperties: false', 'additionalProperties: true', 'has to be false'],
    [
      'slow-regex',
      "{ type: 'string', maxLength: 4096,",
      "{ type: 'string', pattern: '(a+)+$',",
      'pattern',
    ],
    ['own-example', "command: '/bin/sleep', ", '', 'its example does not fit its own properties'],
    ['throws', 'export default {', 'throw new Error("no luck")\nexport default {', 'no luck'],
    [
      'imports-absolutely',
      "from 'node:fs/promises'",
      "from 'file:///usr/lib/other.mjs'",
      'it imports file:///usr/lib/other.mjs: a module file may import what Node.js has, alone',
    ],
    ['constructor-of', 'stopTimeoutMs: {', 'constructor: {', 'constructor: Invalid key in record'],
    [
      'default-of',
      'default: 5000',
      'default: -1',
      'has a default that does not fit its own bounds',
    ],
    ['imports', "from 'node:fs/promises'", "from './other.mjs'", 'importing it failed'],
    [
      'never',
      'export default {',
      'await new Promise((r) => setTimeout(r, 1e9))\nexport default {',
      'not over after 5000 ms',
    ],
    [
      'leaves',
      'export default {',
      'process.exit(7)\nexport default {',
      'its process has ended (exit code 7)',
    ],
    ['process', "type: 'process'", "type: 'process'", 'one that comes with the probe'],
    ['nothing', 'export default {', 'export const other = {', 'its default export is no object'],
  ])('%s', async (type, find, replace, why) => {
    const file =
      type === 'process'
        ? await changed('own-process', "type: 'own-process'", "type: 'process'")
        : await changed(type, find, replace)
    const { code, said } = await certify(file)
    expect(said.error).toMatchObject({ code: 'BAD_MODULE' })
    expect(said.error?.why).toContain(why)
    expect(code).toBe(2)
  })

  test('too large, and not there', async () => {
    const file = await fresh('large')
    writeFileSync(file, `${readFileSync(file, 'utf8')}\n//${'x'.repeat(300_000)}`)
    expect((await certify(file)).said.error?.why).toContain('262144 are the most')
    expect((await certify(`${file}.no`)).said.error?.why).toContain('cannot be read')
  })
})

describe('what breaks the contract is named (S-27, S-36 to S-44)', () => {
  test.each([
    [
      'starts-in-open',
      '/** Resolves when',
      'async open(call) { await this.online(call) },\n/** Resolves when',
      'open',
    ],
    ['lies', "? 'online' : 'offline'", "? 'online' : 'online'", 'offline-seen'],
    ['seventh', "? 'online' : 'offline'", "? 'fine' : 'offline'", 'online'],
    [
      'stranger',
      'guid: call.guid,\n        status',
      "guid: '00000000-0000-4000-8000-000000000000',\n        status",
      'offline-seen',
    ],
    [
      'twofold',
      'return Promise.all(\n',
      'calls = [...calls, ...calls]\n    return Promise.all(\n',
      'offline-seen',
    ],
    ['deaf', 'push({ guid', 'void ({ guid', 'watch'],
    ['stays', 'async offline(call) {', 'async offline(call) {\n    if (call) return', 'offline'],
    [
      'closes',
      '/** At once',
      'async close(call) { await call.workload.stop() },\n/** At once',
      'close',
    ],
    [
      'starts-by-itself',
      '/** Resolves when',
      "async open() { (await import('node:child_process')).spawn('/bin/sleep', ['1000']) },\n/** Resolves when",
      'guard-starts',
    ],
    [
      'busy',
      'async looksAlive(calls) {',
      'async looksAlive(calls) {\n    const end = Date.now() + 1_500\n    while (Date.now() < end);',
      'lets-others-run',
    ],
  ])('%s', async (type, find, replace, id) => {
    const file = await changed(type, find, replace)
    // A module that is to be asked to stop: else its own time to stop hides that it never does.
    const { code, said, broken } = await certify(file, '--timeout', '1s')
    expect(broken.map((c) => c.id)).toContain(id)
    expect(said.certified).toBe(false)
    expect(code).toBe(3)
  })

  test.each([
    [
      'hangs',
      'async terminate(call) {',
      'async terminate(call) {\n    for (;;);',
      'terminate',
      'killed',
    ],
    [
      'exits',
      'async terminate(call) {',
      'async terminate(call) {\n    process.exit(9)',
      'terminate',
      'exit code 9',
    ],
    [
      'leaks',
      'async terminate(call) {',
      'async terminate(call) {\n    const all = []\n    for (;;) all.push(new Array(1e4).fill(Math.random()))',
      'terminate',
      'memory',
    ],
    [
      'never-settles',
      'async terminate(call) {',
      'async terminate(call) {\n    await new Promise(() => {})',
      'terminate',
      'not over after 1000 ms',
    ],
  ])(
    '%s: the command survives it, and nothing is left running',
    async (type, find, replace, id, how) => {
      const file = await changed(type, find, replace)
      const { code, broken } = await certify(file, '--timeout', '1s')
      expect(broken.find((c) => c.id === id)?.detail).toContain(how)
      expect(code).toBe(3)
      expect(
        marked('HOLDFAST_KILL_GROUP=').filter(({ pid }) =>
          commandOf(pid).includes('sleep\u00001000'),
        ),
      ).toEqual([])
    },
  )
})

const commandOf = (pid: number) => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return ''
  }
}

test('a file that logs without end does not fill anything', async () => {
  const file = await changed(
    'loud',
    'async terminate(call) {',
    "async terminate(call) {\n    for (let i = 0; i < 1e5; i += 1) call.log('x'.repeat(100))",
  )
  const { code, stderr } = await certify(file, '--log')
  expect(code).toBe(0)
  expect(stderr.length).toBeLessThan(200_000)
  expect(readdirSync(probe.folder)).toContain('loud.mjs')
})

test('one that only looks is certified by what can be tried of it', async () => {
  const file = join(probe.folder, 'looker.mjs')
  writeFileSync(
    file,
    `import { statSync } from 'node:fs'
const look = (calls) => calls.map(({ guid, properties: { path } }) => {
  try { statSync(path); return { guid, status: 'online' } } catch { return { guid, status: 'failed' } }
})
export default {
  type: 'looker', version: '1.0.0', title: 'A file that has to be there',
  properties: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'], additionalProperties: false },
  example: { path: '/nowhere' },
  isAlive: async (calls) => look(calls),
  looksAlive: async (calls) => look(calls),
}
`,
  )
  const { code, said, broken } = await certify(file)
  expect(broken).toEqual([])
  expect(code).toBe(0)
  const kept = said.checks.filter((c) => c.verdict === 'kept').map((c) => c.id)
  expect(kept).toEqual([
    'properties',
    'open',
    'one-call-for-all',
    'guard-starts',
    'lets-others-run',
  ])
})
