/**
 * The registry: which resource types have a management extension. What is not in this list is left out
 * of the build, and the settings of its type cannot be read or changed by name; nothing else misses it.
 * `npm run build -- --without-extensions` takes `none.ts` in its place.
 */
import type { ManagementExtension } from './extension.ts'
import { virtualMachine } from './virtual-machine/index.ts'

export const MANAGEMENT_EXTENSIONS: readonly ManagementExtension[] = [virtualMachine]
