/**
 * Scenarios: text in, transcript out. A file has blocks of directives, `----`, and what happened:
 *
 *     # D3: silence is not "down".
 *     silence n1
 *     advance 15s
 *     ----
 *         6s  node n1: session lost (silent, last answer 6000 ms ago)
 *
 * `REWRITE=1` writes what happens into the file: read the diff.
 */
import { run } from './directives.ts'
import { World } from './world.ts'

const RULE = '----'

/** The text of the file as it should be: every block with what really happens. */
export function replayed(text: string): string {
  const world = new World()
  const out: string[] = []
  for (const block of text.trimEnd().split(/\n{2,}/)) {
    const directives: string[] = []
    for (const line of block.split('\n')) {
      if (line === RULE) break
      directives.push(line)
    }
    const said = happened(world, directives)
    out.push([...directives, ...(said === null ? [] : [RULE, ...said])].join('\n'))
  }
  world.replay()
  return `${out.join('\n\n')}\n`
}

/** Null for a block of comments only, and for one that says `quiet`: what it does is known. */
function happened(world: World, directives: readonly string[]): string[] | null {
  const lines = directives.filter((line) => line.trim() !== '' && !line.startsWith('#'))
  if (lines.length === 0) return null
  world.lines = []
  for (const line of lines) if (line !== 'quiet') run(world, line)
  return lines.includes('quiet') ? null : world.lines
}
