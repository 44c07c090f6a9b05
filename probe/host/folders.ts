/** Whether the folders of a probe can be used, before anything is done with them. */
import { createPrivateKey } from 'node:crypto'
import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  type Stats,
  statSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { HoldfastError } from '../../schema/errors.ts'

/**
 * The folder of identity and replica, and that of this boot: ours, written by nobody else, and the
 * key readable by nobody else. A full disk is no reason to refuse: that mends, and what runs goes on.
 *
 * @throws {HoldfastError} STATE_FOLDER
 */
export function checkFolders(stateFolder: string, runFolder: string): void {
  mine(stateFolder)
  writable(stateFolder)
  key(join(stateFolder, 'identity.key'))
  try {
    mkdirSync(runFolder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw unusable(runFolder, cause)
  }
  mine(runFolder)
  writable(runFolder)
}

/**
 * The same without touching anything: for whoever only looks.
 *
 * @throws {HoldfastError} STATE_FOLDER
 */
export function lookAtFolder(folder: string): void {
  mine(folder)
  try {
    accessSync(folder, constants.W_OK)
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

/**
 * Whether a folder that does not exist yet could be made.
 *
 * @throws {HoldfastError} STATE_FOLDER
 */
export function lookAtPlace(folder: string): void {
  try {
    accessSync(nearest(folder), constants.W_OK)
  } catch (cause) {
    throw unusable(folder, cause)
  }
}

/** The folder itself, or the nearest one above it that there is. */
export function nearest(folder: string): string {
  return existsSync(folder) || dirname(folder) === folder ? folder : nearest(dirname(folder))
}

/** @throws {HoldfastError} STATE_FOLDER: the key of this host is not there, damaged or open to others */
export function lookAtKey(stateFolder: string): void {
  key(join(stateFolder, 'identity.key'))
}

function mine(folder: string): void {
  let stats: Stats
  try {
    stats = statSync(folder)
  } catch (cause) {
    throw unusable(folder, cause)
  }
  const uid = process.getuid?.() ?? 0
  if (!stats.isDirectory()) throw refused(folder, 'it is not a folder')
  if (stats.uid !== uid)
    throw refused(
      folder,
      `it belongs to user ${stats.uid}, and this runs as user ${uid}`,
      `Run as its owner, or hand it over: chown -R ${uid} ${folder}`,
    )
  if ((stats.mode & 0o022) !== 0)
    throw refused(folder, 'others may write to it', `chmod go-w ${folder}`)
}

function writable(folder: string): void {
  const path = join(folder, '.writable')
  try {
    closeSync(openSync(path, 'w', 0o600))
    rmSync(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'ENOSPC' || code === 'EDQUOT' || code === 'EMFILE' || code === 'ENFILE') return
    throw unusable(folder, cause)
  }
}

function key(path: string): void {
  let stats: Stats
  let text: string
  try {
    stats = statSync(path)
    text = readFileSync(path, 'utf8')
  } catch (cause) {
    throw unusable(path, cause)
  }
  if ((stats.mode & 0o077) !== 0)
    throw refused(path, 'others may read the key of this host', `chmod 600 ${path}`)
  try {
    createPrivateKey(text)
  } catch (cause) {
    throw refused(
      path,
      `the key is damaged: ${(cause as Error).message}`,
      'Restore it, or remove the node from the cluster and join this host anew.',
    )
  }
}

function refused(path: string, why: string, remedy?: string): HoldfastError {
  return new HoldfastError({
    code: 'STATE_FOLDER',
    message: `${path} cannot be used`,
    why,
    ...(remedy !== undefined && { remedy }),
  })
}

function unusable(path: string, cause: unknown): HoldfastError {
  const { code, message } = cause as NodeJS.ErrnoException
  const remedy =
    code === 'ENOENT'
      ? 'Join this host first (holdfast-probe join), or name its folder with --state.'
      : code === 'EROFS'
        ? 'The file system is mounted read-only: mount it for writing.'
        : 'Make it a folder that this user may write to.'
  return new HoldfastError(
    { code: 'STATE_FOLDER', message: `${path} cannot be used`, why: message, remedy },
    { cause: cause as Error },
  )
}
