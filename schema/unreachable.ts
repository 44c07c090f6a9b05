/** Ends a switch over a union: a new case is a compile error, a foreign value a loud one. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
