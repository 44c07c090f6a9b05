#!/usr/bin/env node
// From a clone: bundles the probe when it has not been, then becomes it as far as Node.js can.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const root = new URL('..', import.meta.url).pathname
const own = `${root}node_modules/.bin/node`
const node = existsSync(own) ? own : process.execPath
if (!existsSync(`${root}dist/holdfast-probe.js`))
  spawnSync(node, [`${root}tools/build.ts`], { stdio: ['ignore', 'ignore', 'inherit'] })

const probe = spawn(node, [`${root}dist/holdfast-probe.js`, ...process.argv.slice(2)], {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => probe.kill(signal))
probe.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))
