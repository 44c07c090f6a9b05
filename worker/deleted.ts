/** What an object says that has no cluster any more, in the one way that is left: see refusalOf in problem.ts. */
export const DELETED = 'the cluster was deleted'
