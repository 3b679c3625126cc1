const { createClient } = require('wxpass-miniprogram')

// One client for the whole Mini Program. For your own server: its endpoint, and no `simulate`.
module.exports = createClient({
  endpoint: 'http://127.0.0.1:8080/graphql',
  simulate: { login: 'sim-alice', phone: 'sim-+8613800138000' },
})
