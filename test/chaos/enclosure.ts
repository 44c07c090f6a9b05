/**
 * Everything runs in namespaces of processes, networks and mounts that were made for it: whatever
 * way it ends, the kernel takes all of it away. What lies on disk goes here.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cgroupMount, ownCgroup, removeTree } from '../../probe/os/cgroup-tree.ts'
import { cannotPlay } from '../e2e/machines.ts'

const OWN = ['--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc']

/** Why there can be no chaos on this machine, or null. */
export const cannotRun = () => cannotPlay(['nft', 'tini', 'setpriv', 'flock'])

/** @returns the exit code of what ran inside */
export async function enclose(words: readonly string[], keep: boolean): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'hfc-'))
  // Short: unix sockets lie below it.
  const temporary = join(folder, 't')
  mkdirSync(temporary)
  const command = [process.execPath, process.argv[1] as string, ...words, '--inside', folder]
  const child = spawn(
    'setpriv',
    ['--pdeathsig', 'KILL', 'unshare', ...OWN, 'tini', '--', ...command],
    // Of its own process group: a Ctrl-C is for us, who end it.
    { stdio: 'inherit', detached: true, env: { ...process.env, TMPDIR: temporary } },
  )
  let ended: NodeJS.Signals | null = null
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
    process.on(name, () => {
      ended = name
      child.kill('SIGKILL')
    })
  const code = await new Promise<number>((resolve) => child.once('exit', (c) => resolve(c ?? 1)))
  await removeGroups(join(folder, 'nodes'))
  if (keep) process.stderr.write(`kept: ${folder}\n`)
  else rmSync(folder, { recursive: true, force: true })
  return ended === null ? code : 130
}

/** Empty cgroups outlive their namespace; processes that were killed take a moment to be gone. */
async function removeGroups(list: string): Promise<void> {
  const mount = cgroupMount()
  if (mount === null || !existsSync(list)) return
  for (const node of readFileSync(list, 'utf8').split('\n').filter(Boolean)) {
    const path = join(mount, ownCgroup() ?? '', `holdfast-${node}`)
    for (let tries = 0; existsSync(path) && tries < 40; tries += 1) {
      removeTree(path)
      if (existsSync(path)) await sleep(50)
    }
  }
}
