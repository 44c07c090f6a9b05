/** `npm run docs`: what is made, not written: docs/cli.md, docs/probe.md, docs/api-routes.md, docs/webhook-events.md, docs/errors/, docs/resource-types/ and docs/config.schema.json. Tests say when it is stale. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { renderApiDocs } from './api-docs.ts'
import { ROOT } from './checks.ts'
import { renderCliDocs } from './cli-docs.ts'
import { configSchema } from './config-schema.ts'
import { writeErrorPages } from './docs-errors.ts'
import { writeTypePages } from './docs-types.ts'
import { renderProbeDocs } from './probe-docs.ts'
import { renderWebhookDocs } from './webhook-docs.ts'

writeFileSync(join(ROOT, 'docs/cli.md'), renderCliDocs())
writeFileSync(join(ROOT, 'docs/probe.md'), renderProbeDocs())
writeFileSync(join(ROOT, 'docs/api-routes.md'), renderApiDocs())
writeFileSync(join(ROOT, 'docs/webhook-events.md'), renderWebhookDocs())
writeErrorPages()
writeTypePages()
writeFileSync(join(ROOT, 'docs/config.schema.json'), configSchema())
