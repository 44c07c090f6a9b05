/** `npm run lint`: style, unused code, and who imports whom. */
import { lint, printChecks } from './checks.ts'

process.exitCode = printChecks(await lint()) > 0 ? 1 : 0
