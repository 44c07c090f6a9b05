/** S-62, S-68: what an operator was told is done stays done, whichever side told him. */
import { expect, test } from 'vitest'
import { run } from '../../scenarios/directives.ts'
import { World } from '../../scenarios/world.ts'

function cluster(): World {
  const world = new World()
  for (const line of ['cluster standard', 'nodes n1 n2', 'group web', 'resource web/nginx process'])
    run(world, line)
  return world
}
const play = (world: World, ...lines: string[]) => {
  for (const line of lines) run(world, line)
}
const wanted = (world: World) =>
  world.hive.resources.get(world.id('resource', 'nginx'))?.persistentState

test('an operator’s acknowledged `online` is not undone by an older stop on the host, also when it changed nothing', () => {
  const world = cluster()
  // The host is cut off and somebody on it stops nginx; the hive still says 1.
  play(world, 'disconnect n1', 'stopHere n1 nginx')
  // An operator sees that the service is gone, and asks for it: "ok", and seq stays as it is.
  play(world, 'online web', 'advance 1s', 'up n1')
  expect(wanted(world)).toBe(1)
})

test('a deliberate stop that was told within the lease, with the first report after a boot, is not lost', () => {
  const world = cluster()
  play(world, 'disconnect n1', 'stopHere n1 nginx', 'crash n1', 'up n1')
  // Refused as another guard until the lease of the old boot has ended; it keeps trying.
  play(world, 'advance 20s')
  expect(wanted(world)).toBe(0)
  expect(world.observed.resources.get(world.id('resource', 'nginx'))?.status).not.toBe('online')
})
