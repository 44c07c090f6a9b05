/** Configuration as code: plan, apply, export. */
import { readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Command } from 'commander'
import * as z from 'zod'
import type { PlanView } from '../../schema/api/config.ts'
import type { Response } from '../../schema/api/routes.ts'
import { HoldfastError } from '../../schema/errors.ts'
import { duration, type Runner } from '../command.ts'
import type { ConfigFile } from '../config-file.ts'
import { confirm, type YesOption, yesOption } from '../confirm.ts'
import { EXIT } from '../exit-codes.ts'
import { changesText, planText } from '../render-plan.ts'
import type { Session } from '../session.ts'
import { fromRoot, type Surroundings } from '../surroundings.ts'

interface PlanOptions {
  readonly file: string
  readonly prune?: true
  readonly out?: string
  readonly detailedExitcode?: true
}
interface ApplyOptions extends YesOption {
  readonly file?: string
  readonly prune?: true
  readonly force?: true
  readonly timeout?: number
}

export function addConfig(program: Command, runner: Runner): void {
  const file = ['-f, --file <file>', 'YAML or JSON; - is standard input'] as const
  const prune = [
    '--prune',
    'deletes groups, resources and rules that the file does not name',
  ] as const
  program
    .command('plan')
    .description('what a configuration would change, and what would start, stop and move')
    .requiredOption(...file)
    .option(...prune)
    .option('--out <plan>', 'writes the plan to a file, to be applied as it is')
    .option('--detailed-exitcode', `${EXIT.changes} when there are changes`)
    .action(runner.action(planFile))
  program
    .command('diff')
    .description('only what a configuration would change')
    .requiredOption(...file)
    .option(...prune)
    .action(runner.action(diffFile))
  program
    .command('apply')
    .description('makes the cluster as the file says, all of it or nothing')
    .argument('[plan]', 'a plan of holdfast plan --out; refused when it is stale')
    .option(...file)
    .option(...prune)
    .option('--force', 'also if something that runs could be nowhere then')
    .addOption(yesOption())
    .addOption(duration('--timeout', 'how long to wait until what is deleted has stopped'))
    .action(runner.action(apply))
  program
    .command('export')
    .description('the configuration of the cluster as YAML; applied again it changes nothing')
    .option('--into <file>', 'brings a file up to date, and leaves its comments')
    .action(runner.action(exportConfig))
}

/** The parser is loaded for those who need it. */
const files = () => import('../config-file.ts')

/** @throws {HoldfastError} refused, with the places in the file */
export async function planned(
  session: Session,
  file: ConfigFile,
  prune: boolean,
): Promise<PlanView> {
  const { placed } = await files()
  const { config, lines } = file
  try {
    return await session.inCluster('planConfig', { body: { config, prune, lines } })
  } catch (error) {
    throw placed(error, file)
  }
}

async function planFile(session: Session, options: PlanOptions): Promise<number> {
  const file = await (await files()).readConfig(session.surroundings, options.file)
  const { prune = false, out } = options
  const plan = await planned(session, file, prune)
  if (out !== undefined) {
    const { config, lines } = file
    const saved = `${JSON.stringify({ plan, config, lines, prune }, null, 2)}\n`
    writeFileSync(fromRoot(session.surroundings, out), saved)
  }
  session.out.answer(plan, () => {
    const next = out ?? `-f ${options.file}${prune ? ' --prune' : ''}`
    return plan.changes.length > 0 ? `${planText(plan)}\n\nholdfast apply ${next}` : planText(plan)
  })
  return options.detailedExitcode && plan.changes.length > 0 ? EXIT.changes : EXIT.done
}

async function diffFile(session: Session, options: PlanOptions): Promise<undefined> {
  const file = await (await files()).readConfig(session.surroundings, options.file)
  const { changes, kept } = await planned(session, file, options.prune ?? false)
  session.out.answer({ changes, kept }, () => changesText(changes))
}

/** What `plan --out` writes. The rest of it is the document, which is read as one. */
const savedPlan = z.object({
  plan: z.object({ base: z.string() }).loose(),
  config: z.json(),
  lines: z.object({ file: z.string(), at: z.record(z.string(), z.int()) }),
  prune: z.boolean(),
})

interface ToApply {
  readonly file: ConfigFile
  readonly prune: boolean
  readonly base: string | null
}

