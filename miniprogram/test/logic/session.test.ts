import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClient, WxpassError, type ClientOptions } from '../../src'
import { World } from './world'

let world: World
const client = (o: Partial<ClientOptions> = {}) => createClient({ endpoint: 'https://x.example/graphql', ...o })
const order = { input: { idempotencyKey: 'k', items: [{ productId: 'p', quantity: 1 }] } }
const codeOf = (e: unknown) => (e as WxpassError).code

/** Runs p to its end in virtual time. */
async function run<T>(p: Promise<T>): Promise<T> {
  p.catch(() => {})
  await vi.runAllTimersAsync()
  return p
}
const twenty = <T>(f: (i: number) => Promise<T>) => run(Promise.allSettled(Array.from({ length: 20 }, (_, i) => f(i))))
const answered = (all: PromiseSettledResult<unknown>[]) => all.filter((r) => r.status === 'fulfilled').length

beforeEach(() => {
  vi.useFakeTimers()
  world = new World().install()
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('twenty requests at cold start are one wx.login, one silentLogin and twenty answers', async () => {
  const c = client()
  expect(answered(await twenty(() => c.sdk.me()))).toBe(20)
  expect([world.logins, world.count('silentLogin'), world.count('me')]).toEqual([1, 1, 20])
})

test('a revoked token and twenty requests are one re-login and twenty answers, none executed twice', async () => {
  const c = client()
  await run(c.sdk.me())
  world.alive.clear()
  world.executed = []
  world.steps = ['USER', 'PHONE']
  const all = await twenty<unknown>((i) => (i % 2 ? c.sdk.createOrder(order) : c.sdk.me()))
  expect(answered(all)).toBe(20)
  expect([world.logins, world.count('silentLogin')]).toEqual([2, 2])
  expect(world.executed.filter((f) => f === 'createOrder')).toHaveLength(10)
  expect(world.executed.filter((f) => f === 'me')).toHaveLength(10)
})

test('requests that come while a re-login is under way wait for it', async () => {
  const c = client()
  await run(c.sdk.me())
  world.alive.clear()
  const first = c.sdk.me()
  await vi.advanceTimersByTimeAsync(50) // refused, logging in
  expect(world.logins).toBe(2)
  const late = c.sdk.me()
  await run(Promise.all([first, late]))
  expect(world.logins).toBe(2)
  expect(world.count('me')).toBe(4) // one, its refusal and repetition, and the late one once
})

test('a server that refuses every token trips the fuse, and nothing loops', async () => {
  const c = client({ fuse: { limit: 3, windowMs: 60_000 } })
  world.refuseEveryToken = true
  for (let round = 1; round <= 6; round++) {
    const all = await twenty(() => c.sdk.me())
    expect(answered(all)).toBe(0)
    const codes = new Set(all.map((r) => codeOf((r as PromiseRejectedResult).reason)))
    expect([...codes]).toEqual([round <= 3 ? 'UNAUTHENTICATED' : 'LOGIN_FUSE_TRIPPED'])
  }
  expect(world.count('silentLogin')).toBe(1 + 3) // the first login, then the fuse's number
  const before = world.calls.length
  await twenty(() => c.sdk.me())
  expect(world.calls.length).toBe(before) // tripped: nothing is sent

  world.refuseEveryToken = false
  await vi.advanceTimersByTimeAsync(60_000)
  expect(answered(await twenty(() => c.sdk.me()))).toBe(20) // restored by itself
})

test('the token is kept in storage with its end, and is not used for another server or after it', async () => {
  await run(client().sdk.me())
  await run(client().sdk.me())
  expect(world.logins).toBe(1)
  await run(client({ endpoint: 'https://y.example/graphql' }).sdk.me())
  expect(world.logins).toBe(2)
  await run(client({ endpoint: 'https://y.example/graphql' }).sdk.me())
  vi.setSystemTime(Date.now() + world.life + 1)
  await run(client({ endpoint: 'https://y.example/graphql' }).sdk.me())
  expect(world.logins).toBe(3)
})

test('a clock that is years ahead does not make every request log in', async () => {
  const c = client()
  world.life = -3 * 365 * 24 * 3600_000
  for (let i = 0; i < 5; i++) await run(c.sdk.me())
  expect(world.logins).toBe(1)
})

test('a token near its end is renewed once, without wx.login and without making anybody wait', async () => {
  const c = client()
  await run(c.sdk.me())
  await vi.advanceTimersByTimeAsync(world.life - 3600_000)
  expect(answered(await twenty(() => c.sdk.me()))).toBe(20)
  await run(c.sdk.me())
  expect([world.logins, world.count('renewSession')]).toEqual([1, 1])
})

test('a login code that was refused gets one successor, not more', async () => {
  const c = client()
  world.loginRefusals = ['LOGIN_CODE_INVALID']
  await run(c.login())
  expect(world.logins).toBe(2)
  world.loginRefusals = ['LOGIN_CODE_INVALID', 'LOGIN_CODE_INVALID', 'LOGIN_CODE_INVALID']
  await expect(run(c.login())).rejects.toMatchObject({ code: 'LOGIN_CODE_INVALID' })
  expect(world.logins).toBe(4)
})

test('a failed login fails those who wait, and the next request tries again', async () => {
  const c = client()
  world.loginRefusals = ['WECHAT_UNAVAILABLE']
  const all = await twenty(() => c.sdk.me())
  expect(answered(all)).toBe(0)
  expect(world.logins).toBe(1)
  await run(c.sdk.me())
  expect(world.logins).toBe(2)
})

test('a mutation whose answer was lost is sent again only when it is safe', async () => {
  const c = client()
  world.steps = ['USER', 'PHONE']
  await run(c.login())
  world.next = ['lost']
  await expect(run(c.sdk.unbindPhone())).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(world.count('unbindPhone')).toBe(1)
  world.next = ['lost']
  await run(c.sdk.createOrder(order)) // carries its key
  expect(world.count('createOrder')).toBe(2)
  world.next = ['down', 'down', 'down']
  await expect(run(c.sdk.me())).rejects.toMatchObject({ code: 'NETWORK' })
  expect(world.count('me')).toBe(2)
})

test('a mutation of which a part has run is not repeated', async () => {
  const c = client()
  await run(c.login())
  const wxRequest = wx.request
  let sent = 0
  wx.request = ((o: any) => {
    if (!o.data.includes('mutation Two')) return wxRequest(o)
    sent++
    o.success({ statusCode: 200, data: { data: { a: { ok: true }, b: null }, errors: [{ message: 'm', path: ['b'], extensions: { code: 'UNAUTHENTICATED' } }] } })
  }) as typeof wx.request
  await expect(run(c.request('mutation Two{a:unbindPhone{user{id}}b:unbindPhone{user{id}}}'))).rejects.toMatchObject({ code: 'UNAUTHENTICATED', data: { a: { ok: true } } })
  expect(sent).toBe(1)
})

test('an answer that is not GraphQL is an error of its own', async () => {
  const c = client()
  await run(c.login())
  world.next = ['html']
  await expect(run(c.sdk.me())).rejects.toMatchObject({ code: 'BAD_ANSWER' })
})

test('logout ends the session on both sides, and the next request makes a new one', async () => {
  const c = client()
  await run(c.sdk.me())
  await run(c.logout())
  expect(world.alive.size).toBe(0)
  expect(world.storage.size).toBe(0)
  expect(c.status.login.state).toBe('idle')
  await run(c.sdk.me())
  expect(world.logins).toBe(2)
})

test('ensureSessionKey logs in only when WeChat has dropped the key', async () => {
  const c = client()
  await run(c.ensureSessionKey())
  expect(world.logins).toBe(1)
  world.sessionAlive = false
  await run(Promise.all([c.ensureSessionKey(), c.ensureSessionKey()]))
  expect(world.logins).toBe(2)
})

test('pages can wait for the login onLaunch started, before, while and after it', async () => {
  const c = client()
  const seen: string[] = []
  c.status.login.onceSuccess(() => seen.push('before'))
  const off = c.status.login.onceSuccess(() => seen.push('taken back'))
  off()
  const login = c.login()
  c.status.login.onceSuccess(() => seen.push('while'))
  c.status.login.onceFail(() => seen.push('fail'))
  await run(login)
  c.status.login.onceSuccess(() => seen.push('after'))
  await run(c.status.login.wait())
  expect(seen).toEqual(['before', 'while', 'after'])
  world.loginRefusals = ['ACCOUNT_BLOCKED']
  await expect(run(c.login())).rejects.toMatchObject({ code: 'ACCOUNT_BLOCKED' })
  await expect(run(c.status.login.wait())).rejects.toMatchObject({ code: 'ACCOUNT_BLOCKED' })
  expect(seen).toEqual(['before', 'while', 'after', 'fail'])
})
