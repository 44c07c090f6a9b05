/** The command as a process of its own. */
import { EXIT } from './exit-codes.ts'
import { run } from './run.ts'
import { ofThisProcess } from './surroundings.ts'

// A reader that has seen enough (`holdfast events | head`) is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0)
  throw error
})

const user = new AbortController()
process.on('SIGINT', () => {
  // Whoever asks twice does not want to wait for anything.
  if (user.signal.aborted) process.exit(EXIT.interrupted)
  user.abort()
})

process.exitCode = await run(process.argv.slice(2), ofThisProcess(user.signal))
