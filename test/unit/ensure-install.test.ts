import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { ensureInstall, whyInstall } from '../../tools/ensure-install.mjs'

let root: string

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'holdfast-install-'))
  lock('package-lock.json', { '': {}, 'node_modules/a': { version: '1.0.0' } })
})
afterEach(() => {
  rmSync(root, { recursive: true })
  vi.restoreAllMocks()
})

function lock(path: string, packages: object): void {
  mkdirSync(join(root, 'node_modules'), { recursive: true })
  writeFileSync(join(root, path), JSON.stringify({ packages }))
}

const installed = (version: string) =>
  lock('node_modules/.package-lock.json', { 'node_modules/a': { version } })

it('installs what is missing or of another version, and nothing else', () => {
  expect(whyInstall(root)).toBe('node_modules is missing')
  installed('0.9.0')
  expect(whyInstall(root)).toBe('node_modules/a is 0.9.0, package-lock.json has 1.0.0')
  installed('1.0.0')
  expect(whyInstall(root)).toBeNull()
})

it('does not ask for packages of other platforms', () => {
  installed('1.0.0')
  const other = { version: '1.0.0', optional: true }
  lock('package-lock.json', { 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': other })
  expect(whyInstall(root)).toBeNull()
})

it('says in one line why, installs once, and frees its lock', () => {
  const said = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  const install = vi.fn(() => {
    installed('1.0.0')
    return 0
  })
  expect(ensureInstall(root, install)).toBe(0)
  expect(ensureInstall(root, install)).toBe(0)
  expect(install).toHaveBeenCalledTimes(1)
  expect(said).toHaveBeenCalledTimes(1)
  expect(said.mock.calls[0]?.[0]).toMatch(/^Installing packages \(node_modules is missing\).*\n$/)
})

it('takes over the lock of a run that died', () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true)
  mkdirSync(join(root, '.holdfast/install.lock'), { recursive: true })
  writeFileSync(join(root, '.holdfast/install.lock/pid'), '999999999')
  expect(ensureInstall(root, () => 7)).toBe(7)
})
