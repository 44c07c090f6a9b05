/** S-20, DESIGN 6: what a host says to have counts where nothing is declared. */

import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { measure } from '../../probe/os/measure.ts'
import { measured } from '../../schema/placement.ts'
import { capacityOf } from '../../worker/core/capacity.ts'
import { Cluster, GROUP, id, NODE, RESOURCE } from './instant-cluster.ts'

const owner = (cluster: Cluster, n: number) =>
  cluster.state.hive.groups.get(id(GROUP, n))?.ownership.owner

function withGroup(cluster: Cluster, n: number, needs: Record<string, number>): void {
  const groupId = id(GROUP, n)
  cluster.ask({ type: 'createGroup', groupId, name: `g${n}`, settings: { needs } })
  cluster.ask({
    ...{ type: 'createResource', resourceId: id(RESOURCE, n), groupId, name: `r${n}` },
    ...{ resourceType: 'process', persistentState: 1 },
    settings: { properties: { command: '/bin/true' } },
  })
  cluster.settle(id(GROUP, n))
}

test('a host tells what it has', () => {
  expect(measured.parse(measure())).toMatchObject({ cpu: availableParallelism() })
})

test('declared names count instead of measured ones, all others stay', () => {
  const has = { cpu: 4, mem: 16 }
  expect(capacityOf({ measured: has } as never)).toEqual(has)
  expect(capacityOf({ measured: has, capacity: { mem: 8, gpu: 1 } } as never)).toEqual({
    ...{ cpu: 4, mem: 8, gpu: 1 },
  })
  expect(capacityOf({} as never)).toBeUndefined()
})

test('a group goes where the host has room for it, and none takes more than it has', () => {
  const cluster = new Cluster([{ measured: { cpu: 2, mem: 4 } }, { measured: { cpu: 8, mem: 64 } }])
  withGroup(cluster, 1, { mem: 8 })
  withGroup(cluster, 2, { mem: 3 })
  withGroup(cluster, 3, { mem: 3 })
  withGroup(cluster, 4, { mem: 60 })
  expect([1, 2, 3, 4].map((n) => owner(cluster, n))).toEqual([
    id(NODE, 1),
    id(NODE, 0),
    id(NODE, 1),
    null,
  ])
})

test('what an operator declares is more than what was measured', () => {
  const cluster = new Cluster([{ measured: { cpu: 2, mem: 4 }, capacity: { mem: 32 } }])
  withGroup(cluster, 1, { mem: 30 })
  expect(owner(cluster, 1)).toBe(id(NODE, 0))
})
