import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

export interface TextFile {
  readonly path: string
  readonly text: string
}

/** Files of the repository, and new ones that are not ignored. */
export function repositoryFiles(): string[] {
  return execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(ROOT, path)))
    .filter((path) => statSync(join(ROOT, path)).isFile())
}

export function readTexts(select: (path: string) => boolean): TextFile[] {
  return repositoryFiles()
    .filter(select)
    .map((path) => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}
