import { Auth, presentPopup, type MustAuth, type Present } from './auth'
import { messageFor, WxpassError, type Language, type Texts } from './errors'
import { errorOf, nothingRan, onlyReads, send, type Transport } from './graphql'
import { getSdk, type Doc, type LogoutScope, type MeFragment, type Sdk } from './sdk'
import { Session } from './session'
import { upload, type Uploaded } from './upload'

export interface ClientOptions {
  /** The server's `/graphql`, with https and on the list of request domains in production. */
  endpoint: string
  /** Where avatars are uploaded; `/upload/avatar` beside the endpoint by default. */
  uploadUrl?: string
  /** Which of the server's apps this is; the server's default app when left out. */
  appId?: string
  /** How long to wait for an answer, in milliseconds; 10 s by default. */
  timeout?: number
  /** Headers to send besides our own. */
  header?: () => Record<string, string>
  /** The name of the token in storage; `wxpass` by default. */
  storageKey?: string
  /** How long before its end a token is renewed, in milliseconds; a day by default, at most a quarter of its life. */
  renewBefore?: number
  /** How many re-logins within windowMs, after which there is none for windowMs; 3 in five minutes by default. */
  fuse?: { limit?: number; windowMs?: number }
  /**
   * Codes to send in place of WeChat's, for a server in development that plays WeChat itself: `sim-NAME` and
   * `sim-+86…`. Leave it out for the real WeChat.
   */
  simulate?: { login?: string; phone?: string }
  /** What asks the user for steps; the `<auth-popup>` of the page on top by default. */
  present?: Present
  /** The id of that popup; `auth-popup` by default. */
  popupId?: string
  /** The language of `messageFor` and of the components; Chinese by default. */
  language?: Language
  /** Your own words for errors, by code. */
  texts?: Texts
}

export interface RequestOptions {
  /** Whether to log in first; true by default. Fields that are @public need none. */
  login?: boolean
  /** Whether to ask the user for a step the server misses, then repeat the request once; true by default. */
  ask?: boolean
  /**
   * Whether sending it twice does what sending it once does. Known for queries and for mutations with an
   * idempotencyKey; only such a request is sent again, once, when its answer was lost.
   */
  safe?: boolean
}

/** The part of graphql-codegen's TypedDocumentString that is needed. */
export interface TypedDocument<R, V> {
  toString(): string
  __apiType?: (variables: V) => R
}

export interface Client {
  /** One typed function for each operation. */
  sdk: Sdk<RequestOptions>
  /** Sends a document of your own: text, or what graphql-codegen makes with `documentMode: string`. */
  request<R, V>(doc: Doc<R, V> | TypedDocument<R, V>, variables?: V, options?: RequestOptions): Promise<R>
  /** Logs in anew; one login at a time. */
  login(): Promise<void>
  /** Logs in unless there is a token that counts. */
  ensureLogin(): Promise<void>
  /** Trades the token for a longer one. Happens by itself near its end. */
  renew(): Promise<void>
  /** Ends the session, here and on the server. */
  logout(scope?: LogoutScope): Promise<void>
  /** Makes sure, before a button for it is shown, that encrypted data will open on the server. */
  ensureSessionKey(): Promise<void>
  mustAuth: MustAuth
  /** Uploads a picture of this device; answers with what authorizeProfile takes as avatarId. */
  uploadAvatar(filePath: string): Promise<Uploaded>
  /** Who is logged in, as the server last said; undefined before it did. */
  readonly user: MeFragment | undefined
  /** Where login and auth have got to. */
  status: { login: Session['status']; auth: Auth['status'] }
  /** What to tell people about an error. */
  messageFor(error: unknown): string
  readonly language: Language
  /** The code to bind a phone with, from what the phone button said; undefined when it gave none. */
  phoneCode(detail: { code?: string; errMsg?: string; errno?: number }): string | undefined
  /** The parts components use. */
  session: Session
  auth: Auth
}

let current: Client | undefined

/** The client of this Mini Program: the last one created. */
export function getClient(): Client {
  if (!current) throw new Error('wxpass: call createClient() first, in app.js')
  return current
}

