// The components, in jsdom, against the true server. What a phone's buttons answer is chosen by each test.
import fs from 'node:fs'
import path from 'node:path'
import { JSDOM } from 'jsdom'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { buildPage } from '../phone/build.mjs'
import { picture, startWorld } from '../phone/server.mjs'

const root = path.resolve(import.meta.dirname, '../..')
const page = path.join(root, `.browser/page-jsdom-${process.pid}`)
let world
let script
let dom

beforeAll(async () => {
  await buildPage(path.join(root, 'test/components/app'), page)
  script = fs.readFileSync(path.join(page, 'app.js'), 'utf8')
  world = await startWorld(page)
})
afterAll(async () => {
  await world?.stop()
  fs.rmSync(page, { recursive: true, force: true })
})
afterEach(() => dom.window.close())

/** Starts the Mini Program as a user of that name; a new user has passed no step. */
async function launch(name, phone) {
  dom = new JSDOM('<!doctype html><html><body></body></html>', { url: world.url + '/', runScripts: 'outside-only', pretendToBeVisual: true })
  const w = dom.window
  w.fetch = fetch
  w.Uint8Array = Uint8Array
  w.AbortController = AbortController
  w.__wx = { code: () => `sim-${name}`, avatarUrl: picture(), phone: { errMsg: 'getPhoneNumber:ok', code: `sim-${phone}` } }
  w.eval(script)
  await vi.waitFor(() => expect(w.client.status.login.state).toBe('success'))
  const find = (text, tag = '*') => [...w.document.querySelectorAll(tag)].reverse().find((e) => e.textContent.includes(text))
  return {
    w,
    events: w.events,
    log: (field) => w.__wx.log.filter((l) => l === field).length,
    async sees(text) {
      await vi.waitFor(() => expect(w.document.body.textContent).toContain(text), { timeout: 5000 })
    },
    tap(target) {
      const el = typeof target === 'string' ? find(target, 'wx-button') ?? find(target, 'wx-view') : target
      expect(el, String(target)).toBeTruthy()
      for (const type of ['mousedown', 'mouseup']) el.dispatchEvent(new w.MouseEvent(type, { bubbles: true, composed: true }))
    },
    async type(value) {
      await vi.waitFor(() => expect(w.document.querySelector('input[name=nickname]')).toBeTruthy())
      const el = w.document.querySelector('input[name=nickname]')
      el.value = value
      el.dispatchEvent(new w.Event('input', { bubbles: true }))
    },
    avatarButton: () => w.document.querySelector('wx-button[open-type=chooseAvatar]'),
    /** How a promise of the Mini Program ended. */
    settled: (promise) => promise.then(() => 'resolved', (e) => e.code),
  }
}

test('auth-popup asks for one step after the other, and mustAuth resolves with the last', async () => {
  const t = await launch('flow', '+8613800138001')
  const done = t.settled(t.w.client.mustAuth(['USER', 'PHONE']))
  await t.sees('完善资料')
  t.tap(t.avatarButton())
  await t.type('小明')
  t.tap('保存')
  await t.sees('绑定手机号')
  t.tap('手机号快捷登录')
  expect(await done).toBe('resolved')
  expect([...t.w.client.user.steps]).toEqual(['USER', 'PHONE'])
  expect(t.w.client.user).toMatchObject({ nickname: '小明', maskedPhone: '+86138****8001' })
  expect(t.w.client.user.avatarUrl).toMatch(/\/avatars\/.+\.jpg$/)
  expect(t.events.map((e) => e.type)).toEqual(['open', 'step', 'step', 'complete', 'close'])
  expect([t.log('upload'), t.log('authorizeProfile'), t.log('bindPhone'), t.log('login')]).toEqual([1, 1, 1, 1])
  expect(await t.settled(t.w.client.mustAuth(['USER', 'PHONE']))).toBe('resolved') // at once, with no popup
  expect(t.events).toHaveLength(5)
})

test('closing the sheet rejects, by its button and beside it', async () => {
  const t = await launch('cancel', '+8613800138002')
  let done = t.settled(t.w.client.mustAuth(['PHONE']))
  await t.sees('暂不授权')
  t.tap('暂不授权')
  expect(await done).toBe('AUTH_CANCELLED')
  done = t.settled(t.w.client.mustAuth(['PHONE']))
  await t.sees('暂不授权')
  t.tap(t.w.document.querySelector('[class*="--mask"]'))
  expect(await done).toBe('AUTH_CANCELLED')
  expect(t.events.filter((e) => e.type === 'close').map((e) => e.detail.completed)).toEqual([false, false])
})

