import type { Session } from '../session.ts'
import { clean } from '../text.ts'

export interface ControlOptions {
  readonly input?: Readonly<Record<string, unknown>>
}

/** `resource control NAME CODE`: what its module answers, as it is. */
export async function control(
  session: Session,
  { input = {} }: ControlOptions,
  resource: string,
  code: string,
): Promise<undefined> {
  const body = { code, input: input as Record<string, never> }
  const done = await session.inCluster('controlResource', { params: { resource }, body })
  session.out.answer(done, () => {
    const said = done.answer === null ? 'done' : JSON.stringify(done.answer, null, 2)
    return `${resource}, ${code} on ${done.node}: ${said.split('\n').map(clean).join('\n')}`
  })
}
