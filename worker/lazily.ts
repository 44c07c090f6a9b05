/**
 * Values that are made when they are first asked for, each once: an object that wakes for one event needs
 * few of its statements, and to make all of them takes longer than most events.
 */
export function lazily<M extends Record<string, () => unknown>>(
  makers: M,
): { readonly [K in keyof M]: ReturnType<M[K]> } {
  const made = {}
  for (const [name, make] of Object.entries(makers))
    Object.defineProperty(made, name, {
      configurable: true,
      enumerable: true,
      get: () => {
        const value = make()
        Object.defineProperty(made, name, { value, enumerable: true })
        return value
      },
    })
  return made as { readonly [K in keyof M]: ReturnType<M[K]> }
}
