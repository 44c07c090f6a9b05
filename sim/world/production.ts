/**
 * The production code that the simulation runs: bundled as it is, with what it asks of its
 * surroundings (runtime, sockets, files, clock) replaced by the simulation's. No copies.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const fake = (name: string) => join(ROOT, 'sim/world/fakes', name)

/** Shared with the simulation: there is one kernel, and one of each fake. */
const SHARED = /\/sim\/world\/(?:kernel|random|host-world|fakes\/[a-z-]+)\.ts$/

/** Changes of the production code that switch a rule off. */
export type Mutation = readonly Edit[]

export interface Edit {
  /** Path from the root of the repository. */
  readonly file: string
  /** Stands there once. */
  readonly find: string
  readonly replace: string
}

function surroundings(mutation: Mutation | null): Plugin {
  const aliases: Record<string, string> = {
    'cloudflare:workers': fake('cloudflare.ts'),
    ws: fake('ws.ts'),
  }
  return {
    name: 'surroundings',
    setup(b) {
      b.onResolve({ filter: /.*/ }, ({ path, importer, resolveDir }) => {
        const ours =
          importer.startsWith(join(ROOT, 'probe')) || importer.startsWith(join(ROOT, 'worker'))
        const alias = aliases[path]
        if (alias) return { path: pathToFileURL(alias).href, external: true }
        if (ours && path === 'node:fs')
          return { path: pathToFileURL(fake('fs.ts')).href, external: true }
        if (ours && path === 'node:crypto')
          return { path: pathToFileURL(fake('crypto.ts')).href, external: true }
        if (ours && path.endsWith('/fence/fence.ts'))
          return { path: pathToFileURL(fake('fence.ts')).href, external: true }
        if (ours && path.endsWith('/peer-socket.ts'))
          return { path: pathToFileURL(fake('peer-socket.ts')).href, external: true }
        if (ours && path.endsWith('/clock.ts'))
          return { path: pathToFileURL(fake('clock.ts')).href, external: true }
        if (path.startsWith('.') && SHARED.test(join(resolveDir, path)))
          return { path: pathToFileURL(join(resolveDir, path)).href, external: true }
        return undefined
      })
      if (!mutation) return
      b.onLoad({ filter: /\.ts$/ }, ({ path }) => {
        const edits = mutation.filter((edit) => path === join(ROOT, edit.file))
        if (edits.length === 0) return undefined
        return { contents: edits.reduce(edited, readFileSync(path, 'utf8')), loader: 'ts' }
      })
    },
  }
}

/** @throws {Error} the code has changed, and the rule is switched off somewhere else by now */
export function edited(text: string, { file, find, replace }: Edit): string {
  if (text.split(find).length !== 2) throw new Error(`${file} does not have once: ${find}`)
  return text.replace(find, () => replace)
}

/** @returns the exports of these files, as one bundle */
export async function production<T>(
  entries: Readonly<Record<string, string>>,
  mutation: Mutation | null = null,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-sim-'))
  try {
    const lines = Object.entries(entries).map(
      ([name, file]) => `export { ${name} } from ${JSON.stringify(join(ROOT, file))}`,
    )
    const outfile = join(folder, 'production.mjs')
    await build({
      stdin: { contents: lines.join('\n'), resolveDir: ROOT, loader: 'ts' },
      absWorkingDir: ROOT,
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      loader: { '.sql': 'text' },
      inject: [fake('globals-of-workerd.ts')],
      plugins: [surroundings(mutation)],
      outfile,
      logLevel: 'silent',
    })
    return (await import(pathToFileURL(outfile).href)) as T
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
