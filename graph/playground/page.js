// GraphiQL, which remembers the token of the last login and sends it along.
'use strict'
;(() => {
  // The tabs a first visit opens: a comment no wider than the editor, then operations. The first one names the tab.
  const tabs = [
    // login
    `# Press ▶ and choose Login, then ▶ and Me.
# The playground remembers the token for you.
# 点 ▶ 选 Login，再点 ▶ 选 Me。
# 令牌由本页自动记住，无需手动填写。

mutation Login {
  silentLogin(input: {code: "sim-alice"}) {
    token
    expiresAt
    isNewUser
    user {
      id
      displayName
    }
  }
}

query Me {
  me {
    id
    displayName
    points
    createdAt
  }
}
`,
    // profile
    `# Log in first. A profile is what the user fills in.
# The step USER is passed once there is a nickname.
# 先登录。资料由用户自己填写，有昵称即完成 USER 步骤。

mutation Profile {
  authorizeProfile(input: {nickname: "小明"}) {
    user {
      displayName
      avatarUrl
      steps
    }
  }
}
`,
    // phone
    `# The phone code sim-+86… always yields that number.
# 手机号 code 写 sim-+86… 即得到该号码。

mutation Phone {
  bindPhone(input: {code: "sim-+8613800138000"}) {
    user {
      maskedPhone
      phone
      steps
    }
  }
}

mutation GiveUp {
  unbindPhone {
    user {
      steps
    }
  }
}
`,
    // order
    `# Needs profile and phone. Run Products, copy an id,
# then Buy. A new order needs a new idempotencyKey.
# 需要资料和手机号。先运行 Products，复制一个 id 再 Buy。

query Products {
  products {
    edges {
      node {
        id
        title
        priceFen
      }
    }
  }
}

mutation Buy($productId: ID!) {
  createOrder(input: {idempotencyKey: "order-1", items: [{productId: $productId, quantity: 1}]}) {
    order {
      orderNo
      totalFen
      status
    }
  }
}

query Orders {
  myOrders {
    edges {
      node {
        orderNo
        status
        totalFen
        items {
          title
          quantity
        }
      }
    }
  }
}
`,
    // sessions
    `# Every login makes a session. Log in a few times,
# then list, renew or end them here.
# 每次登录都会建立一个会话。多登录几次，
# 再到这里查看、续期或结束其他会话。

query Sessions {
  mySessions {
    id
    appId
    current
    createdAt
    expiresAt
  }
}

mutation Renew {
  renewSession {
    token
    expiresAt
  }
}

mutation EndOthers {
  logout(input: {scope: OTHERS}) {
    endedSessions
  }
}
`,
  ]

  const place = document.getElementById('graphiql')
  const { React, ReactDOM, GraphiQL } = window
  if (!React || !ReactDOM || !GraphiQL) {
    place.classList.add('did-fail')
    return
  }
  window.__webpack_nonce__ = document.currentScript.nonce // GraphiQL's dialogs make a <style>, and read its nonce here

  // account is who the playground acts for. It is replaced, never changed, and lives as long as the browser tab.
  const tokenKey = 'wxpass.token'
  let account = { token: sessionStorage.getItem(tokenKey), name: null }
  const watchers = new Set()
  const setAccount = (token, name) => {
    account = { token, name }
    if (token) sessionStorage.setItem(tokenKey, token)
    else sessionStorage.removeItem(tokenKey)
    for (const tell of watchers) tell()
  }

  // post sends one operation with the token, unless headers say who asks, and learns from the answer.
  const post = async (operation, given) => {
    const headers = new Headers(given)
    const { token } = account
    const lent = token && !headers.has('authorization')
    if (lent) headers.set('authorization', `Bearer ${token}`)
    if (!headers.has('accept')) headers.set('accept', 'application/graphql-response+json, application/json;q=0.9')
    headers.set('content-type', 'application/json')
    const response = await fetch(place.dataset.endpoint, { method: 'POST', headers, body: JSON.stringify(operation) })
    const text = await response.text()
    let answer
    try {
      answer = JSON.parse(text)
    } catch {
      throw new Error(`The server answered ${response.status}, and not with JSON.`)
    }
    const granted = Object.values(answer.data ?? {}).map((field) => field?.token).findLast((t) => typeof t === 'string')
    const refused = answer.errors?.some((error) => error.extensions?.code === 'UNAUTHENTICATED')
    if (granted) setAccount(granted, account.name)
    else if (refused && lent && token === account.token) setAccount(null, null)
    return answer
  }

  // learnName asks the server who the token belongs to.
  const learnName = async () => {
    const { token } = account
    if (!token) return
    const answer = await post({ query: '{ me { displayName } }' }).catch(() => null)
    if (answer?.data?.me && token === account.token) setAccount(token, answer.data.me.displayName)
  }

  const fetcher = async (operation, { headers, documentAST } = {}) => {
    const before = account.token
    const answer = await post(operation, headers)
    const { operationName: name } = operation
    const mutates = documentAST?.definitions.some((d) => d.operation === 'mutation' && (!name || d.name?.value === name))
    if (mutates || account.token !== before) learnName() // a mutation may have renamed the user, or ended the session
    return answer
  }

  const Account = () => {
    const watch = React.useCallback((tell) => (watchers.add(tell), () => watchers.delete(tell)), [])
    const { token, name } = React.useSyncExternalStore(watch, () => account)
    const text = !token ? 'not logged in · 未登录' : name ? `logged in as ${name}` : 'logged in · 已登录'
    const e = React.createElement
    return e('div', { className: 'account' },
      e('div', { className: token ? 'who in' : 'who', role: 'status' }, e('span', { className: 'dot' }), e('span', { title: text }, text)),
      token && e('button', { type: 'button', title: 'forgets the token, in this tab · 忘记本页的令牌', onClick: () => setAccount(null, null) }, 'log out · 退出'),
      e('strong', null, 'wxpass'))
  }

  // Other servers a developer runs on this port may have a GraphiQL too: ours keeps its tabs under names of its own.
  const mine = () => Object.keys(localStorage).filter((key) => key.startsWith('wxpass.'))
  const storage = {
    getItem: (key) => localStorage.getItem('wxpass.' + key),
    setItem: (key, value) => localStorage.setItem('wxpass.' + key, value),
    removeItem: (key) => localStorage.removeItem('wxpass.' + key),
    clear: () => mine().forEach((key) => localStorage.removeItem(key)),
    get length() { return mine().length },
  }

  ReactDOM.createRoot(place).render(
    React.createElement(GraphiQL, { fetcher, storage, defaultTabs: tabs.map((query) => ({ query })) },
      React.createElement(GraphiQL.Logo, null, React.createElement(Account))))
  learnName()
})()
