/** The control plane as one file of JavaScript, as Cloudflare and Miniflare take it. */
import { build } from 'esbuild'

/** @returns the text of the module whose default export is the Worker */
export async function bundleWorker(): Promise<string> {
  const result = await build({
    entryPoints: ['worker/index.ts'],
    absWorkingDir: new URL('..', import.meta.url).pathname,
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    loader: { '.sql': 'text' },
    external: ['cloudflare:*', 'node:*'],
    conditions: ['workerd', 'worker', 'browser'],
    logLevel: 'silent',
  })
  const [file] = result.outputFiles
  if (!file) throw new Error('esbuild made no file')
  return file.text
}
