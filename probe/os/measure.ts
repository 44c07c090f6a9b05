import { availableParallelism, totalmem } from 'node:os'
import type { Measured } from '../../schema/placement.ts'

const GIB = 1024 ** 3

/** What this host has, as its kernel tells: all of it, whoever uses it now. */
export function measure(): Measured {
  return { cpu: availableParallelism(), mem: Math.floor((totalmem() / GIB) * 10) / 10 }
}
