/** Bodies about people: who they are, how they get in, and their sessions. */
import * as z from 'zod'
import { instantMs, name } from '../ids.ts'
import { LIMITS } from '../limits.ts'
import { memberRole } from './access.ts'

/** ASCII alone, in small letters: two addresses that look alike are one. */
export const email = z.email().max(LIMITS.emailLengthMax).toLowerCase()

/** Any characters, also spaces; compared after Unicode's NFKC. */
export const password = z.string().min(LIMITS.passwordLengthMin).max(LIMITS.passwordLengthMax)

/** Of a person: shown beside the address, which is what they are known by. One line, nothing invisible. */
export const personName = z
  .string()
  .normalize('NFC')
  .trim()
  .min(1)
  .max(LIMITS.nameLengthMax)
  .regex(/^[\p{L}\p{M}\p{N}\p{P}\p{S} ]+$/u, 'use letters, digits, signs and spaces')

/** What was presented as a token; whether it is one is looked up. */
export const token = z.string().regex(/^hf[a-z]_[A-Za-z0-9_-]{8,100}$/, 'this is not a token')

export const authInfo = z.object({
  /** `invited`: whoever has an invitation; `closed`: nobody. */
  signUp: z.enum(['open', 'invited', 'closed']),
  /** Whether mail can be sent: sign-up and forgotten passwords need it. */
  mail: z.boolean(),
  /** Who else says who somebody is (OpenID Connect); null: nobody does. */
  oidc: z.object({ name: z.string() }).nullable(),
})

export const signUp = z.strictObject({ email })
/** The same, whoever asks and whatever is known of the address. */
export const mailed = z.object({ sent: z.literal(true) })

export const register = z.strictObject({
  token,
  name: personName,
  password,
  /** With the owner link, which names none. */
  email: email.optional(),
})

/** Six digits that an app shows, or one of the codes for when it is lost; spaces and dashes do not count. */
export const code = z
  .string()
  .max(32)
  .transform((text) => text.replace(/[\s-]/g, '').toUpperCase())
  .pipe(z.string().regex(/^(?:\d{6}|[A-Z2-7]{10})$/, 'this is not a code'))

const passwordOfNow = z.string().max(LIMITS.passwordLengthMax)
export const logIn = z.strictObject({
  email,
  password: passwordOfNow,
  /** Where the account has a second factor. */
  code: code.optional(),
})
export const beginSecondFactor = z.strictObject({ password: passwordOfNow })
/** Shown this once: what an app is given, as text and as the link that is shown as a QR code. */
export const secondFactorBegun = z.object({ secret: z.string(), uri: z.string() })
export const confirmSecondFactor = z.strictObject({ code })
/** Shown this once; each lets somebody in once who has lost the app. */
export const secondFactorConfirmed = z.object({ recoveryCodes: z.array(z.string()) })
export const removeSecondFactor = z.strictObject({ password: passwordOfNow, code })

/** `flow` stays in the browser that began, and is presented by it again: nobody is logged in by somebody else's login. */
export const oidcBegun = z.object({ url: z.string(), flow: z.string() })
export const finishOidc = z.strictObject({
  flow: z.string().max(4_096),
  /** As the provider's answer has them, in the address that it leads back to. */
  code: z.string().min(1).max(4_096),
  state: z.string().min(1).max(256),
  /** Where the provider says which one it is. */
  iss: z.string().max(2_048).optional(),
})
export const forgotPassword = z.strictObject({ email })
export const resetPassword = z.strictObject({ token, password })
export const changePassword = z.strictObject({
  current: passwordOfNow,
  password,
})
export const acceptInvitation = z.strictObject({ token })

const organisationRef = z.object({ id: z.string(), name: z.string() })
const person = z.object({ id: z.string(), email: z.string(), name: z.string() })

/** `token` is shown this once, and kept as a hash only. */
export const sessionMade = z.object({ token: z.string(), expiresAtMs: instantMs, person })
export type SessionMade = z.infer<typeof sessionMade>

export const sessionView = z.object({
  id: z.string(),
  /** The one that asks. */
  current: z.boolean(),
  createdAtMs: instantMs,
  expiresAtMs: instantMs,
  /** Exact to a minute. */
  lastUsedAtMs: instantMs.nullable(),
  /** Where it was made, where the platform vouches for it. */
  from: z.string().nullable(),
  /** What it was made with, as that calls itself. */
  agent: z.string().nullable(),
})
export type SessionView = z.infer<typeof sessionView>

export const sessionEnded = z.object({ id: z.string() })

export const organisationView = organisationRef.extend({
  /** Null: only in single clusters. */
  role: memberRole.nullable(),
  /** The session works in it. */
  current: z.boolean(),
})
export type OrganisationView = z.infer<typeof organisationView>

/** As a terminal shows it; letters and digits that are not mixed up. */
export const decideDevice = z.strictObject({
  code: z.string().regex(/^[A-HJ-NP-Z2-9]{8}$/),
  approve: z.boolean(),
})

export const createOrganisation = z.strictObject({ name })
export const useOrganisation = z.strictObject({ organisation: z.string().min(1).max(64) })

export const joinedOrganisation = z.object({
  organisation: organisationRef,
  role: memberRole.nullable(),
})
