#!/usr/bin/env node
// From a clone: bundles the probe when it has not been, then runs it.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'

const root = new URL('..', import.meta.url).pathname
const node = existsSync(`${root}node_modules/.bin/node`) ? `${root}node_modules/.bin/node` : 'node'
if (!existsSync(`${root}dist/holdfast-probe.js`))
  spawnSync(node, [`${root}tools/build.ts`], { stdio: ['ignore', 'ignore', 'inherit'] })
const run = spawnSync(node, [`${root}dist/holdfast-probe.js`, ...process.argv.slice(2)], {
  stdio: 'inherit',
})
process.exit(run.status ?? 1)