test('leaving the page rejects too', async () => {
  const t = await launch('leave', '+8613800138003')
  t.w.wx.navigateTo({ url: '/page' })
  const done = t.settled(t.w.client.mustAuth(['PHONE']))
  await t.sees('暂不授权')
  t.w.wx.navigateBack()
  expect(await done).toBe('AUTH_CANCELLED')
})

test.each([
  ['a denial', '+8613800138011', { errMsg: 'getPhoneNumber:fail user deny' }, 'PHONE_DENIED', '需要手机号才能继续'],
  ['a used-up quota', '+8613800138012', { errMsg: 'getPhoneNumber:fail', errno: 1400001 }, 'PHONE_QUOTA_EXHAUSTED', '手机号服务暂不可用'],
  ['a refused privacy notice', '+8613800138013', { errMsg: 'getPhoneNumber:fail privacy permission is not authorized', errno: 104 }, 'PRIVACY_REFUSED', '请先同意隐私保护指引'],
])('phone-container tells %s, sends nothing, and the user can tap again', async (_, number, answer, code, words) => {
  const t = await launch(`phone-${number.slice(-2)}`, number)
  const done = t.settled(t.w.client.mustAuth(['PHONE']))
  await t.sees('手机号快捷登录')
  const given = t.w.__wx.phone
  t.w.__wx.phone = answer
  t.tap('手机号快捷登录')
  await t.sees(words)
  expect(t.events.at(-1)).toMatchObject({ type: 'denied', detail: { step: 'PHONE', message: expect.stringContaining(words) } })
  expect(t.events.at(-1).detail.error.code).toBe(code)
  expect(t.log('bindPhone')).toBe(0)
  t.w.__wx.phone = given
  t.tap('手机号快捷登录')
  expect(await done).toBe('resolved')
})

test('a number another account has is told, and does not close the sheet', async () => {
  const first = await launch('owner', '+8613800138004')
  const owned = first.settled(first.w.client.mustAuth(['PHONE']))
  await first.sees('手机号快捷登录')
  first.tap('手机号快捷登录')
  expect(await owned).toBe('resolved')
  dom.window.close()
  const t = await launch('second', '+8613800138004')
  const done = t.settled(t.w.client.mustAuth(['PHONE']))
  await t.sees('手机号快捷登录')
  t.tap('手机号快捷登录')
  await t.sees('该手机号已绑定其他账号')
  expect(t.events.at(-1).type).toBe('fail')
  t.tap('暂不授权')
  expect(await done).toBe('AUTH_CANCELLED')
})

test('user-container wants a name, tells what the server refuses, and keeps what was filled in', async () => {
  const t = await launch('name', '+8613800138005')
  const done = t.settled(t.w.client.mustAuth(['USER']))
  await t.sees('完善资料')
  t.tap('保存')
  await t.sees('请填写昵称')
  expect(t.log('authorizeProfile')).toBe(0)
  await t.type('两\u0007个')
  t.tap('保存')
  await t.sees('填写的内容有误')
  await t.type('小红')
  t.tap('保存')
  expect(await done).toBe('resolved')
  expect(t.w.client.user.nickname).toBe('小红')
})

test('a token revoked while the sheet is open costs one re-login and no tap', async () => {
  const t = await launch('revoked', '+8613800138006')
  const done = t.settled(t.w.client.mustAuth(['USER', 'PHONE']))
  await t.sees('完善资料')
  await world.revoke()
  t.tap(t.avatarButton())
  await t.type('小李')
  t.tap('保存')
  await t.sees('绑定手机号')
  t.tap('手机号快捷登录')
  expect(await done).toBe('resolved')
  expect([t.log('login'), t.log('silentLogin'), t.log('authorizeProfile')]).toEqual([2, 2, 1]) // the upload met the refusal
})

test('twenty orders with a revoked token are one re-login, twenty answers and one order', async () => {
  const t = await launch('buyer', '+8613800138007')
  const done = t.settled(t.w.client.mustAuth(['USER', 'PHONE']))
  await t.sees('完善资料')
  await t.type('小张')
  t.tap('保存')
  await t.sees('手机号快捷登录')
  t.tap('手机号快捷登录')
  expect(await done).toBe('resolved')
  const { sdk } = t.w.client
  const product = (await sdk.products({}, { login: false })).products.edges[0].node
  await world.revoke()
  const input = { idempotencyKey: 'one', items: [{ productId: product.id, quantity: 1 }] }
  const answers = await Promise.all(Array.from({ length: 20 }, () => sdk.createOrder({ input })))
  expect(new Set(answers.map((a) => a.createOrder.order.orderNo)).size).toBe(1)
  expect((await sdk.myOrders({})).myOrders.edges).toHaveLength(1)
  expect([t.log('login'), t.log('silentLogin')]).toEqual([2, 2])
})
