const { createClient } = require('wxpass-miniprogram')

globalThis.client = createClient({ endpoint: location.origin + '/graphql' })
globalThis.events = []

App({
  onLaunch() {
    globalThis.client.ensureLogin()
  },
})
