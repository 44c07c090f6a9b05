/**
 * `npm run build`: what is deployed, in dist/. From a clone everything runs without it.
 * `-- --without-extensions` leaves the management extensions of resource types out.
 */
import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import { bundleWorker } from './bundle.ts'
import { bundleCli } from './bundle-cli.ts'
import { bundleClient } from './bundle-client.ts'
import { bundleProbe } from './bundle-probe.ts'

const extensions = !process.argv.includes('--without-extensions')
const dist = new URL('../dist/', import.meta.url).pathname
mkdirSync(dist, { recursive: true })
writeFileSync(`${dist}worker.js`, await bundleWorker({ extensions }))
const probe = await bundleProbe(dist.replace(/\/$/, ''))
const cli = await bundleCli()
const client = `${await bundleClient()}/index.js`
for (const file of [`${dist}worker.js`, cli, client, probe.probe, probe.agent, probe.rhs])
  process.stdout.write(
    `${file.slice(dist.length - 5)}  ${Math.round(statSync(file).size / 1024)} KB\n`,
  )
