/** The control plane as one file of JavaScript, as Cloudflare and Miniflare take it. */
import { build, type Plugin } from 'esbuild'
import { madeOnce } from './made-once.ts'

export interface WorkerParts {
  /** Management extensions of resource types. Default: those in the registry. */
  readonly extensions?: boolean
}

const made = new Map<boolean, Promise<string>>()

/** Once in a process. @returns the text of the module whose default export is the Worker */
export function bundleWorker({ extensions = true }: WorkerParts = {}): Promise<string> {
  const name = extensions ? 'worker.js' : 'worker-without-extensions.js'
  const text = made.get(extensions) ?? madeOnce(name, () => makeWorker(extensions))
  made.set(extensions, text)
  return text
}

async function makeWorker(extensions: boolean): Promise<string> {
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
    plugins: extensions ? [] : [withoutExtensions],
    logLevel: 'silent',
  })
  const [file] = result.outputFiles
  if (!file) throw new Error('esbuild made no file')
  return file.text
}

/** Another registry in the place of the one there is: what only that one names is left out. */
const withoutExtensions: Plugin = {
  name: 'without-extensions',
  setup(build) {
    const path = new URL('../extensions/none.ts', import.meta.url).pathname
    build.onResolve({ filter: /\/extensions\/index\.ts$/ }, () => ({ path }))
  },
}
