/**
 * A resource monitor like any other, but that the check of module `process` never returns, ends or blocks
 * the whole monitor, or takes all its memory (of the heap, or besides it), for resources called `bad…` while a file says so.
 */
import { existsSync } from 'node:fs'
import { processModule } from '../../../probe/resources/process.ts'
import { runRhs } from '../../../probe/rhs/main.ts'

const kept: object[] = []
/** What no limit of the heap sees. */
const buffers: Buffer[] = []
const well = processModule.isAlive.bind(processModule)
processModule.isAlive = async (calls) => {
  const told = calls.find((call) => call.name.startsWith('bad'))?.properties.env['TOLD']
  if (told && existsSync(`${told}/never`)) await new Promise(() => {})
  while (told && existsSync(`${told}/leaks`)) {
    for (let n = 0; n < 10_000; n += 1) kept.push({ n })
    await new Promise((resolve) => setImmediate(resolve))
  }
  while (told && existsSync(`${told}/grows`)) {
    buffers.push(Buffer.alloc(1_048_576, 1))
    await new Promise((resolve) => setImmediate(resolve))
  }
  if (told && existsSync(`${told}/exits`)) process.exit(9)
  while (told && existsSync(`${told}/blocks`));
  return well(calls)
}

runRhs(process.argv[2] ?? 'rhs')
