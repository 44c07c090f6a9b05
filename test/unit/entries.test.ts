/** What goes before a function of the cluster at a module: validate, install (S-37, S-49). */
import { expect, test } from 'vitest'
import { Entries } from '../../probe/rhs/entries.ts'
import type { Call, ResourceModule } from '../../schema/resource-type.ts'

const GUID = '00000000-0000-4000-8000-00000000000a'
const call = {
  ...{ guid: GUID, name: 'one', log: () => {}, workload: { process: null } },
} as unknown as Call

function moduleWith(parts: Partial<ResourceModule>, said: string[]): ResourceModule {
  const entry = (name: string) => async () => void said.push(name)
  const all = { online: entry('online'), open: entry('open'), close: entry('close') }
  return { ...all, ...parts } as ResourceModule
}

test('S-49: install goes before the first Online, once for each resource', async () => {
  const said: string[] = []
  const module = moduleWith({ install: async () => void said.push('install') }, said)
  const entries = new Entries()
  await entries.of(module, 'online')?.(call)
  await entries.of(module, 'online')?.(call)
  await entries.of(module, 'online')?.({ ...call, guid: GUID.replace(/a$/, 'b') })
  expect(said).toEqual(['install', 'online', 'online', 'install', 'online'])
  entries.forget(GUID)
  await entries.of(module, 'online')?.(call)
  expect(said.slice(5)).toEqual(['install', 'online'])
})

test('S-49: an install that failed is Online that failed, and is tried with the next one', async () => {
  const said: string[] = []
  let fails = true
  const module = moduleWith(
    {
      async install() {
        said.push('install')
        if (fails) throw new Error('no disk')
      },
    },
    said,
  )
  const entries = new Entries()
  await expect(entries.of(module, 'online')?.(call)).rejects.toThrow('no disk')
  expect(said).toEqual(['install'])
  fails = false
  await entries.of(module, 'online')?.(call)
  expect(said).toEqual(['install', 'install', 'online'])
})

test('validate goes before open, and without one open is what the module has', async () => {
  const said: string[] = []
  const refuses = moduleWith({ validate: () => Promise.reject(new Error('no such user')) }, said)
  const entries = new Entries()
  await expect(entries.of(refuses, 'open')?.(call)).rejects.toThrow('no such user')
  expect(said).toEqual([])
  // What runs here is not asked whether it could be started (G8).
  const runs = { ...call, workload: { process: { pid: 7, startTicks: 1 } } } as unknown as Call
  await entries.of(refuses, 'open')?.(runs)
  expect(said.splice(0)).toEqual(['open'])
  await entries.of(moduleWith({}, said), 'open')?.(call)
  expect(said).toEqual(['open'])
})

test('S-33: what the module lacks is null, with or without what would go before it', () => {
  const lacks = { install: async () => {} } as unknown as ResourceModule
  const entries = new Entries()
  for (const fn of ['open', 'close', 'online', 'offline', 'terminate', 'retry'] as const)
    expect(entries.of(lacks, fn)).toBeNull()
})