/** Creates the client. Once, in a module that app.js and the pages require. Nothing is sent before it is asked to. */
export function createClient(options: ClientOptions): Client {
  const timeout = options.timeout ?? 10_000
  const language = options.language ?? 'zh'
  const transport: Transport = { endpoint: options.endpoint, timeout, header: options.header ?? (() => ({})) }
  const session = new Session({
    endpoint: options.endpoint,
    appId: options.appId,
    storageKey: options.storageKey ?? 'wxpass',
    renewBefore: options.renewBefore ?? 24 * 60 * 60 * 1000,
    fuse: { limit: options.fuse?.limit ?? 3, windowMs: options.fuse?.windowMs ?? 5 * 60 * 1000 },
    timeout,
    loginCode: options.simulate?.login,
    send: (doc, variables, token) => send(transport, doc, variables, token),
  })

  /** Whatever happens, a request is sent again at most once for each of: lost answer, refused token, missing step. */
  async function request<R, V>(document: Doc<R, V> | TypedDocument<R, V>, variables?: V, o: RequestOptions = {}): Promise<R> {
    const doc = document.toString() as Doc<R, V> // one string: the bridge must not see a String object
    const reads = onlyReads(doc)
    const safe = o.safe ?? (reads || keyed(variables))
    let resent = false
    let relogged = false
    let asked = false
    for (;;) {
      const token = o.login === false ? undefined : (await session.ensureLogin()).token
      let answer
      try {
        answer = await send(transport, doc, variables, token)
      } catch (e) {
        if (!safe || resent || (e as WxpassError).code === 'BAD_ANSWER') throw e
        resent = true
        continue
      }
      const error = errorOf(answer)
      if (!error) {
        noteUser(answer.data)
        return answer.data as R
      }
      const stale = token !== undefined && answer.errors.some((e) => e.extensions?.code === 'UNAUTHENTICATED')
      if (stale && !relogged && (reads || nothingRan(answer, 'UNAUTHENTICATED'))) {
        relogged = true
        await session.refused(token)
        continue
      }
      const refusal = answer.errors.find((e) => e.extensions?.code === 'AUTH_STEP_REQUIRED')?.extensions
      if (refusal) session.noteSteps(refusal.completedSteps ?? [])
      if (refusal && !asked && o.ask !== false && (reads || nothingRan(answer, 'AUTH_STEP_REQUIRED'))) {
        asked = true
        await auth.ask(refusal.missingSteps ?? [])
        continue
      }
      throw error
    }
  }

  /** Every user in an answer is the caller: what it says about steps is news. */
  function noteUser(data: unknown): void {
    for (const value of Object.values((data ?? {}) as Record<string, { id?: string; steps?: unknown; user?: MeFragment } | null>)) {
      const user = value && (value.user ?? (value.steps ? (value as MeFragment) : undefined))
      if (user?.steps) session.note({ ...session.user, ...user })
    }
  }

  const sdk = getSdk<RequestOptions>(request)
  const auth = new Auth(session, () => sdk.me(), options.present ?? presentPopup(options.popupId ?? 'auth-popup'))
  const client: Client = {
    sdk,
    request,
    login: () => session.login().then(() => {}),
    ensureLogin: () => session.ensureLogin().then(() => {}),
    renew: () => session.renew(),
    logout: (scope) => session.logout(scope),
    ensureSessionKey: () => session.ensureSessionKey(),
    mustAuth: auth.mustAuth,
    uploadAvatar: (filePath) => upload({ ...transport, endpoint: options.uploadUrl ?? uploadUrl(options.endpoint) }, session, filePath),
    get user() {
      return session.user
    },
    status: { login: session.status, auth: auth.status },
    messageFor: (error) => messageFor(error, language, options.texts),
    language,
    phoneCode: ({ code, errMsg = '', errno }) => {
      const simulated = options.simulate?.phone
      return simulated && errno !== 1400001 && !/deny|cancel|privacy/i.test(errMsg) ? simulated : code
    },
    session,
    auth,
  }
  current = client
  return client
}

const uploadUrl = (endpoint: string) => endpoint.replace(/\/graphql\/?$/, '') + '/upload/avatar'

/** Whether the variables carry the key that makes repeating a mutation safe. */
function keyed(variables: unknown): boolean {
  const input = (variables as { input?: { idempotencyKey?: unknown } } | undefined)?.input
  return typeof input?.idempotencyKey === 'string'
}

/** A key for one order: make it when the user decides, and keep it until the order is answered. */
export function newIdempotencyKey(): string {
  const random = () => Math.random().toString(36).slice(2, 12)
  return `${Date.now().toString(36)}-${random()}${random()}`
}
