/** The registry of a build without management extensions. */
import type { ManagementExtension } from './extension.ts'

export const MANAGEMENT_EXTENSIONS: readonly ManagementExtension[] = []
