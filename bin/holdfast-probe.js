#!/usr/bin/env node
/**
 * From a clone: bundles the probe when it has not been, or when its sources are newer, then becomes
 * it as far as Node.js can. A service manager runs the bundle itself.
 */
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'

const root = new URL('..', import.meta.url).pathname
const own = `${root}node_modules/.bin/node`
const node = existsSync(own) ? own : process.execPath
const bundle = `${root}dist/holdfast-probe.js`

if (!existsSync(bundle) || newest() > statSync(bundle).mtimeMs)
  spawnSync(node, [`${root}tools/build.ts`], { stdio: ['ignore', 'ignore', 'inherit'] })

const probe = spawn(node, ['--max-semi-space-size=1', bundle, ...process.argv.slice(2)], {
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => probe.kill(signal))
probe.on('exit', (code, signal) => process.exit(signal ? 1 : (code ?? 1)))

/** When a source was changed last. A package that was installed has none. */
function newest() {
  return Math.max(
    0,
    ...['probe', 'schema'].flatMap((folder) =>
      existsSync(root + folder)
        ? readdirSync(root + folder, { recursive: true })
            .filter((path) => path.endsWith('.ts'))
            .map((path) => statSync(`${root}${folder}/${path}`).mtimeMs)
        : [],
    ),
  )
}
