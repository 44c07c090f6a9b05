/** The kill matrix can fail: what was acknowledged and is no longer so is seen. */
import { expect, test } from 'vitest'
import type { Demo } from '../../demo/cluster.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { Promises, SETTINGS } from '../kill/promises.ts'

interface Body {
  name?: string
  preferredOwners?: string[]
  properties?: { args: string[] }
}

/** A control plane that answers, and then forgets what it is told to forget. */
class Forgetful {
  readonly groups = new Map<string, 0 | 1>([['subject', 1]])
  readonly hosts = ['n1', 'n2', 'n3'].map((name) => ({ name }))
  answer: 'ok' | 'refused' | 'away' = 'ok'
  settings = { preferredOwners: [] as string[], args: [] as string[] }

  async api(route: string, { params, body }: { params: { group: string }; body?: Body }) {
    if (this.answer === 'away') throw new HoldfastError({ code: 'UNAVAILABLE', message: 'away' })
    if (this.answer === 'refused') throw new HoldfastError({ code: 'GROUP_BUSY', message: 'busy' })
    if (route === 'createGroup') this.groups.set(body?.name ?? '', 1)
    if (route === 'deleteGroup') this.groups.delete(params.group)
    if (route === 'onlineGroup') this.groups.set(params.group, 1)
    if (route === 'changeGroup') this.settings.preferredOwners = body?.preferredOwners ?? []
    if (route === 'changeResource') this.settings.args = body?.properties?.args ?? []
    if (route === 'offlineGroup') this.groups.set(params.group, 0)
  }

  async view() {
    const groups = [...this.groups].map(([name, state]) => ({
      name,
      resources: [{ persistentState: state, properties: { args: this.settings.args } }],
      preferredOwners: this.settings.preferredOwners,
    }))
    return { groups }
  }
}

const played = () => {
  const control = new Forgetful()
  return { control, promises: new Promises(control as unknown as Demo) }
}

test('kept: nothing is lost', async () => {
  const { promises } = played()
  await promises.want('subject', 0)
  let n = 0
  await promises.write(() => n++ < 3)
  await promises.check()
  expect(promises.lost).toEqual([])
})

test('an acknowledged state that is undone, and a group that is gone, are lost', async () => {
  const { control, promises } = played()
  await promises.want('subject', 0)
  let n = 0
  await promises.write(() => n++ < 2)
  control.groups.set('subject', 1)
  control.groups.delete('made-1')
  await promises.check()
  expect(promises.lost).toEqual(['group made-1', 'group subject: wanted 0, is 1'])
})

test('what was not answered may be either way; what was refused has changed nothing', async () => {
  const { control, promises } = played()
  await promises.want('subject', 1)
  control.answer = 'away'
  expect(await promises.want('subject', 0)).toBe(false)
  control.groups.set('subject', 0)
  await promises.check()
  expect(promises.lost).toEqual([])
  expect(promises.wanted('subject')).toBe(0)
  control.answer = 'refused'
  await promises.want('subject', 1)
  control.groups.set('subject', 1)
  control.answer = 'ok'
  await promises.check()
  expect(promises.lost).toEqual(['group subject: wanted 0, is 1'])
})

test('an acknowledged change of a resource or of preferred owners that is undone is lost', async () => {
  const { control, promises } = played()
  control.groups.set(SETTINGS, 0)
  const change = async (times: number) => {
    let n = 0
    await promises.change(() => n++ < times)
  }
  await change(2)
  await promises.check()
  expect([promises.lost, promises.acks]).toEqual([[], 2])
  const { preferredOwners } = control.settings
  await change(2)
  control.settings = { preferredOwners, args: ['older'] }
  await promises.check()
  expect(promises.lost).toEqual([
    expect.stringMatching(/^preferredOwners of settings: .* was acknowledged/),
    expect.stringMatching(/^properties of settings: .* is \["older"\]/),
  ])
  // Not answered: either will do.
  control.answer = 'away'
  await change(2)
  await promises.check()
  expect(promises.lost).toHaveLength(2)
})
