/** A backup as it leaves: read from the object in portions, so that no journal is in memory as a whole. */
import { createHash } from 'node:crypto'
import type { Stub } from './calls.ts'

/** @throws {Error} in the middle: what was sent by then has no end, and so is no backup */
export async function* backupText(stub: Stub): AsyncGenerator<string> {
  const head = await stub.read({ what: 'backup' })
  if (!head) throw new Error('a backup of no cluster')
  const { header, hive } = head
  const sum = createHash('sha256')
  let lines = 0
  const taken = (some: readonly string[]): string => {
    lines += some.length
    const text = some.map((line) => `${line}\n`).join('')
    sum.update(text)
    return text
  }
  yield taken([JSON.stringify(header), `{"t":"hive","hive":${hive}}`])
  for (const part of ['updates', 'entries'] as const) {
    const { from, to: upTo } = header[part]
    for (let after = from - 1; from > 0 && after < upTo; ) {
      const page = await stub.read({ what: 'backupLines', of: part, after, upTo })
      // What is old goes while it is read only in a cluster that writes faster than this reads.
      if (page.lines.length !== page.last - after || page.last === after)
        throw new Error(`the journal was trimmed behind ${after} while it was read`)
      after = page.last
      yield taken(page.lines)
    }
  }
  yield `${JSON.stringify({ t: 'end', lines, sha256: sum.digest('hex') })}\n`
}

/** Made as fast as it is read. */
export function streamOf(text: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await text.next()
        if (done) controller.close()
        else controller.enqueue(encoder.encode(value))
      },
      async cancel() {
        await text.return(undefined)
      },
    },
    { highWaterMark: 0 },
  )
}
