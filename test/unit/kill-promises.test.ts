/** The kill matrix can fail: what was acknowledged and is no longer so is seen. */
import { expect, test } from 'vitest'
import type { Demo } from '../../demo/cluster.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { Promises } from '../kill/promises.ts'

/** A control plane that answers, and then forgets what it is told to forget. */
class Forgetful {
  readonly groups = new Map<string, 0 | 1>([['subject', 1]])
  answer: 'ok' | 'refused' | 'away' = 'ok'

  async api(
    route: string,
    { params, body }: { params: { group: string }; body?: { name: string } },
  ) {
    if (this.answer === 'away') throw new HoldfastError({ code: 'UNAVAILABLE', message: 'away' })
    if (this.answer === 'refused') throw new HoldfastError({ code: 'GROUP_BUSY', message: 'busy' })
    if (route === 'createGroup') this.groups.set(body?.name ?? '', 1)
    if (route === 'deleteGroup') this.groups.delete(params.group)
    if (route === 'onlineGroup') this.groups.set(params.group, 1)
    if (route === 'offlineGroup') this.groups.set(params.group, 0)
  }

  async view() {
    const groups = [...this.groups].map(([name, state]) => ({
      name,
      resources: [{ persistentState: state }],
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
