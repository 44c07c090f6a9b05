#!/usr/bin/env node
/**
 * The `holdfast` command. Its sources are TypeScript, which Node.js 24 runs as they are; on an
 * older one it starts itself again on the Node.js that the project's packages bring along.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const own = fileURLToPath(new URL('../node_modules/.bin/node', import.meta.url))

if (process.features.typescript) await import('../cli/main.ts')
else if (existsSync(own)) runAgain()
else {
  process.stderr.write(
    `error: holdfast needs Node.js 24, this is ${process.version}\n  try: npm ci\n`,
  )
  process.exitCode = 1
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
