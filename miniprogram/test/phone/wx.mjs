// A `wx` that talks to a real server. The open-type answers come from window.__wx, so a test can choose them.
const conf = (globalThis.__wx = Object.assign({ log: [], endpoint: '', code: () => 'dev-' + Math.random().toString(36).slice(2, 10), phone: { errMsg: 'getPhoneNumber:ok', code: 'dev-phone-code' }, avatarUrl: 'data:image/svg+xml,' + encodeURIComponent('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 10 10"><rect width="10" height="10" fill="#07c160"/></svg>'), sessionOk: true }, globalThis.__wx))

export const openTypes = {
  getPhoneNumber: (emit) => emit('getphonenumber', conf.phone),
  chooseAvatar: (emit) => emit('chooseavatar', { avatarUrl: conf.avatarUrl }),
}
// the demo calls `make run`; the page's own server stands for it
const here = (url) => url.replace('http://127.0.0.1:8080', location.origin)
const done = (o, ok, res) => { (ok ? o.success : o.fail)?.(res); o.complete?.(res) }
const P = (f) => (o = {}) => (o.success || o.fail || o.complete ? f(o) : new Promise((success, fail) => f({ ...o, success, fail })))

export function installWx({ open, back }) {
  const store = localStorage
  globalThis.wx = {
    login: P((o) => setTimeout(() => { conf.log.push('login'); done(o, true, { code: conf.code(), errMsg: 'login:ok' }) }, 10)),
    checkSession: P((o) => setTimeout(() => done(o, conf.sessionOk, { errMsg: conf.sessionOk ? 'checkSession:ok' : 'checkSession:fail' }), 5)),
    request(o) {
      const c = new AbortController()
      const timer = o.timeout && setTimeout(() => c.abort('timeout'), o.timeout)
      const field = /\{(\w+)/.exec(o.data || '')
      conf.log.push(field ? field[1] : o.url)
      fetch(here(o.url), { method: o.method || 'GET', headers: o.header, body: o.data === undefined || o.method === 'GET' ? undefined : typeof o.data === 'string' ? o.data : JSON.stringify(o.data), signal: c.signal })
        .then(async (r) => {
          const t = await r.text()
          let data = t
          if (o.dataType === undefined || o.dataType === 'json') { try { data = JSON.parse(t) } catch { /* keep text */ } }
          done(o, true, { statusCode: r.status, header: Object.fromEntries(r.headers), data, errMsg: 'request:ok' })
        })
        .catch((e) => done(o, false, { errMsg: 'request:fail ' + (c.signal.aborted ? c.signal.reason : e.message), errno: 600001 }))
        .finally(() => clearTimeout(timer))
      return { abort: () => c.abort('abort') }
    },
    // one file part, as wx.uploadFile sends it; the picture is a data: URL in place of a path
    uploadFile(o) {
      conf.log.push('upload')
      const bytes = (s) => Uint8Array.from(s, (c) => c.charCodeAt(0))
      const parts = [bytes('--wxpass\r\nContent-Disposition: form-data; name="' + o.name + '"; filename="a.png"\r\nContent-Type: image/png\r\n\r\n'), bytes(atob(o.filePath.split(',')[1])), bytes('\r\n--wxpass--\r\n')]
      const body = new Uint8Array(parts.reduce((n, p) => n + p.length, 0))
      parts.reduce((at, p) => (body.set(p, at), at + p.length), 0)
      fetch(here(o.url), { method: 'POST', headers: { ...o.header, 'content-type': 'multipart/form-data; boundary=wxpass' }, body })
        .then(async (r) => done(o, true, { statusCode: r.status, data: await r.text(), errMsg: 'uploadFile:ok' }))
        .catch((e) => done(o, false, { errMsg: 'uploadFile:fail ' + e.message }))
    },
    getStorageSync: (k) => { const v = store.getItem('mp:' + k); return v === null ? '' : JSON.parse(v) },
    setStorageSync: (k, v) => store.setItem('mp:' + k, JSON.stringify(v)),
    removeStorageSync: (k) => store.removeItem('mp:' + k),
    navigateTo: P((o) => { open(o.url); done(o, true, { errMsg: 'navigateTo:ok' }) }),
    redirectTo: P((o) => { open(o.url, { replace: true }); done(o, true, { errMsg: 'redirectTo:ok' }) }),
    navigateBack: P((o) => { back(); done(o, true, { errMsg: 'navigateBack:ok' }) }),
    showToast: P((o) => { conf.log.push('toast ' + o.title); done(o, true, { errMsg: 'showToast:ok' }) }),
    nextTick: (f) => Promise.resolve().then(f),
    canIUse: () => true,
    getSystemInfoSync: () => ({ SDKVersion: '3.8.0', platform: 'devtools', windowWidth: innerWidth, windowHeight: innerHeight, pixelRatio: devicePixelRatio, statusBarHeight: 0 }),
    getAppBaseInfo: () => ({ SDKVersion: '3.8.0', version: '8.0.50', theme: 'light' }),
    getWindowInfo: () => ({ windowWidth: innerWidth, windowHeight: innerHeight, pixelRatio: devicePixelRatio, statusBarHeight: 0 }),
    getDeviceInfo: () => ({ platform: 'devtools', system: 'Linux' }),
    getAccountInfoSync: () => ({ miniProgram: { appId: 'wxdev', envVersion: 'develop', version: '' } }),
  }
}
