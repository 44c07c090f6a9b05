import { defineConfig } from 'drizzle-kit'

export default defineConfig({
  dialect: 'sqlite',
  schema: './schema/tables/tenants.ts',
  out: './worker/d1-migrations',
})
