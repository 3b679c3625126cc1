// The demo in headless Chromium against the true server: the whole story, its refusals, and pictures of each step.
//   node test/browser/run.mjs [FOLDER FOR THE PICTURES]
import assert from 'node:assert/strict'
import fs from 'node:fs'
import path from 'node:path'
import { chromium } from 'playwright-core'
import { buildPage } from '../phone/build.mjs'
import { picture, startWorld } from '../phone/server.mjs'

const root = path.resolve(import.meta.dirname, '../..')
const shots = path.resolve(process.argv[2] ?? path.join(root, '.browser/shots'))
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((p) => fs.existsSync(p))
if (!executablePath) {
  console.error('*** no Chromium found: the demo was NOT tested in a browser. Set CHROMIUM.')
  process.exit(process.env.CI ? 1 : 0)
}

const page = path.join(root, `.browser/page-${process.pid}`)
await buildPage(path.join(root, 'demo'), page)
fs.rmSync(shots, { recursive: true, force: true })
fs.mkdirSync(shots, { recursive: true })
const world = await startWorld(page)
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'],
})
const context = await browser.newContext({ viewport: { width: 390, height: 720 }, deviceScaleFactor: 2 })
const p = await context.newPage()
p.setDefaultTimeout(8000)
const faults = []
p.on('pageerror', (e) => faults.push(String(e)))
p.on('request', (r) => { if (!r.url().startsWith('data:') && new URL(r.url()).hostname !== '127.0.0.1') faults.push('left the machine: ' + r.url()) })

let n = 0
const shot = async (name) => { await p.waitForTimeout(150); await p.screenshot({ path: path.join(shots, `${String(++n).padStart(2, '0')}-${name}.png`) }) }
const log = (name) => p.evaluate((f) => globalThis.__wx.log.filter((l) => l === f).length, name)
const set = (values) => p.evaluate((v) => Object.assign(globalThis.__wx, v), values)
const top = () => p.locator('wx-page:not([hidden])')
const text = (t) => top().getByText(t, { exact: false })
const button = (t) => top().locator('wx-button', { hasText: t })
const back = () => p.evaluate(() => globalThis.wx.navigateBack())

try {
  await p.addInitScript((avatarUrl) => { globalThis.__wx = { avatarUrl } }, picture())

  // launch: one login for onLaunch and the page
  await p.goto(world.url)
  await text('未绑定手机号').waitFor()
  assert.equal(await log('login'), 1)
  assert.equal(await log('silentLogin'), 1)
  await shot('launch')

  // the profile: the popup is closed, then an empty name, then avatar and name
  await button('完善').click()
  await text('完善资料').waitFor()
  await shot('profile-popup')
  await text('暂不授权').click()
  await text('已取消授权').waitFor()
  await shot('profile-cancelled')
  await button('完善').click()
  await button('保存').click()
  await text('请填写昵称').waitFor()
  await shot('profile-no-name')
  await top().locator('wx-button[open-type=chooseAvatar]').click()
  await top().locator('input[name=nickname]').fill('小明')
  await shot('profile-filled')
  await button('保存').click()
  await text('小明').waitFor()
  await top().locator('img').first().waitFor()
  assert.match(await top().locator('img').first().getAttribute('src'), /\/avatars\//)
  assert.equal(await log('upload'), 1)
  await shot('profile-done')

  // the shop: buying asks for the phone; a refusal, the quota and the privacy notice are each told, then it is given
  await button('去商店').click()
  await text('¥').first().waitFor()
  await shot('shop')
  const buy = top().locator('[class*="buy"]').first()
  await buy.click()
  await text('绑定手机号').waitFor()
  await shot('phone-popup')
  for (const [name, phone, words] of [
    ['denied', { errMsg: 'getPhoneNumber:fail user deny' }, '需要手机号才能继续'],
    ['quota', { errMsg: 'getPhoneNumber:fail jsapi has no permission', errno: 1400001 }, '手机号服务暂不可用'],
    ['privacy', { errMsg: 'getPhoneNumber:fail privacy permission is not authorized', errno: 104 }, '请先同意隐私保护指引'],
  ]) {
    await set({ phone })
    await button('手机号快捷登录').click()
    await text(words).waitFor()
    await shot(`phone-${name}`)
  }
  assert.equal(await log('bindPhone'), 0)
  assert.equal(await log('createOrder'), 0)
  await set({ phone: { errMsg: 'getPhoneNumber:ok', code: 'of-the-phone' } })
  await button('手机号快捷登录').click()
  await text('已下单').waitFor()
  assert.equal(await log('createOrder'), 1)
  await shot('bought')

  // the orders, and the token revoked while the page is open
  await button('我的订单').click()
  await text('待付款').waitFor()
  assert.equal(await top().locator('[class*="card"]').count(), 1)
  await shot('orders')
  await world.revoke()
  await button('取消').click()
  await text('已取消').waitFor()
  assert.equal(await log('login'), 2)
  assert.equal(await log('silentLogin'), 2)
  await shot('orders-after-revocation')

  // the server down: told, and well again with a tap
  await back()
  world.broken = 'down'
  await buy.click()
  await text('网络连接失败').waitFor()
  await shot('server-down')
  world.broken = undefined
  await buy.click()
  await text('已下单').waitFor()

  // a server that refuses every token: the fuse
  world.broken = 'refuse'
  for (let i = 0; i < 6; i++) {
    await buy.click()
    await p.waitForTimeout(200)
  }
  await text('登录遇到问题').waitFor()
  assert.equal(await log('silentLogin'), 2 + 2) // one of the fuse's three was used above
  await shot('fuse')
  world.broken = undefined

  // a phone withdrawn elsewhere: the request itself drives the popup
  await p.reload()
  await text('小明').waitFor()
  await fetch(world.url + '/graphql', { method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${world.tokens.at(-1)}` }, body: '{"query":"mutation { unbindPhone { user { id } } }"}' })
  await button('我的订单').click()
  await text('绑定手机号').waitFor()
  await shot('orders-ask-again')
  await button('手机号快捷登录').click()
  await text('待付款').waitFor()
  await shot('orders-again')

  assert.deepEqual(faults, [])
  console.log(`the demo in Chromium: ${n} pictures in ${path.relative(process.cwd(), shots)}`)
} catch (e) {
  await p.screenshot({ path: path.join(shots, 'failed.png') }).catch(() => {})
  console.error(e, faults, await p.evaluate(() => globalThis.__wx.log).catch(() => ''))
  process.exitCode = 1
} finally {
  await browser.close()
  await world.stop()
  fs.rmSync(page, { recursive: true, force: true })
}
