/** What is checked without running the product: types, style, unused code, and who imports whom. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

export interface Check {
  readonly name: string
  readonly passed: boolean
  /** What the tool said; empty when there is nothing to say. */
  readonly output: string
}

/** With the types of where each runs. What runs on Node.js is one: most of the time goes into what they share. */
const PROJECTS = {
  schema: 'schema',
  worker: 'worker',
  'worker/core': 'worker/core',
  extensions: 'extensions',
  'probe/core': 'probe/core',
  'on Node.js': 'tsconfig.node.json',
}

/** Top-level folders with sources. */
const FOLDERS =
  'bench bin cli client console demo extensions probe schema sim test tools worker'.split(' ')

export async function typecheck(): Promise<Check[]> {
  return Promise.all(
    Object.entries(PROJECTS).map(([name, path]) => check(`types ${name}`, 'tsc', ['-p', path])),
  )
}

export async function lint(): Promise<Check[]> {
  return Promise.all([
    check('biome', 'biome', ['check', '--error-on-warnings', '--max-diagnostics=30']),
    check('knip', 'knip', ['--no-config-hints']),
    layers(),
  ])
}

interface Cruise {
  readonly modules: readonly unknown[]
  readonly summary: {
    readonly violations: readonly { from: string; to: string; rule: { name: string } }[]
  }
}

/** The arrows between folders. Seeing no module at all would pass as well, so it is a failure. */
export async function layers(root = ROOT): Promise<Check> {
  const present = FOLDERS.filter((folder) => existsSync(join(root, folder)))
  const config = join(ROOT, '.dependency-cruiser.cjs')
  const run = await runTool('depcruise', ['--config', config, '-T', 'json', ...present], root)
  const text = run.stdout.slice(run.stdout.indexOf('{'))
  if (!text.startsWith('{'))
    return { name: 'layers', passed: false, output: run.stdout + run.stderr }
  const cruise = JSON.parse(text) as Cruise
  const violations = cruise.summary.violations.map((v) => `${v.rule.name}: ${v.from} → ${v.to}`)
  if (cruise.modules.length === 0) violations.push('no module was seen: the parser does not work')
  return { name: 'layers', passed: violations.length === 0, output: violations.join('\n') }
}

async function check(name: string, tool: string, args: readonly string[]): Promise<Check> {
  const run = await runTool(tool, args, ROOT)
  return { name, passed: run.code === 0, output: (run.stdout + run.stderr).trim() }
}

interface Run {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

function runTool(tool: string, args: readonly string[], cwd: string): Promise<Run> {
  const bin = join(ROOT, 'node_modules', '.bin')
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}:${dirname(process.execPath)}` }
  return new Promise((done) => {
    execFile(
      join(bin, tool),
      [...args],
      { cwd, env, maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        done({ code, stdout, stderr: code && !stdout && !stderr ? String(error) : stderr })
      },
    )
  })
}

/** One line a check, and what the failed ones said. Returns how many failed. */
export function printChecks(checks: readonly Check[]): number {
  for (const one of checks) {
    process.stdout.write(`${one.passed ? 'ok  ' : 'FAIL'}  ${one.name}\n`)
    if (!one.passed) process.stdout.write(`${one.output}\n`)
  }
  return checks.filter((one) => !one.passed).length
}
