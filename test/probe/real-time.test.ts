/** A5: the guard runs before everything of normal priority, and what it starts does not. */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const MODULE = fileURLToPath(new URL('../../probe/os/real-time.ts', import.meta.url))
const mayHaveIt = spawnSync('chrt', ['--rr', '1', 'true']).status === 0

/** The field of stat(5) that tells the scheduling policy: 0 normal, 2 round robin. */
const POLICY = `text => text.slice(text.lastIndexOf(')') + 2).split(' ')[38]`

function policies(under: readonly string[] = []): string[] {
  const script = `
    import { readFileSync } from 'node:fs'
    import { execFileSync } from 'node:child_process'
    import { takeRealTime } from ${JSON.stringify(MODULE)}
    const denied = await takeRealTime()
    const policy = ${POLICY}
    console.log(policy(readFileSync('/proc/self/stat', 'latin1')))
    console.log(policy(execFileSync('/bin/cat', ['/proc/self/stat'], { encoding: 'latin1' })))
    console.log(denied)`
  const words = [...under, process.execPath, '--input-type=module', '-e', script]
  const [command = '', ...args] = words
  const { stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  expect(stderr).toBe('')
  return stdout.trim().split('\n')
}

test('with the right to it: this process, not its children', (ctx) => {
  ctx.skip(!mayHaveIt, 'no right to a real-time priority, or no chrt')
  expect(policies()).toEqual(['2', '0', 'null'])
})

test('without: it says why, and goes on', (ctx) => {
  ctx.skip(process.getuid?.() !== 0, 'only root has a right to take away')
  const [own, child, denied] = policies(['setpriv', '--bounding-set=-sys_nice'])
  expect([own, child]).toEqual(['0', '0'])
  expect(denied).toMatch(/not permitted/)
})
