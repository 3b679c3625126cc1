import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createClient, messageFor, WxpassError, type AuthStep, type Client } from '../../src'
import { World } from './world'

let world: World
let asked: AuthStep[][]
let c: Client
let outcome: 'pass' | 'cancel'
const order = { input: { idempotencyKey: 'k', items: [{ productId: 'p', quantity: 1 }] } }

async function run<T>(p: Promise<T>): Promise<T> {
  p.catch(() => {})
  await vi.runAllTimersAsync()
  return p
}

beforeEach(() => {
  vi.useFakeTimers()
  world = new World().install()
  asked = []
  outcome = 'pass'
  c = createClient({
    endpoint: 'https://x.example/graphql',
    present: async (steps) => {
      asked.push(steps)
      await new Promise((r) => setTimeout(r, 1000))
      if (outcome === 'cancel') throw new WxpassError('AUTH_CANCELLED', 'the user closed the popup')
      world.steps = [...new Set([...world.steps, ...steps])]
      await c.sdk.me() // as authorizeProfile and bindPhone do: the answer says the steps
    },
  })
})
afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

test('mustAuth asks for what is missing, once for all who ask, and resolves at once afterwards', async () => {
  await run(Promise.all([c.mustAuth(['PHONE']), c.mustAuth(['PHONE']), c.mustAuth(['USER', 'PHONE'])]))
  expect(asked).toEqual([['PHONE'], ['USER']])
  const calls = world.calls.length
  await run(c.mustAuth(['USER', 'PHONE']))
  expect([asked.length, world.calls.length]).toEqual([2, calls])
})

test('mustAuth does not ask for what was passed on another device', async () => {
  await run(c.login())
  world.steps = ['USER']
  await run(c.mustAuth(['USER']))
  expect(asked).toEqual([])
})

test('mustAuth rejects with the popup', async () => {
  outcome = 'cancel'
  const both = await run(Promise.allSettled([c.mustAuth(['USER']), c.mustAuth(['USER'])]))
  expect(both.map((r) => (r as PromiseRejectedResult).reason.code)).toEqual(['AUTH_CANCELLED', 'AUTH_CANCELLED'])
  expect([asked.length, c.status.auth.state]).toEqual([1, 'fail'])
})

test('a request the server wants a step for asks and is repeated once', async () => {
  await run(c.sdk.createOrder(order))
  expect(asked).toEqual([['USER', 'PHONE']])
  expect([world.count('createOrder'), world.executed.filter((f) => f === 'createOrder').length]).toEqual([2, 1])
})

test('a step withdrawn elsewhere is asked for again', async () => {
  world.steps = ['USER', 'PHONE']
  await run(c.login())
  world.steps = ['USER']
  await run(c.sdk.createOrder(order))
  expect(asked).toEqual([['PHONE']])
})

test('a refusal of the user is the answer to the request; ask: false does not ask', async () => {
  outcome = 'cancel'
  await expect(run(c.sdk.createOrder(order))).rejects.toMatchObject({ code: 'AUTH_CANCELLED' })
  await expect(run(c.sdk.createOrder(order, { ask: false }))).rejects.toMatchObject({ code: 'AUTH_STEP_REQUIRED' })
  expect(asked).toHaveLength(1)
})

test('mustAuth wraps a handler, keeps its this, and does not run it when the user will not', async () => {
  const page = { ran: 0, buy: c.mustAuth(['PHONE'], function (this: { ran: number }, by: number) { return (this.ran += by) }) }
  expect(await run(page.buy(2))).toBe(2)
  world.steps = []
  await run(c.sdk.me())
  outcome = 'cancel'
  await expect(run(page.buy(1))).rejects.toMatchObject({ code: 'AUTH_CANCELLED' })
  expect(page.ran).toBe(2)
})

test('mustAuth decorates methods, in both dialects', async () => {
  class Legacy {
    name = 'legacy'
    async buy() { return this.name }
  }
  const d = c.mustAuth.method(['USER'])
  Object.defineProperty(Legacy.prototype, 'buy', d(Legacy.prototype, 'buy', Object.getOwnPropertyDescriptor(Legacy.prototype, 'buy')))
  expect(await run(new Legacy().buy())).toBe('legacy')
  const standard = c.mustAuth.method(['PHONE'])(function (this: { name: string }) { return this.name }, { kind: 'method', name: 'buy' })
  expect(await run(standard.call({ name: 'standard' }))).toBe('standard')
  expect(asked).toEqual([['USER'], ['PHONE']])
})

test('a page without a popup is told so', async () => {
  vi.stubGlobal('getCurrentPages', () => [{ route: 'pages/shop/shop', selectComponent: () => null }])
  const plain = createClient({ endpoint: 'https://x.example/graphql' })
  await expect(run(plain.mustAuth(['USER']))).rejects.toMatchObject({ code: 'AUTH_POPUP_MISSING', message: expect.stringContaining('pages/shop/shop') })
})

test('errors are worded for people in two languages, and the words can be replaced', () => {
  const e = new WxpassError('PHONE_ALREADY_BOUND', 'x')
  expect(messageFor(e)).toBe('该手机号已绑定其他账号')
  expect(messageFor(e, 'en')).toBe('Another account has this phone number.')
  expect(messageFor(e, 'zh', { PHONE_ALREADY_BOUND: '换一个号码' })).toBe('换一个号码')
  expect(messageFor(new TypeError('x'))).toBe('服务出了点问题，请稍后再试')
  expect(e).toBeInstanceOf(WxpassError)
})