async function toApply(
  around: Surroundings,
  options: ApplyOptions,
  saved: string | undefined,
): Promise<ToApply> {
  const { readConfig, parseConfig } = await files()
  if ((saved === undefined) === (options.file === undefined))
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: saved === undefined ? 'apply what?' : 'a plan and a file: which of them?',
      remedy: 'holdfast apply -f cluster.yaml, or holdfast apply plan.json',
    })
  const { file, prune = false } = options
  if (file !== undefined) return { file: await readConfig(around, file), prune, base: null }
  const { plan, config, lines, prune: pruned } = readPlan(around, saved as string)
  const parsed = parseConfig(JSON.stringify(config, null, 2), lines.file)
  return { file: { ...parsed, lines }, prune: pruned, base: plan.base }
}

function readPlan(around: Surroundings, path: string): z.infer<typeof savedPlan> {
  try {
    return savedPlan.parse(JSON.parse(readFileSync(fromRoot(around, path), 'utf8')))
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message
    throw new HoldfastError({
      code: 'BAD_REQUEST',
      message: `${path} is no plan`,
      why,
      remedy: `Make one: holdfast plan -f cluster.yaml --out ${path}`,
    })
  }
}

const STOP_MS = 10 * 60_000
const POLL_MS = 500

async function apply(session: Session, options: ApplyOptions, saved?: string): Promise<number> {
  const { file, prune, base } = await toApply(session.surroundings, options, saved)
  const { placed } = await files()
  const force = options.force ?? false
  const plan = await planned(session, file, prune)
  if (plan.changes.length === 0) {
    session.out.answer({ seq: plan.seq, changes: [], later: [] }, () => changesText([]))
    return EXIT.done
  }
  if (!session.out.json) session.out.note(planText(plan))
  if (options.yes !== true) await confirm(session, 'make these changes', options)
  const { config, lines } = file
  const body = { config, prune, lines, force, base: base ?? plan.base }
  let done: Response<'applyConfig'>
  try {
    done = await session.inCluster('applyConfig', { body })
  } catch (error) {
    throw placed(error, file)
  }
  const left = await deleted(session, done.later, options.timeout ?? STOP_MS)
  session.out.answer({ ...done, later: left }, () =>
    left.length === 0
      ? `applied (seq ${done.seq})`
      : `applied (seq ${done.seq}), but ${namesOf(left)} has not stopped yet, so it is not deleted: apply once more then`,
  )
  return left.length === 0 ? EXIT.done : EXIT.timeout
}

type Later = Response<'applyConfig'>['later']

const namesOf = (later: Later) => later.map(({ name }) => name).join(', ')

/**
 * Each of them as soon as it has stopped. Only these: whatever else somebody has changed by then stays.
 *
 * @returns what has not stopped in time
 */
async function deleted(session: Session, later: Later, timeoutMs: number): Promise<Later> {
  const end = performance.now() + timeoutMs
  const left = [...later]
  for (let first = left[0]; first; first = left[0]) {
    const why = await whyNotDeleted(session, first)
    if (why === null) left.shift()
    else if (performance.now() > end) return left
    else await sleep(POLL_MS, undefined, { signal: session.signal })
  }
  return left
}

async function whyNotDeleted(session: Session, one: Later[number]): Promise<string | null> {
  try {
    if (one.kind === 'group')
      await session.inCluster('deleteGroup', { params: { group: one.name } })
    else await session.inCluster('deleteResource', { params: { resource: one.name } })
    return null
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error
    const { code, message } = error.refusal
    if (code === 'NOT_FOUND') return null
    if (code !== 'GROUP_BUSY' && code !== 'GROUP_IN_USE') throw error
    return message
  }
}

async function exportConfig(session: Session, { into }: { into?: string }): Promise<undefined> {
  const answer = await session.inCluster('getConfig')
  const { seq, config } = answer
  const { configText, mergedText, readConfig } = await files()
  if (into !== undefined) {
    const before = await readConfig(session.surroundings, into)
    writeFileSync(fromRoot(session.surroundings, into), mergedText(before, config))
  }
  session.out.answer(answer, () =>
    into === undefined ? configText(config).trimEnd() : `${into} is as the cluster is (seq ${seq})`,
  )
}
