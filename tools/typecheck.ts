/** `npm run typecheck`: every folder with the types of where it runs. */
import { printChecks, typecheck } from './checks.ts'

process.exitCode = printChecks(await typecheck()) > 0 ? 1 : 0
