/**
 * Runs before the other npm scripts: installs the packages of package-lock.json when they are not
 * there, or are not the ones it names. Plain JavaScript and Node.js 20, since nothing is installed
 * yet when it is needed. Runs at the same time in one folder wait for each other.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const POLL_MS = 200
const STALE_LOCK_MS = 15 * 60_000

/**
 * Why the packages in `root` have to be installed, or null when they need not be. What matters is
 * which versions are there, not when files were written: a checkout changes times and nothing else.
 */
export function whyInstall(root) {
  const installedPath = join(root, 'node_modules', '.package-lock.json')
  if (!existsSync(installedPath)) return 'node_modules is missing'
  const wanted = readPackages(join(root, 'package-lock.json'))
  const installed = readPackages(installedPath)
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '' || entry.link) continue
    const there = installed[path]
    if (!there && !entry.optional) return `${path} is missing`
    if (there && there.version !== entry.version)
      return `${path} is ${there.version}, package-lock.json has ${entry.version}`
  }
  return null
}

function readPackages(path) {
  return JSON.parse(readFileSync(path, 'utf8')).packages ?? {}
}

/** Installs if need be; returns the exit code. `install` is replaced by the tests. */
export function ensureInstall(root, install = npmCi) {
  const reason = whyInstall(root)
  if (reason === null) return 0
  const release = takeLock(root)
  try {
    if (whyInstall(root) === null) return 0
    process.stderr.write(`Installing packages (${reason}): npm ci, about half a minute …\n`)
    return install(root)
  } finally {
    release()
  }
}

/** A folder is the lock: making one either succeeds or fails, for exactly one of many. */
function takeLock(root) {
  const lock = join(root, '.holdfast', 'install.lock')
  mkdirSync(join(root, '.holdfast'), { recursive: true })
  for (;;) {
    try {
      mkdirSync(lock)
      writeFileSync(join(lock, 'pid'), String(process.pid))
      return () => rmSync(lock, { recursive: true, force: true })
    } catch (error) {
      if (error.code !== 'EEXIST') throw error
      if (isStale(lock)) rmSync(lock, { recursive: true, force: true })
      else Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, POLL_MS)
    }
  }
}

function isStale(lock) {
  try {
    const ageMs = Date.now() - statSync(lock).mtimeMs
    if (ageMs > STALE_LOCK_MS) return true
    const pid = existsSync(join(lock, 'pid')) ? Number(readFileSync(join(lock, 'pid'), 'utf8')) : 0
    if (!pid) return ageMs > 5_000
    process.kill(pid, 0)
    return false
  } catch (error) {
    return error.code === 'ESRCH'
  }
}

/** The npm outside of this folder: `npm ci` deletes the Node.js that lies inside of it. */
function npmCi(root) {
  const path = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter)
  const run = spawnSync('npm', ['ci', '--loglevel=error', '--no-progress'], {
    cwd: root,
    env: { ...process.env, PATH: path },
    stdio: ['ignore', 2, 2],
  })
  if (run.error) process.stderr.write(`npm could not be run: ${run.error.message}\n`)
  return run.status ?? 1
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href)
  process.exitCode = ensureInstall(fileURLToPath(new URL('..', import.meta.url)))
