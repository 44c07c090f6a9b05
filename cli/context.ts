/** Which control plane, with which key, and which cluster: from flags, environment or a file. */
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import * as z from 'zod'
import { HoldfastError } from '../schema/errors.ts'
import type { Environment } from './surroundings.ts'

export interface Context {
  readonly url: string
  readonly key: string | undefined
  readonly cluster: string | undefined
  /** Where the address is from, for error messages. */
  readonly source: string
}

export interface ContextFlags {
  readonly url?: string | undefined
  readonly key?: string | undefined
  readonly cluster?: string | undefined
}

const contextFile = z.object({
  url: z.url(),
  key: z.string().optional(),
  cluster: z.string().optional(),
})

/**
 * The key of one control plane never goes to another: a file's key is used only with the file's address, wherever
 * that was said.
 *
 * @throws {HoldfastError} no address anywhere, or a file that cannot be read
 */
export function findContext(flags: ContextFlags, env: Environment, cwd: string): Context {
  const url = flags.url ?? env['HOLDFAST_URL']
  const key = flags.key ?? env['HOLDFAST_API_KEY']
  const cluster = flags.cluster ?? env['HOLDFAST_CLUSTER']
  const paths = findFiles(env, cwd)
  if (url) {
    const source = flags.url ? '--url' : 'HOLDFAST_URL'
    const whole = { url: checkUrl(url), cluster, source }
    return { ...whole, key: key ?? keyFor(url, paths) }
  }
  const [path] = paths
  if (path === undefined) throw noContext(cwd)
  const file = readContextFile(path)
  return {
    url: file.url,
    key: key ?? file.key,
    cluster: cluster ?? file.cluster,
    source: path,
  }
}

/** The nearest first. */
function findFiles(env: Environment, cwd: string): string[] {
  const paths: string[] = []
  for (let folder = cwd; ; folder = dirname(folder)) {
    paths.push(join(folder, '.holdfast', 'cli.json'))
    if (dirname(folder) === folder) break
  }
  const config = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config')
  return [...paths, join(config, 'holdfast', 'config.json')].filter((path) => existsSync(path))
}

function readContextFile(path: string): z.infer<typeof contextFile> {
  try {
    return contextFile.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch (cause) {
    throw new HoldfastError(
      {
        code: 'BAD_REQUEST',
        message: `the settings in ${path} cannot be used`,
        why: cause instanceof z.ZodError ? z.prettifyError(cause) : String(cause),
        remedy: 'It holds {"url": …, "key": …, "cluster": …}. Mend or remove it.',
      },
      { cause },
    )
  }
}

/** A file that cannot be used is no obstacle to who names an address: it is as if it were not there. */
function keyFor(url: string, paths: readonly string[]): string | undefined {
  for (const path of paths)
    try {
      const file = readContextFile(path)
      if (new URL(file.url).href === new URL(url).href) return file.key
    } catch {
      // Said to who needs it.
    }
  return undefined
}

function checkUrl(text: string): string {
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) return text
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: `"${text}" is not the address of a control plane`,
    why: 'An address begins with http:// or https://.',
    remedy: 'For example: --url http://127.0.0.1:8787',
  })
}

const noContext = (cwd: string) =>
  new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'which control plane? No address is known',
    why: `No --url, no HOLDFAST_URL, no .holdfast/cli.json in ${cwd} or above, no settings file.`,
    remedy:
      'In a clone: npm start, and run the command there. Else: --url and --key, or HOLDFAST_URL and HOLDFAST_API_KEY.',
  })
