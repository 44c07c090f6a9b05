#!/usr/bin/env node
/**
 * The `holdfast` command. It runs the bundle that `npm run build` made, or else, when a source is
 * newer, the TypeScript itself, which Node.js 24 takes as it is; on an older Node.js it starts itself
 * again on the one that the project's packages bring along.
 */
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { enableCompileCache } from 'node:module'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const own = `${root}node_modules/.bin/node`
const bundle = `${root}dist/cli/holdfast.js`

if (process.features.typescript) {
  // Beside the code, which whoever runs it trusts already; where that cannot be written, without one.
  if (!process.env.NODE_COMPILE_CACHE) enableCompileCache(`${root}dist/cli/compiled`)
  await import(isFresh() ? bundle : '../cli/main.ts')
} else if (existsSync(own)) runAgain()
else {
  process.stderr.write(
    `error: holdfast needs Node.js 24, this is ${process.version}\n  try: npm ci\n`,
  )
  process.exitCode = 1
}

/** A package that was installed has no sources that could be newer. */
function isFresh() {
  const builtMs = statSync(bundle, { throwIfNoEntry: false })?.mtimeMs
  if (builtMs === undefined) return false
  return ['package-lock.json', ...sources('cli'), ...sources('schema')].every(
    (path) => (statSync(root + path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < builtMs,
  )
}

function sources(folder) {
  if (!existsSync(root + folder)) return []
  return readdirSync(root + folder, { recursive: true })
    .filter((path) => path.endsWith('.ts'))
    .map((path) => `${folder}/${path}`)
}

function runAgain() {
  const child = spawn(own, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  // The terminal signals both processes; only the child decides what a signal means.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    process.stderr.write(`error: ${own} could not be run: ${error.message}\n`)
    process.exitCode = 1
  })
  child.on('exit', (code) => {
    process.exitCode = code ?? 1
  })
}
