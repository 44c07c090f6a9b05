/** What `@holdfast/client` has: made of the client that the command `holdfast` uses. */
export { createClient, dryRunOf } from '../schema/api/client.ts'
export { HoldfastError } from '../schema/errors.ts'
