import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { findContext } from '../../cli/context.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { runCli } from './run-cli.ts'

const URL_A = 'http://127.0.0.1:1111'
const URL_B = 'http://127.0.0.1:2222'
let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-cli-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(path: string, value: unknown): void {
  mkdirSync(join(folder, path, '..'), { recursive: true })
  writeFileSync(join(folder, path), typeof value === 'string' ? value : JSON.stringify(value))
}

it('takes flags before environment before files', () => {
  write('.holdfast/cli.json', { url: URL_A, key: 'hfk_file', cluster: 'demo' })
  const deep = join(folder, 'a/b')
  mkdirSync(deep, { recursive: true })
  expect(findContext({}, {}, deep)).toMatchObject({ url: URL_A, key: 'hfk_file', cluster: 'demo' })
  const env = { HOLDFAST_CLUSTER: 'prod' }
  expect(findContext({}, env, deep)).toMatchObject({ key: 'hfk_file', cluster: 'prod' })
  expect(findContext({ cluster: 'x' }, env, deep)).toMatchObject({ cluster: 'x' })
})

it('never gives the key of one control plane to another', () => {
  write('.holdfast/cli.json', { url: URL_A, key: 'hfk_file' })
  expect(findContext({ url: URL_B }, {}, folder)).toMatchObject({ url: URL_B, key: undefined })
  expect(findContext({}, { HOLDFAST_URL: URL_B }, folder)).toMatchObject({ key: undefined })
})

it('whoever has logged in at an address need not leave it unsaid', () => {
  write('.holdfast/cli.json', { url: URL_A, key: 'hfk_of_a' })
  write('config/holdfast/config.json', { url: URL_B, key: 'hfs_of_b' })
  const env = { XDG_CONFIG_HOME: join(folder, 'config'), HOLDFAST_URL: URL_B }
  expect(findContext({}, env, folder)).toMatchObject({ url: URL_B, key: 'hfs_of_b' })
  expect(findContext({ url: `${URL_A}/` }, env, folder)).toMatchObject({ key: 'hfk_of_a' })
  expect(findContext({ url: URL_A, key: 'hfk_said' }, {}, folder)).toMatchObject({
    key: 'hfk_said',
  })
  // What cannot be read is somebody else's trouble.
  write('.holdfast/cli.json', '{')
  expect(findContext({}, env, folder)).toMatchObject({ key: 'hfs_of_b' })
})

it('looks into the settings of the user last', () => {
  write('config/holdfast/config.json', { url: URL_B })
  const env = { XDG_CONFIG_HOME: join(folder, 'config') }
  expect(findContext({}, env, folder)).toMatchObject({ url: URL_B })
  const home = { HOME: folder }
  write('.config/holdfast/config.json', { url: URL_A })
  expect(findContext({}, home, folder)).toMatchObject({ url: URL_A })
})

it('refuses an address that is none, and a file that is none', () => {
  expect(() => findContext({ url: 'prod' }, {}, folder)).toThrow(HoldfastError)
  write('.holdfast/cli.json', '{')
  expect(() => findContext({}, {}, folder)).toThrow(/cannot be used/)
})

it('says in four parts that there is nothing to talk to', async () => {
  const run = await runCli(['status'], { cwd: folder, env: { HOME: folder } })
  expect(run.code).toBe(2)
  expect(run.stdout).toBe('')
  expect(run.stderr.split('\n').map((line) => line.trim().split(/[: ]/)[0])).toEqual([
    'error',
    'why',
    'try',
    'docs',
    '',
  ])
  expect(run.stderr).toContain('[BAD_REQUEST]')
  expect(run.stderr).toContain('npm start')
})
