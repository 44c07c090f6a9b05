import * as z from 'zod'
import { configDocument } from '../schema/api/config.ts'

/** The JSON Schema of a cluster's configuration, for editors: docs/config.schema.json. */
export function configSchema(): string {
  const schema = z.toJSONSchema(configDocument, { io: 'input', unrepresentable: 'any' })
  return `${JSON.stringify({ title: 'Holdfast cluster configuration', ...schema }, null, 2)}\n`
}
