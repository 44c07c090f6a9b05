/** Where an error is explained: the `type` of a problem, and the last line of one in the CLI. */
export const errorPage = (code: string): string => `https://holdfast.dev/errors/${code}`

/** Where the commands are described: docs/cli.md. */
export const cliPage = 'https://holdfast.dev/cli'

/** Where the commands of a host are described: docs/probe.md. */
export const probePage = 'https://holdfast.dev/probe'
