/** One kind of refusal. */
export interface ErrorEntry {
  /** Status of the API. */
  readonly http: number
  /** Exit code of a command. */
  readonly exit: number
  readonly title: string
  readonly cause: string
  readonly remedy: string
}
