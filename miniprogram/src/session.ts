import { WxpassError } from './errors'
import { errorOf, type Answer } from './graphql'
import { documents, type AuthStep, type Doc, type LogoutScope, type MeFragment } from './sdk'
import { Status } from './status'

/** What a login gave, as it is kept in storage. Times are milliseconds of this device's clock. */
export interface Grant {
  endpoint: string
  token: string
  receivedAt: number
  expiresAt: number
  steps: AuthStep[]
}

export interface SessionOptions {
  endpoint: string
  /** Which of the server's apps this is; the server's default app when left out. */
  appId?: string
  /** The name in storage. */
  storageKey: string
  /** How long before its end a token is renewed, in milliseconds; at most a quarter of its life. */
  renewBefore: number
  /** How many re-logins within windowMs, after which there is none for windowMs. */
  fuse: { limit: number; windowMs: number }
  /** How long wx.login may take, in milliseconds. */
  timeout: number
  /** Sent in place of wx.login's code, to a server that plays WeChat. */
  loginCode?: string
  send: <R, V>(doc: Doc<R, V>, variables: V | undefined, token: string | undefined) => Promise<Answer<R>>
}

const UNKNOWN_LIFE = 60 * 60 * 1000

/** Keeps one token, and one login at a time. What is under way is set before anything is awaited. */
export class Session {
  /** Where the login has got to. */
  readonly status = new Status<Grant>()
  /** Who logged in, as far as it is known since the launch. */
  user: MeFragment | undefined
  private grant: Grant | undefined
  private loggingIn: Promise<Grant> | undefined
  private renewing: Promise<void> | undefined
  private relogins: number[] = []
  private trippedAt: number | undefined

  constructor(private readonly options: SessionOptions) {
    this.grant = this.restore()
    if (this.grant) this.status.success(this.grant)
  }

  /** The steps the user had passed when the server last said. */
  get steps(): ReadonlyArray<AuthStep> {
    return this.grant?.steps ?? []
  }

  /** Logs in anew, with a code of wx.login. Whoever calls while that is under way gets the same promise. */
  login(): Promise<Grant> {
    if (this.loggingIn) return this.loggingIn
    const login = this.tripped() ? Promise.reject<Grant>(this.fuseError()) : this.exchange()
    this.loggingIn = login
    this.status.begin()
    const over = () => {
      if (this.loggingIn === login) this.loggingIn = undefined
    }
    login.then(
      (grant) => {
        over()
        this.status.success(grant)
      },
      (e) => {
        over()
        this.status.fail(e)
      },
    )
    return login
  }

  /**
   * Answers with a token that counts: the one at hand, else that of the login under way, else that of a login it starts.
   * A token near its end is renewed meanwhile.
   */
  ensureLogin(): Promise<Grant> {
    if (this.loggingIn) return this.loggingIn
    if (!this.grant || this.grant.expiresAt <= Date.now()) return this.login()
    if (this.nearEnd(this.grant)) this.renew().catch(() => {}) // the old token is good, and asked for again next time
    return Promise.resolve(this.grant)
  }

  /**
   * What to do when the server refused a token: one re-login for all who hold it. Rejects with LOGIN_FUSE_TRIPPED when
   * there were too many of late.
   */
  refused(token: string): Promise<Grant> {
    if (this.loggingIn) return this.loggingIn
    if (this.grant && this.grant.token !== token) return Promise.resolve(this.grant) // somebody has logged in since
    if (!this.tripped()) {
      if (this.relogins.length >= this.options.fuse.limit) this.trippedAt = Date.now()
      else this.relogins.push(Date.now())
    }
    this.forget()
    return this.login()
  }

  /** Trades the token for one that lasts longer. The old one stays good, so nobody waits for this. */
  renew(): Promise<void> {
    if (this.renewing) return this.renewing
    const old = this.grant
    if (!old) return this.ensureLogin().then(() => {})
    const renewing = this.options.send(documents.renewSession, undefined, old.token).then((answer) => {
      const error = errorOf(answer)
      if (error) throw error
      const payload = answer.data?.renewSession
      if (payload && this.grant === old) this.keep({ ...old, ...this.times(payload.expiresAt), token: payload.token })
    })
    this.renewing = renewing
    const over = () => {
      this.renewing = undefined
    }
    renewing.then(over, over)
    return renewing
  }

