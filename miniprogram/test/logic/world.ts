import { vi } from 'vitest'
import type { AuthStep } from '../../src'

type Body = { query: string; variables?: { input?: Record<string, unknown> } }
type Refusal = { code: string; [name: string]: unknown }

/** A server and a phone in one: enough of both for the client's rules. Times are virtual. */
export class World {
  logins = 0 // of wx.login
  calls: string[] = [] // root fields that reached the server
  executed: string[] = [] // those that ran
  alive = new Set<string>()
  steps: AuthStep[] = []
  storage = new Map<string, unknown>()
  life = 7 * 24 * 3600_000
  latency = 20
  refuseEveryToken = false
  sessionAlive = true
  /** Answers instead of the server: a refusal, or 'lost' for an answer that never arrives though the field ran. */
  next: Array<Refusal | 'lost' | 'down' | 'html'> = []
  loginRefusals: string[] = []
  private tokens = 0

  install(): this {
    const after = (f: () => void) => void setTimeout(f, this.latency)
    vi.stubGlobal('wx', {
      login: (o: any) => {
        this.logins++
        after(() => o.success({ code: `code-${this.logins}` }))
      },
      checkSession: (o: any) => after(() => (this.sessionAlive ? o.success() : o.fail())),
      getStorageSync: (k: string) => this.storage.get(k) ?? '',
      setStorageSync: (k: string, v: unknown) => this.storage.set(k, JSON.parse(JSON.stringify(v))),
      removeStorageSync: (k: string) => this.storage.delete(k),
      request: (o: any) => after(() => this.answer(o)),
    })
    return this
  }

  count(field: string): number {
    return this.calls.filter((c) => c === field).length
  }

  private answer(o: any): void {
    const body = JSON.parse(o.data) as Body
    const field = /\{(\w+)/.exec(body.query)![1]!
    this.calls.push(field)
    const reply = (value: unknown, code?: Refusal) =>
      setTimeout(() => o.success({ statusCode: 200, data: { data: { [field]: code ? null : value }, ...(code && { errors: [{ message: code.code, path: [field], extensions: code }] }) } }), this.latency)

    if (field === 'silentLogin') {
      const refusal = this.loginRefusals.shift()
      if (refusal) return void reply(null, { code: refusal })
      const token = `token-${++this.tokens}`
      this.alive.add(token)
      return void reply({ token, expiresAt: new Date(Date.now() + this.life).toISOString(), isNewUser: true, user: this.user() })
    }
    const token = String(o.header.authorization ?? '').replace('Bearer ', '')
    if (this.refuseEveryToken || !this.alive.has(token)) return void reply(null, { code: 'UNAUTHENTICATED', reason: 'REVOKED' })
    const special = this.next.shift()
    if (special === 'down') return void setTimeout(() => o.fail({ errMsg: 'request:fail ' }), this.latency)
    if (special === 'html') return void setTimeout(() => o.success({ statusCode: 502, data: '<html>' }), this.latency)
    if (special && special !== 'lost') return void reply(null, special)
    this.executed.push(field)
    if (special === 'lost') return void setTimeout(() => o.fail({ errMsg: 'request:fail timeout' }), this.latency)
    switch (field) {
      case 'renewSession': {
        const renewed = `token-${++this.tokens}`
        this.alive.add(renewed)
        return void reply({ token: renewed, expiresAt: new Date(Date.now() + this.life).toISOString() })
      }
      case 'me':
        return void reply(this.user())
      case 'logout':
        this.alive.delete(token)
        return void reply({ endedSessions: 1 })
      case 'createOrder': {
        const missing = (['USER', 'PHONE'] as AuthStep[]).filter((s) => !this.steps.includes(s))
        if (missing.length) {
          this.executed.pop()
          return void reply(null, { code: 'AUTH_STEP_REQUIRED', missingSteps: missing, completedSteps: this.steps })
        }
        return void reply({ order: { orderNo: 'n', key: body.variables?.input?.idempotencyKey } })
      }
      default:
        return void reply({ field })
    }
  }

  private user() {
    return { id: 'u', displayName: 'd', nickname: null, avatarUrl: null, points: 0, steps: [...this.steps], maskedPhone: null }
  }
}
