const client = require('../../client')

Page({
  data: { user: null, message: '' },

  onLoad() {
    // answered now when onLaunch is done already, else when it is
    this.offs = [client.status.login.onceSuccess(() => this.load()), client.status.login.onceFail((e) => this.tell(e))]
  },

  onShow() {
    if (client.user) this.setData({ user: client.user })
  },

  onUnload() {
    this.offs.forEach((off) => off())
  },

  async load() {
    try {
      const { me } = await client.sdk.me()
      this.setData({ user: me, message: '' })
    } catch (e) {
      this.tell(e)
    }
  },

  fillProfile() {
    return this.pass(['USER'])
  },

  bindPhone() {
    return this.pass(['PHONE'])
  },

  async pass(steps) {
    this.setData({ message: '' })
    try {
      await client.mustAuth(steps)
      this.setData({ user: client.user })
    } catch (e) {
      this.tell(e)
    }
  },

  async logout() {
    try {
      await client.logout()
      this.setData({ user: null, message: '已退出' })
    } catch (e) {
      this.tell(e)
    }
  },

  toShop() {
    wx.navigateTo({ url: '/pages/shop/shop' })
  },

  toOrders() {
    wx.navigateTo({ url: '/pages/orders/orders' })
  },

  tell(e) {
    this.setData({ message: client.messageFor(e) })
  },
})
