/** What an error and all that caused it say, in one text: the driver hides the database's own words. */
export const textOf = (error: unknown): string =>
  error instanceof Error ? `${error.message} ${textOf(error.cause)}` : ''
