/** People of a real control plane: one owns the organisation, the other has an account and belongs to nothing. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { base32 } from '@better-auth/utils/base32'
import { createOTP } from '@better-auth/utils/otp'
import { EXIT } from '../../cli/exit-codes.ts'
import { run } from '../../cli/run.ts'
import { createClient } from '../../schema/api/client.ts'
import type { RealCluster } from './real-cluster.ts'
import { type CliResult, Heard, surroundings } from './run-cli.ts'

const OWNER = 'owner@example.com'
const BEN = 'ben@example.com'
const NEW = 'new@example.com'
const PASSWORD = 'a long enough password'

/** For the contract of the command line: what succeeds, what fails, and with which code. */
export const PEOPLE_LINES: readonly (readonly [string, string, number])[] = [
  ['member invite eva@example.com --role viewer', 'member invite eva --role viewer', EXIT.usage],
  ['member list', 'member list extra', EXIT.usage],
  ['member uninvite eva@example.com', 'member uninvite eva@example.com', EXIT.notFound],
  ['member accept --token-file @INVITATION@', 'member accept --token-file nosuch', EXIT.usage],
  ['member role ben@example.com --grant operator:prod', 'member role ben@example.com', EXIT.usage],
  ['member remove ben@example.com --yes', `member remove ${OWNER} --yes`, EXIT.notAllowed],
  ['org create acme', 'org create default', EXIT.conflict],
  ['org export --out @BACKUP@', 'org export extra', EXIT.usage],
  ['org delete acme --yes', 'org delete nosuch', EXIT.usage],
  ['org use default', 'org use nosuch', EXIT.notFound],
  ['org list', 'org list extra', EXIT.usage],
  ['session list', 'session list extra', EXIT.usage],
  ['session end @SESSION@ --yes', 'session end nosuch --yes', EXIT.notFound],
  [`account sign-up ${NEW}`, 'account sign-up new', EXIT.usage],
  [
    'account register --name New --token-file @MAILED@ --password-file @PASSWORD@',
    'account register --name New --token-file nosuch',
    EXIT.usage,
  ],
  [`account forgot ${NEW}`, 'account forgot new', EXIT.usage],
  [
    'account reset --token-file @MAILED@ --password-file @PASSWORD@',
    'account reset --token-file nosuch',
    EXIT.usage,
  ],
  [
    'second-factor remove @RECOVERY@ --password-file @PASSWORD@',
    'second-factor remove 000000 --password-file nosuch',
    EXIT.usage,
  ],
  [
    'second-factor begin --password-file @PASSWORD@',
    'second-factor begin --password-file nosuch',
    EXIT.usage,
  ],
  ['second-factor confirm @CODE@', 'second-factor confirm nosuch', EXIT.usage],
  ['login', 'login extra', EXIT.usage],
  ['logout', 'logout', EXIT.notAllowed],
]

/** The command `login`, with somebody who decides on its code as soon as it has said it. */
export async function logIn(
  args: readonly string[],
  env: Record<string, string>,
  decide: (code: string) => Promise<unknown>,
): Promise<CliResult> {
  let said = false
  const stdout = new Heard()
  const stderr: Heard = new Heard(() => {
    const code = /the code ([A-Z2-9]{8})/.exec(stderr.text)?.[1]
    if (!code || said) return
    said = true
    void decide(code)
  })
  const code = await run(args, surroundings({ env, stdout, stderr }))
  return { code, stdout: stdout.text, stderr: stderr.text }
}

export class People {
  readonly #real: RealCluster
  /** Their sessions. */
  #owner = ''
  #ben = ''

  private constructor(real: RealCluster) {
    this.#real = real
  }

  static async of(real: RealCluster): Promise<People> {
    const people = new People(real)
    const register = async (token: string, email: string) => {
      const body = { token, email, name: 'Somebody', password: PASSWORD }
      return (await real.api('register', { body })).token
    }
    people.#owner = await register(real.control.ownerLink?.split('=')[1] ?? '', OWNER)
    people.#ben = await register(await people.#invitation(), BEN)
    await real.api('removeMember', { params: { member: BEN } })
    return people
  }

  /** Who runs a line, where that has to be a person. */
  envOf(line: string): Record<string, string> {
    if (/^(logout|member accept)/.test(line)) return { HOLDFAST_API_KEY: this.#ben }
    if (!/^(login|org|session|account|second-factor)/.test(line)) return {}
    const XDG_CONFIG_HOME = join(this.#real.folder, 'config')
    return { HOLDFAST_API_KEY: this.#owner, XDG_CONFIG_HOME }
  }

  logIn(args: readonly string[], env: Record<string, string>): Promise<CliResult> {
    return logIn(args, env, (code) =>
      this.#asOwner()('decideDevice', { body: { code, approve: true } }),
    )
  }

  /** A line with what stands for something in it: files with tokens and passwords, a session. */
  async filled(line: string): Promise<string> {
    const found = /@(CODE|INVITATION|MAILED|RECOVERY|SESSION)@/.exec(line)?.[1]
    const filled = line.replace('@PASSWORD@', this.#file('password', PASSWORD))
    if (found === 'CODE') return filled.replace('@CODE@', await this.#code())
    if (found === 'RECOVERY') return filled.replace('@RECOVERY@', await this.#recoveryCode())
    if (found === 'SESSION') return filled.replace('@SESSION@', await this.#lastSession())
    if (found === 'MAILED')
      return filled.replace(
        '@MAILED@',
        this.#file(
          'mailed',
          await this.#mailed(NEW, line.includes('reset') ? 'reset' : 'register'),
        ),
      )
    if (found !== 'INVITATION') return filled
    return filled.replace('@INVITATION@', this.#file('invitation', await this.#invitation()))
  }

  #file(name: string, text: string): string {
    const path = join(this.#real.folder, name)
    writeFileSync(path, `${text}\n`)
    return path
  }

  async #mailed(address: string, what: 'register' | 'reset'): Promise<string> {
    const { mails } = this.#real
    for (let waitedMs = 0; waitedMs < 10_000; waitedMs += 20) {
      const mail = mails.findLast(
        (one) => one.startsWith(`mail to ${address}:`) && one.includes(`#${what}=`),
      )
      const token = /#[a-z]+=(hf[a-z]_\S+)/.exec(mail ?? '')?.[1]
      if (token) return token
      await new Promise((done) => setTimeout(done, 20))
    }
    throw new Error(`nothing was mailed to ${address}`)
  }

  async #lastSession(): Promise<string> {
    await this.#real.api('logIn', { body: { email: OWNER, password: PASSWORD } })
    const { sessions } = await this.#asOwner()('listSessions')
    return sessions.find((one) => !one.current)?.id ?? ''
  }

  /** As an app makes it, of a factor that was just begun. */
  async #code(): Promise<string> {
    const { secret } = await this.#asOwner()('beginSecondFactor', { body: { password: PASSWORD } })
    return createOTP(base32.decode(secret)).totp()
  }

  async #recoveryCode(): Promise<string> {
    const code = await this.#code()
    const { recoveryCodes } = await this.#asOwner()('confirmSecondFactor', { body: { code } })
    return recoveryCodes[0] ?? ''
  }

  #asOwner() {
    return createClient({ url: this.#real.control.url, key: this.#owner })
  }

  async #invitation(): Promise<string> {
    const sent = this.#real.mails.length
    await this.#real.api('inviteMember', { body: { email: BEN, role: 'viewer' } })
    while (this.#real.mails.length === sent) await new Promise((done) => setTimeout(done, 20))
    return this.#mailed(BEN, 'register')
  }
}
