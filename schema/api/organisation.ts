/** Everything that an organisation has, as a file; and its end. */
import * as z from 'zod'
import { HoldfastError } from '../errors.ts'

export const EXPORT_FORMAT = 'holdfast-organisation-1'

const count = z.int().nonnegative()

const endLine = z.strictObject({
  t: z.literal('end'),
  lines: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
})

/**
 * Whether an export is whole: JSON Lines that begin with what it is and end with the checksum of all before it.
 *
 * @param hashOf SHA-256 of a text, hex
 * @returns how many lines it has, by what they tell of
 * @throws {HoldfastError} EXPORT_INCOMPLETE
 */
export function readExport(text: string, hashOf: (text: string) => string): Map<string, number> {
  const lines = text.split('\n')
  if (lines.pop() !== '') throw incomplete('it ends within a line')
  const last = lines.at(-1) ?? ''
  const end = endLine.safeParse(json(last))
  if (!end.success) throw incomplete('its last line is missing')
  const body = text.slice(0, text.length - last.length - 1)
  if (end.data.lines !== lines.length - 1 || end.data.sha256 !== hashOf(body))
    throw incomplete('its checksum does not fit')
  const header = json(lines[0] ?? '') as { format?: unknown } | null
  if (header?.format !== EXPORT_FORMAT) throw incomplete(`its format is not ${EXPORT_FORMAT}`)
  const counts = new Map<string, number>()
  for (const line of lines.slice(1, -1)) {
    const { t } = json(line) as { t: string }
    counts.set(t, (counts.get(t) ?? 0) + 1)
  }
  return counts
}

const incomplete = (why: string): HoldfastError =>
  new HoldfastError({
    code: 'EXPORT_INCOMPLETE',
    message: 'this is not a whole export of an organisation',
    why: `What is wrong: ${why}.`,
    remedy: 'Export it again: holdfast org export',
  })

function json(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return null
  }
}

export const deleteOrganisation = z.strictObject({
  confirm: z
    .string()
    .max(256)
    .describe('The name of the organisation, so that it is not another one.'),
  force: z
    .boolean()
    .default(false)
    .describe('Also while groups run: their hosts stop them when their leases end.'),
})

export const organisationDeleted = z.object({
  organisation: z.string(),
  clusters: count,
  /** Of these the storage is not deleted yet: it is tried again until it is. */
  pending: count,
})
export type OrganisationDeleted = z.infer<typeof organisationDeleted>
