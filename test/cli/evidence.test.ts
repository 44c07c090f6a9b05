/** `holdfast resource evidence`: the calls, where it stood, and what it said, none of which is trusted. */
import { expect, test } from 'vitest'
import { renderEvidence } from '../../cli/commands/evidence.ts'

const NOW_MS = Date.UTC(2026, 0, 2, 3, 4, 5)
const incident = {
  ...{ atMs: NOW_MS, node: 'n1', monitor: 'rhs', detail: 'it hangs' },
  calls: [{ n: 8, type: 'process', fn: 'isAlive', of: 'nginx', atMs: 14_000 }],
}

test('the stack innermost first, then what it had written last, then the calls', () => {
  const stack = ['inner (/m.mjs:5:20)', 'outer (/m.mjs:4:20)']
  const text = renderEvidence(
    { incidents: [{ ...incident, stack, said: ['\u001b[31mslow'] }] },
    'nginx',
    NOW_MS,
  )
  expect(text.split('\n').slice(1, 6)).toEqual([
    '  it was at, innermost first:',
    '    inner (/m.mjs:5:20)',
    '    outer (/m.mjs:4:20)',
    '  it had written last:',
    '     [31mslow',
  ])
  expect(text).not.toContain('\u001b')
  expect(text).toMatch(/isAlive\s+process\s+nginx\s+has not ended/)
})

test('without them there are the calls alone', () => {
  const text = renderEvidence({ incidents: [incident] }, 'nginx', NOW_MS)
  expect(text).not.toMatch(/innermost|written/)
  expect(text.split('\n')).toHaveLength(3)
})
