/** `npm run docs`: what is made, not written: docs/cli.md and docs/errors/. Tests say when it is stale. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ROOT } from './checks.ts'
import { renderCliDocs } from './cli-docs.ts'
import { writeErrorPages } from './docs-errors.ts'

writeFileSync(join(ROOT, 'docs/cli.md'), renderCliDocs())
writeErrorPages()
