/** An error in four parts: what, why, what to do, and where to read about it. */
import { cliPage } from '../schema/api/docs.ts'
import { docsOf as docsFor, type Failure, failureText } from '../schema/api/failure.ts'
import { type Look, paint } from './text.ts'

export { type Failure, failureOf } from '../schema/api/failure.ts'

/** A wrong command line and Ctrl-C are the command's own: its page tells about both. */
export const docsOf = (failure: Failure): string => docsFor(failure, cliPage)

export const renderFailure = (failure: Failure, look: Look): string =>
  failureText(failure, cliPage, paint(look).red)
