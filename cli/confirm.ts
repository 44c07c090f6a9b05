import { createInterface } from 'node:readline/promises'
import { Option } from 'commander'
import { HoldfastError } from '../schema/errors.ts'
import type { Session } from './session.ts'
import { isInteractive } from './surroundings.ts'

export interface YesOption {
  yes?: true
}

export const yesOption = (): Option => new Option('-y, --yes', 'does it without asking')

/**
 * Asks before what cannot be undone. Without a terminal nobody could answer: then it takes `--yes`.
 *
 * @throws {HoldfastError} not confirmed; nothing was done
 */
export async function confirm(session: Session, what: string, { yes }: YesOption): Promise<void> {
  if (yes || session.dryRun) return
  const { surroundings } = session
  if (!isInteractive(surroundings) || session.out.json)
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `this would ${what}, and nobody can be asked`,
      why: session.out.json
        ? 'With --json no question is asked, and --yes was not given. Nothing was done.'
        : 'There is no terminal, and --yes was not given. Nothing was done.',
      remedy: 'Add --yes if that is what you want.',
    })
  const line = createInterface({ input: surroundings.stdin, output: surroundings.stderr })
  const answer = await line
    .question(`This will ${what}. Go on? [y/N] `, { signal: session.signal })
    .finally(() => line.close())
  if (/^y(es)?$/i.test(answer.trim())) return
  throw new HoldfastError({
    code: 'BAD_REQUEST',
    message: 'not confirmed',
    why: 'The answer was not "y". Nothing was done.',
    remedy: 'Run it again, and answer y, or add --yes.',
  })
}
