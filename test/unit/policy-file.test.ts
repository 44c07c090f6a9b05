/** The host policy as a file: what is understood, and what is not used for whose it is. */
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BadPolicy, policyPath, readPolicyFile } from '../../probe/os/policy-file.ts'
import { allowsText } from '../../probe/rhs/allows.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-policy-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

function file(name: string, text: string, mode = 0o644): string {
  const path = join(folder, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
const problem = async (path: string) => {
  try {
    await readPolicyFile(path)
    return null
  } catch (error) {
    if (!(error instanceof BadPolicy)) throw error
    return error
  }
}

test('YAML with comments, or JSON, which is a part of it', async () => {
  const yaml = file(
    'a.yaml',
    `# what may run here
process:
  commands: [/usr/sbin/nginx, /opt/app/*]   # and everything below
  users:
    - www-data
virtual-machine: { domains: ['*'] }
`,
  )
  const policy = {
    process: { commands: ['/usr/sbin/nginx', '/opt/app/*'], users: ['www-data'] },
    'virtual-machine': { domains: ['*'] },
  }
  expect(await readPolicyFile(yaml)).toEqual(policy)
  expect(await readPolicyFile(file('b.json', JSON.stringify(policy)))).toEqual(policy)
  expect(await readPolicyFile(file('c.yaml', JSON.stringify(policy)))).toEqual(policy)
  expect(await readPolicyFile(file('empty.yaml', '# nothing\n'))).toEqual({})
})

test('a host that was set up with JSON goes on with it, until there is YAML', async () => {
  const yaml = join(folder, 'old.yaml')
  const json = file('old.json', '{"process":{"commands":["/bin/true"]}}')
  expect(policyPath(yaml)).toBe(json)
  expect(await readPolicyFile(yaml)).toEqual({ process: { commands: ['/bin/true'] } })
  file('old.yaml', 'process: { commands: [/bin/false] }')
  expect(await readPolicyFile(yaml)).toEqual({ process: { commands: ['/bin/false'] } })
})

test.each([
  ['an unknown word', 'proces: { commands: [] }', 'proces'],
  ['an unknown word below', 'process: { comands: [] }', 'process'],
  ['no YAML', 'process: [', 'is not understood'],
  ['a name twice', 'process: { commands: [] }\nprocess: { commands: ["*"] }', 'is not understood'],
  ['a list', '- process', 'is not understood'],
  [
    'laughs without end',
    `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${'*a,'.repeat(9)}]\nc: [${'*b,'.repeat(9)}]`,
    'is not understood',
  ],
])('%s: not used, and why', async (_, text, says) => {
  const found = await problem(file('bad.yaml', text))
  expect(found).toMatchObject({ kind: 'content', message: expect.stringContaining(says) })
  expect(found?.fix).toBeTruthy()
})

test('none is no fault and allows nothing; one that others may write is not the host’s own', async () => {
  expect(await problem(join(folder, 'none.yaml'))).toMatchObject({ kind: 'missing' })
  const open = file('open.yaml', 'process: { commands: ["*"] }', 0o666)
  expect(await problem(open)).toMatchObject({ kind: 'mode', fix: `chmod go-w ${open}` })
})

const missingRoot = process.getuid?.() === 0 ? null : 'missing: root'
test.skipIf(missingRoot !== null)('one that belongs to another user is not used', async () => {
  const path = file('theirs.yaml', 'process: { commands: ["*"] }')
  chownSync(path, 65_534, 65_534)
  expect(await problem(path)).toMatchObject({ kind: 'owner', fix: `chown root ${path}` })
})

test('what a policy allows of a type, in words', () => {
  const policy = {
    process: { commands: ['/bin/a', '/bin/b'], users: ['web'] },
    'ip-address': { networks: ['10.0.0.0/8'], devices: ['eth0'] },
    'file-system': { sources: ['/dev/sd*'], targets: ['/srv/*'] },
    'systemd-unit': { units: ['web-*'] },
    'virtual-machine': { domains: ['db-*'] },
    modules: { own: { commands: ['/usr/bin/own'] } },
  }
  expect(allowsText(policy, 'process')).toBe('/bin/a, /bin/b as web')
  expect(allowsText(policy, 'ip-address')).toBe('10.0.0.0/8 on eth0')
  expect(allowsText(policy, 'systemd-unit')).toBe('web-*')
  expect(allowsText(policy, 'file-system')).toBe('/dev/sd* on /srv/*')
  expect(allowsText(policy, 'virtual-machine')).toBe('domains db-*')
  expect(allowsText(policy, 'http-endpoint')).toBe('this host itself')
  expect(allowsText(policy, 'own')).toBe('/usr/bin/own')
  expect(allowsText(policy, 'other')).toBe('nothing')
  const many = { process: { commands: Array.from({ length: 1_000 }, (_, i) => `/bin/${i}`) } }
  expect(allowsText(many, 'process')).toMatch(/ and 980 more$/)
})
