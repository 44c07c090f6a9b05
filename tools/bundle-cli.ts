/**
 * The `holdfast` command as one file: reading two hundred modules takes longer than most commands do.
 * `bin/holdfast.js` takes it as long as no source is newer.
 */
import { mkdirSync, renameSync } from 'node:fs'
import { build } from 'esbuild'

const ROOT = new URL('..', import.meta.url).pathname
/** As deep as the sources of commands are, which name the simulation from where they stand. */
const FOLDER = 'dist/cli'

/** @returns the path of the file */
export async function bundleCli(): Promise<string> {
  const file = `${ROOT}${FOLDER}/holdfast.js`
  const unfinished = `${file}.${process.pid}`
  mkdirSync(`${ROOT}${FOLDER}`, { recursive: true })
  const result = await build({
    entryPoints: ['cli/main.ts'],
    absWorkingDir: ROOT,
    outfile: unfinished,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    banner: {
      js: "import { createRequire as holdfastRequire } from 'node:module'; const require = holdfastRequire(import.meta.url);",
    },
    external: ['bufferutil', 'utf-8-validate'],
    logLevel: 'silent',
  })
  if (result.errors.length > 0) throw new Error(result.errors[0]?.text ?? 'esbuild failed')
  // Somebody may be running it.
  renameSync(unfinished, file)
  return file
}
