import type { NodeFrame } from '../../schema/session.ts'

type Numbered = Extract<NodeFrame, { n: number }>
type Unnumbered<T> = T extends Numbered
  ? T extends { t: 'confirm' }
    ? never
    : Omit<T, 'n'>
  : never
export type Report = Unnumbered<Numbered>

/**
 * Reports of this run: numbered, kept until the control plane has made them durable, sent again in
 * order on the next session (S-16).
 */
export class Reports {
  #next = 1
  #unacked: Numbered[] = []

  add(report: Report): Numbered {
    const frame = { ...report, n: this.#next } as Numbered
    this.#next += 1
    this.#unacked.push(frame)
    return frame
  }

  /** @returns those that are durable from now on */
  acked(n: number): readonly Numbered[] {
    const acked = this.#unacked.filter((r) => r.n <= n)
    this.#unacked = this.#unacked.filter((r) => r.n > n)
    return acked
  }

  /**
   * What has to be said again on a new session. Statuses are left out: the comparison after the
   * welcome tells them all as they are now; and local changes, which the report has told of.
   */
  pending(): readonly Numbered[] {
    this.#unacked = this.#unacked.filter((r) => r.t !== 'status' && r.t !== 'intent')
    return this.#unacked
  }
}