  /**
   * Ends the session, here at once and on the server. When the server could not be told this rejects, and the session
   * ends there with its token. The next request that needs a login makes a new session.
   */
  async logout(scope: LogoutScope = 'THIS'): Promise<void> {
    if (this.loggingIn) await this.loggingIn.catch(() => {})
    const grant = this.grant
    if (!grant) return
    if (scope !== 'OTHERS') {
      this.forget()
      this.user = undefined
      this.status.reset()
    }
    const error = errorOf(await this.options.send(documents.logout, { input: { scope } }, grant.token))
    if (error && error.code !== 'UNAUTHENTICATED') throw error // refused: it had ended already
  }

  /**
   * Makes sure that data WeChat encrypts from now on opens on the server. Await it before the button is shown: a login
   * after the tap may bring a new key, and what was encrypted does not open any more.
   */
  async ensureSessionKey(): Promise<void> {
    await this.ensureLogin()
    const alive = await new Promise<boolean>((resolve) => {
      wx.checkSession({ success: () => resolve(true), fail: () => resolve(false) })
    })
    if (!alive) await this.login()
  }

  /** Notes what the server says about the user. */
  note(user: MeFragment): void {
    this.user = user
    this.noteSteps(user.steps)
  }

  noteSteps(steps: AuthStep[]): void {
    if (this.grant) this.keep({ ...this.grant, steps })
  }

  /** Lets go of the token, and of nothing on the server. */
  forget(): void {
    this.grant = undefined
    wx.removeStorageSync(this.options.storageKey)
  }

  private async exchange(): Promise<Grant> {
    for (let attempt = 1; ; attempt++) {
      const code = await loginCode(this.options.timeout)
      const input = { code: this.options.loginCode ?? code, appId: this.options.appId }
      const answer = await this.options.send(documents.silentLogin, { input }, undefined)
      const payload = answer.data?.silentLogin
      if (payload) {
        const grant: Grant = { endpoint: this.options.endpoint, token: payload.token, ...this.times(payload.expiresAt), steps: payload.user.steps }
        this.user = payload.user
        this.keep(grant)
        return grant
      }
      const error = errorOf(answer) ?? new WxpassError('BAD_ANSWER', 'silentLogin answered nothing')
      if (error.code !== 'LOGIN_CODE_INVALID' || attempt === 2) throw error // a code that grew old gets one successor
    }
  }

  /** A token just received is alive, whatever the clock of the device says. */
  private times(expiresAt: string): Pick<Grant, 'receivedAt' | 'expiresAt'> {
    const now = Date.now()
    const end = Date.parse(expiresAt)
    return { receivedAt: now, expiresAt: end > now ? end : now + UNKNOWN_LIFE }
  }

  private nearEnd(grant: Grant): boolean {
    const margin = Math.min(this.options.renewBefore, (grant.expiresAt - grant.receivedAt) / 4)
    return grant.expiresAt - Date.now() < margin
  }

  /** Whether the fuse has tripped; it restores by itself. */
  private tripped(): boolean {
    const { windowMs } = this.options.fuse
    const now = Date.now()
    const recent = (t: number) => t <= now && now - t < windowMs // a clock set back must not keep it open
    if (this.trippedAt !== undefined) {
      if (recent(this.trippedAt)) return true
      this.trippedAt = undefined
      this.relogins = []
    }
    this.relogins = this.relogins.filter(recent)
    return false
  }

  private fuseError(): WxpassError {
    const { limit, windowMs } = this.options.fuse
    return new WxpassError('LOGIN_FUSE_TRIPPED', `the server refused the tokens of ${limit} logins; no more for ${windowMs / 1000} s. Do TOKEN_KEYS differ between instances?`)
  }

  private keep(grant: Grant): void {
    this.grant = grant
    try {
      wx.setStorageSync(this.options.storageKey, grant)
    } catch (e) {
      console.warn('wxpass: storage is full, the login lasts until the app closes', e)
    }
  }

  private restore(): Grant | undefined {
    const kept = wx.getStorageSync(this.options.storageKey) as Grant | '' | undefined
    if (!kept || kept.endpoint !== this.options.endpoint || !kept.token || !(kept.expiresAt > Date.now())) return undefined
    return kept
  }
}

function loginCode(timeout: number): Promise<string> {
  return new Promise((resolve, reject) => {
    wx.login({
      timeout,
      success: ({ code }) => (code ? resolve(code) : reject(new WxpassError('WECHAT_LOGIN_FAILED', 'wx.login gave no code'))),
      fail: (e) => reject(new WxpassError('WECHAT_LOGIN_FAILED', e.errMsg)),
    })
  })
}
