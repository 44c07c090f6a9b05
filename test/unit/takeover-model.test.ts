/** The model of the takeover policies (docs/decisions/fencing.md): safe, and every rule is needed. */
import { expect, test } from 'vitest'
import { explore } from '../model/engine.ts'
import { LARGE, type Mutant, QUICK, takeoverModel } from '../model/takeover.ts'

test('D3, F2: with all rules nobody else may run what a node runs; the search is complete', () => {
  const found = explore(takeoverModel([], process.env['HOLDFAST_LARGE'] ? LARGE : QUICK))
  expect(found.violation).toBeNull()
  expect(found.complete).toBe(true)
  expect(found.states).toBeGreaterThan(100_000)
}, 120_000)

test.each<[Mutant, string]>([
  ['d3Anyway', 'D3: a wait ends nothing of a node that may go on after its lease'],
  ['noAck', 'fence to lease: the hive follows the acknowledgement of the node'],
  ['anyAck', 'an acknowledgement is about one change'],
  ['toldFirst', 'lease to fence: in the hive before anybody is told (C4)'],
  ['ackBeforeFile', 'G9: in the file before it is acknowledged'],
  ['anyBoot', 'F2: about the boot that the hive has now'],
  ['onRequest', 'F1: a request frees nothing'],
  ['noGrant', 'C6: nothing starts without a grant, under any policy'],
])('without %s it is not safe (%s)', (mutant) => {
  const { violation } = explore(takeoverModel([mutant]))
  expect(violation?.what).toMatch(/^I1/)
  expect(violation?.trace.length).toBeGreaterThan(3)
  expect(violation?.trace).not.toContain('?')
})
