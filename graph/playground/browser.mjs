// Drives the playground of a running server in headless Chromium, with every host but this machine unreachable:
//   node browser.mjs http://127.0.0.1:8080 [FOLDER FOR SCREENSHOTS]
// It walks through the tabs as a newcomer would, and fails on a wrong answer, an error in the console or a blocked request.
import fs from 'node:fs'
import path from 'node:path'
import { chromium } from 'playwright-core'

const [url, shots] = process.argv.slice(2)
const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(fs.existsSync)
if (!executablePath) {
  console.error('no Chromium found: install it, or name it in CHROMIUM')
  process.exit(1)
}
const browser = await chromium.launch({
  executablePath,
  args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'],
})
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
const faults = []
page.on('pageerror', (e) => faults.push(e.message))
page.on('console', (m) => m.type() === 'error' && faults.push(m.text()))
page.on('requestfailed', (r) => faults.push(`${r.url()} failed`))
page.setDefaultTimeout(15000)

// run presses play, chooses an operation where there are several, and waits for an answer that holds want.
const run = async (operation, want) => {
  await page.click('.graphiql-execute-button')
  const choice = page.getByRole('menuitem', { name: operation, exact: true })
  if (await choice.waitFor({ timeout: 1000 }).then(() => true, () => false)) await choice.click()
  await page.waitForFunction((text) => document.querySelector('.result-window')?.innerText.includes(text), want)
  if (shots) await page.screenshot({ path: path.join(shots, `${operation}.png`) })
  console.log('ok', operation)
}
// tab goes to another tab, and gives GraphiQL the moment it takes to see which operations there are.
const tab = async (name) => {
  await page.locator('.graphiql-tab-button', { hasText: name }).click()
  await page.waitForTimeout(1500)
}

try {
  await page.goto(url)
  await page.waitForSelector('.graphiql-execute-button')
  await tab('login')
  await run('Login', '"token"')
  await run('Me', '"displayName"')
  await page.getByText('logged in as').waitFor()
  await tab('Profile')
  await run('Profile', '"USER"')
  await tab('Phone')
  await run('Phone', '"+8613800138000"')
  await tab('Products')
  await run('Products', '"priceFen"')
  await run('Orders', '"myOrders"')
  await tab('Sessions')
  await run('Sessions', '"current": true')
} catch (fault) {
  faults.push(String(fault), await page.locator('.result-window').innerText())
}
await browser.close()
for (const fault of faults) console.error('not ok', fault)
process.exit(faults.length ? 1 : 0)
