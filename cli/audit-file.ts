/** An export of an audit log, judged by itself: without a control plane, and without believing any. */
import { createHash } from 'node:crypto'
import type * as z from 'zod'
import {
  type AuditHeader,
  auditHeader,
  auditLine,
  type ChainPlace,
  faultOf,
} from '../schema/api/audit.ts'

type Verdict =
  | { fault: null; chain: string; base: ChainPlace; head: ChainPlace }
  /** The number of the first entry that is not as it was written, and what is wrong with it. */
  | { fault: { n: number; what: string } }

/**
 * Every entry follows the one before it, the first one what is said to have been removed before it, and
 * the last one is the head that the export was made at.
 *
 * @param text JSON Lines as `audit export` writes them
 * @param known hash of an entry that was noted before: it has to be there
 */
export function verifyExport(text: string, known?: string): Verdict {
  const [first = '', ...lines] = text.split('\n')
  const header = readLine(auditHeader, first)
  const broken = (n: number, what: string): Verdict => ({ fault: { n, what } })
  if (!header) return broken(0, 'the first line is not that of an export')
  let before = header.base
  let found = known === undefined || known === before.hash
  const after = lines.pop()
  for (const line of lines) {
    const entry = readLine(auditLine, line)
    const n = before.n + 1
    if (!entry) return broken(n, 'its line is no entry, or not as it was written')
    const fault = faultOf(entry, header.chain, before, hashOf)
    if (fault !== null) return broken(entry.n, fault)
    before = { n, hash: entry.hash }
    found ||= known === entry.hash
  }
  if (after !== '') return broken(before.n + 1, 'the file ends within a line')
  return endOf(header, before, found)
}

function endOf({ chain, base, head }: AuditHeader, last: ChainPlace, found: boolean): Verdict {
  if (last.n !== head.n || last.hash !== head.hash) {
    const what = `the export was made at entry ${head.n}, and the file ends with entry ${last.n}`
    return { fault: { n: Math.min(last.n, head.n) + 1, what } }
  }
  if (found) return { fault: null, chain, base, head }
  const what = 'the entry that was noted is not there: the end was cut, or all was written anew'
  return { fault: { n: head.n + 1, what } }
}

/** @returns null: not that, or not in the words that it was written in */
function readLine<T>(schema: z.ZodType<T>, line: string): T | null {
  try {
    const json: unknown = JSON.parse(line)
    const parsed = schema.safeParse(json)
    return parsed.success && JSON.stringify(json) === line ? parsed.data : null
  } catch {
    return null
  }
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex')
