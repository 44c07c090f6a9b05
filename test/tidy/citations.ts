/** Citations of docs/rules.md: found in comments, test titles and `rule:` fields. */
import { type Piece, splitSource } from './source-text.ts'
import type { TextFile } from './tracked-files.ts'

export interface Citation {
  readonly rule: string
  readonly where: string
}

const CITATION = /(?<![\w/.#-])(?:S-\d{2,3}|Q\d{1,2}|[LGDSCUOFMHA]\d{1,2})(?![\w-]|\.\d)/g

/** `**D3**`, `**S-33**`: where a rule is defined. */
export function definedRules(markdown: string): Set<string> {
  return new Set([...markdown.matchAll(/^- \*\*([A-Z]-?\d+)\*\*/gm)].map((match) => match[1] ?? ''))
}

export function citations(file: TextFile): Citation[] {
  return splitSource(file.text)
    .pieces.filter((piece) => cites(file.path, piece))
    .flatMap((piece) =>
      [...piece.text.matchAll(CITATION)].map(([rule]) => ({
        rule,
        where: `${file.path}:${piece.line}`,
      })),
    )
}

function cites(path: string, piece: Piece): boolean {
  if (piece.kind === 'comment') return true
  if (/\brule:(?:[^,;{}]*[?:])?$/.test(piece.before)) return true
  if (!path.startsWith('test/')) return false
  return /\b(?:it|test|describe)(?:\.\w+)*\($|\b(?:each|skipIf|runIf)\(.*\)\s*\($/s.test(
    piece.before,
  )
}
