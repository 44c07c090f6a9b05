import { expect, test } from 'vitest'
import { processModule } from '../../../probe/resources/process.ts'
import { GuardLink } from '../../../probe/rhs/guard-link.ts'
import { makeCall } from '../../../probe/rhs/make-call.ts'
import type { HeldResource, RhsToGuard } from '../../../schema/ipc.ts'
import type { ResourceModule } from '../../../schema/resource-type.ts'

const RESOURCE = '00000000-0000-4000-8000-00000000000a'

test('G5: an answer to a request of an earlier RHS is not taken for one of ours', async () => {
  const asked: number[] = []
  const send = (frame: RhsToGuard) => {
    if (frame.t === 'stop') asked.push(frame.requestId)
  }
  const before = new GuardLink(send)
  const after = new GuardLink(send)
  void before.stop(RESOURCE)
  let stopped = false
  void after.stop(RESOURCE).then(() => {
    stopped = true
  })
  after.answered({ requestId: asked[0] as number, ok: true })
  await new Promise((resolve) => setImmediate(resolve))
  expect(stopped).toBe(false)
  after.answered({ requestId: asked[1] as number, ok: true })
  await new Promise((resolve) => setImmediate(resolve))
  expect(stopped).toBe(true)
})

test('a call that was given up starts nothing any more', async () => {
  const sent: RhsToGuard[] = []
  const link = new GuardLink((frame) => sent.push(frame))
  const abort = new AbortController()
  const held = { guid: RESOURCE, properties: { command: '/bin/sleep' } } as unknown as HeldResource
  const call = makeCall(held, processModule as ResourceModule, link, {
    nodeName: 'n1',
    signal: abort.signal,
    progress: () => {},
    log: () => {},
  })
  abort.abort(new Error('cancelled'))
  const spec = { command: '/bin/sleep', args: [], env: {} }
  await expect(call.workload.startChild(spec)).rejects.toThrow('cancelled')
  await expect(call.workload.permitGate('vm')).rejects.toThrow('cancelled')
  expect(sent).toEqual([])
})
