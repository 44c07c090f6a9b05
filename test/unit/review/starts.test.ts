import { expect, test } from 'vitest'
import { Starts } from '../../../probe/guard/starts.ts'
import type { WorkloadRecord } from '../../../schema/ipc.ts'

const RESOURCE = '00000000-0000-4000-8000-00000000000a'
const ask = (requestId: number) => ({ resourceId: RESOURCE, requestId })
const dead: WorkloadRecord = {
  resourceId: RESOURCE,
  groupId: '00000000-0000-4000-8000-0000000000f0',
  epoch: 1,
  way: 'gate',
  phase: 'running',
  process: { pid: 2 ** 22 + 1, startTicks: 1 },
}

function bench() {
  const said: string[] = []
  let ending = false
  const workloads = {
    isEnding: () => ending,
    endedElsewhere: () => {
      said.push('ended')
      ending = true
    },
  }
  const starts = new Starts(workloads, (id) => said.push(`refused ${id}`))
  return {
    starts,
    said,
    end: (value: boolean) => {
      ending = value
    },
  }
}

test('G5: a start that waits for what ended before it is over when a stop is asked for', () => {
  const { starts, said, end } = bench()
  end(true)
  starts.whenEnded(ask(1), undefined, () => said.push('start 1'))
  starts.cancel(RESOURCE)
  end(false)
  starts.ended(RESOURCE)
  expect(said).toEqual(['refused 1'])
})

test('a recorded process that is dead is no answer to a start: it is cleared away first', () => {
  const { starts, said, end } = bench()
  starts.whenEnded(ask(1), dead, () => said.push('start 1'))
  starts.whenEnded(ask(2), dead, () => said.push('start 2'))
  end(false)
  starts.ended(RESOURCE)
  expect(said).toEqual(['ended', 'ended', 'refused 1', 'start 2'])
})

test('a start that waits goes with the monitor that asked for it: nobody would know of it', () => {
  const { starts, said, end } = bench()
  end(true)
  starts.whenEnded({ ...ask(1), monitor: 'rhs' }, undefined, () => said.push('start 1'))
  starts.forget('rhs-exec')
  starts.forget('rhs')
  end(false)
  starts.ended(RESOURCE)
  expect(said).toEqual([])
})
