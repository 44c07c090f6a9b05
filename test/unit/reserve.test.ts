/** G5: a process that cannot be looked at has not ended. */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ROOT } from '../tidy/tracked-files.ts'

/** Uses up all descriptors of a process, then looks at another one. */
const script = (hold: string) => `
  import { openSync } from 'node:fs'
  import { identityOf } from '${join(ROOT, 'probe/gate/proc.ts')}'
  import { bootMs } from '${join(ROOT, 'probe/clock.ts')}'
  import { holdReserve } from '${join(ROOT, 'probe/reserve.ts')}'
  ${hold}
  const before = bootMs()
  try { for (;;) openSync('/dev/null', 'r') } catch {}
  const seen = () => { try { return identityOf(process.ppid) } catch (error) { return error.code } }
  const [first, second] = [seen(), seen()]
  const gone = (() => { try { return identityOf(4_194_303) } catch (error) { return error.code } })()
  console.log(JSON.stringify({ first, second, gone, clock: bootMs() >= before }))
`

function run(hold: string) {
  const args = [
    '-c',
    'ulimit -n 64; exec "$0" --input-type=module-typescript -e "$1"',
    process.execPath,
  ]
  return JSON.parse(
    execFileSync('sh', [...args, script(hold)], { encoding: 'utf8', stdio: 'pipe' }),
  )
}

test('with a reserve it is seen all the same, again and again', () => {
  const { first, second, gone, clock } = run('holdReserve()')
  expect(first).toMatchObject({ startTicks: expect.any(Number) })
  expect(second).toEqual(first)
  expect(gone).toBeNull()
  expect(clock).toBe(true)
})

test('without one that is an error, and never "gone"', () => {
  expect(run('')).toMatchObject({ first: 'EMFILE', second: 'EMFILE', gone: 'EMFILE', clock: true })
})
