/** The settings file of a user: where `holdfast login` leaves what it got. */
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Environment } from './surroundings.ts'

export interface Settings {
  readonly url: string
  /** A session or an API key. */
  readonly key?: string | undefined
  readonly cluster?: string | undefined
}

export const settingsPath = (env: Environment): string =>
  join(env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config'), 'holdfast/config.json')

/** What was there of the same control plane stays, but for the key. */
export function writeSettings(env: Environment, { url, key }: Settings): string {
  const path = settingsPath(env)
  const before = readSettings(path)
  const cluster = before?.url === url ? before.cluster : undefined
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  // Beside it and then in its place: never half of it, and readable by nobody else at any time.
  const next = `${path}.${process.pid}`
  writeFileSync(next, `${JSON.stringify({ url, key, cluster }, null, 2)}\n`, { mode: 0o600 })
  chmodSync(next, 0o600)
  renameSync(next, path)
  return path
}

/** @returns whether the key was in the file */
export function forgetKey(env: Environment, key: string): boolean {
  const path = settingsPath(env)
  const settings = readSettings(path)
  if (settings?.key !== key) return false
  if (settings.cluster === undefined) rmSync(path)
  else writeSettings(env, { url: settings.url })
  return true
}

function readSettings(path: string): Settings | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Settings
  } catch {
    return null
  }
}
