/** The probe as three files of JavaScript: a host needs Node.js and nothing from npm. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { basename } from 'node:path'
import { build } from 'esbuild'
import { madeOnce } from './made-once.ts'

export interface ProbeFiles {
  readonly probe: string
  readonly agent: string
  readonly rhs: string
}

/** By the entry of the resource monitors, once in a process. */
const made = new Map<string, Promise<string>>()

/**
 * @param rhs entry of the resource monitors; a test may have one with a module of its own
 * @returns the paths of the files in `folder`
 */
export async function bundleProbe(folder: string, rhs = 'probe/entry-rhs.ts'): Promise<ProbeFiles> {
  const all = made.get(rhs) ?? madeOnce(`probe-with-${rhs}.json`, () => make(rhs))
  made.set(rhs, all)
  mkdirSync(folder, { recursive: true })
  for (const [name, text] of Object.entries(JSON.parse(await all) as Record<string, string>))
    writeFileSync(`${folder}/${name}`, text)
  const files = {
    probe: `${folder}/holdfast-probe.js`,
    agent: `${folder}/holdfast-agent.js`,
    rhs: `${folder}/holdfast-rhs.js`,
  }
  chmodSync(files.probe, 0o755)
  // Else Node.js compiles each of them as CommonJS first, to find out that they are none.
  writeFileSync(`${folder}/package.json`, '{ "type": "module" }\n')
  return files
}

/** @returns JSON: the text of each file by its name */
async function make(rhs: string): Promise<string> {
  const result = await build({
    entryPoints: {
      'holdfast-probe': 'probe/main.ts',
      'holdfast-agent': 'probe/entry-agent.ts',
      'holdfast-rhs': rhs,
    },
    absWorkingDir: new URL('..', import.meta.url).pathname,
    // Named by it, and nothing is written there.
    outdir: 'dist',
    write: false,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    // ws asks for its optional native helpers by require.
    banner: {
      js: "import { createRequire as holdfastRequire } from 'node:module'; const require = holdfastRequire(import.meta.url);",
    },
    // The D-Bus library reads XML for introspection alone, which nothing here asks for: it is never loaded.
    external: ['bufferutil', 'utf-8-validate', 'xml2js'],
    minifyWhitespace: true,
    logLevel: 'silent',
  })
  if (result.errors.length > 0) throw new Error(result.errors[0]?.text ?? 'esbuild failed')
  return JSON.stringify(
    Object.fromEntries(result.outputFiles.map(({ path, text }) => [basename(path), text])),
  )
}
