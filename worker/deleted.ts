/** An object that has no cluster any more says so, instead of failing at its first table. */

/** In the one way that is left: see refusalOf in problem.ts. */
export const DELETED = 'the cluster was deleted'

type Method = (this: object, ...all: never[]) => unknown

/** Of these methods, which take a cluster for granted. */
export function onlyWhileThere(
  prototype: object,
  names: readonly string[],
  isVacant: (self: object) => boolean,
): void {
  const methods = prototype as Record<string, Method>
  for (const name of names) {
    const method = methods[name] as Method
    methods[name] = function (...all) {
      if (isVacant(this)) throw new Error(DELETED)
      return method.apply(this, all)
    }
  }
}

/** What a Worker may call of an object. */
export const NEEDS_CLUSTER = [
  ...['begin', 'refused', 'keep', 'cancelOperation', 'testFence', 'targetOf', 'control'],
  ...['webhooks', 'listDeliveries', 'replayWebhook', 'survivability', 'exportConfig'],
  ...['planConfig', 'applyConfig', 'takePlace', 'tellUsage', 'read', 'wait'],
] as const
