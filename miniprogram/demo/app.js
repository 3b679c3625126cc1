const client = require('./client')

App({
  onLaunch() {
    // not awaited: pages wait for it, by status or by their first request
    client.ensureLogin().catch((e) => console.warn('login', e.code, e.message))
  },
})
