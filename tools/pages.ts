import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './checks.ts'

/** The folder has these pages, by file name, and no others. */
export function writePages(folder: string, pages: ReadonlyMap<string, string>): void {
  const path = join(ROOT, folder)
  mkdirSync(path, { recursive: true })
  for (const name of readdirSync(path)) if (!pages.has(name)) rmSync(join(path, name))
  for (const [name, text] of pages) writeFileSync(join(path, name), text)
}
