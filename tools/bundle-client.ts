/** `@holdfast/client` as it is packed: one file of JavaScript without dependencies, and its types. */
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'
import { renderClientTypes } from './client-types.ts'

const ROOT = new URL('..', import.meta.url).pathname

/** @returns the folder that `npm pack` takes */
export async function bundleClient(folder = `${ROOT}dist/client`): Promise<string> {
  mkdirSync(folder, { recursive: true })
  await build({
    entryPoints: ['client/index.ts'],
    absWorkingDir: ROOT,
    outfile: `${folder}/index.js`,
    bundle: true,
    platform: 'neutral',
    mainFields: ['module', 'main'],
    format: 'esm',
    target: 'es2022',
    minifyWhitespace: true,
    minifySyntax: true,
    logLevel: 'silent',
  })
  writeFileSync(`${folder}/index.d.ts`, renderClientTypes())
  for (const name of ['package.json', 'README.md'])
    copyFileSync(`${ROOT}client/${name}`, `${folder}/${name}`)
  copyFileSync(`${ROOT}LICENSE`, `${folder}/LICENSE`)
  return folder
}
