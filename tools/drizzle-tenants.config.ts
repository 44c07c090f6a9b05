import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'sqlite',
  schema: ['./schema/tables/tenants.ts', './schema/tables/accounts.ts'],
  out: './worker/d1-migrations',
})
