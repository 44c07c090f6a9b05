/** The key of who runs a control plane of their own: made once, the same at the next start, and replaced. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type ControlPlane, startControlPlane } from '../../demo/control-plane.ts'
import { createClient } from '../../schema/api/client.ts'

const root = mkdtempSync(join(tmpdir(), 'holdfast-operator-'))
const folder = join(root, 'control')
let control: ControlPlane | null = null
afterAll(async () => {
  await control?.stop()
  rmSync(root, { recursive: true, force: true })
})

async function restarted(): Promise<ControlPlane> {
  await control?.stop()
  control = await startControlPlane({ folder, port: 0 })
  return control
}
const client = ({ url }: ControlPlane, key: string) => createClient({ url, key })

test('organisation "default", and an admin of it; a file that is removed is a key that is replaced', async () => {
  const first = await restarted()
  const me = await client(first, first.key)('whoami')
  expect(me).toMatchObject({
    ...{ name: 'operator', organisation: { name: 'default' } },
    scopes: [{ role: 'admin', cluster: null }],
  })
  await client(first, first.key)('createCluster', { body: { name: 'prod' } })
  const again = await restarted()
  expect(again.key).toBe(first.key)
  expect(await client(again, again.key)('whoami')).toEqual(me)

  rmSync(join(folder, 'api-key'))
  const replaced = await restarted()
  expect(replaced.key).toBe(readFileSync(join(folder, 'api-key'), 'utf8'))
  expect(replaced.key).not.toBe(first.key)
  const { clusters } = await client(replaced, replaced.key)('listClusters')
  expect(clusters.map((one) => one.name)).toEqual(['prod'])
  await expect(client(replaced, first.key)('whoami')).rejects.toMatchObject({
    refusal: { code: 'UNAUTHENTICATED' },
  })
  expect((await client(replaced, replaced.key)('whoami')).id).toBe(me.id)
}, 60_000)
