const client = require('../../client')

const statuses = { PENDING: '待付款', PAID: '已付款', CANCELLED: '已取消' }

Page({
  data: { orders: [], loaded: false, message: '' },

  onLoad() {
    return this.load()
  },

  // myOrders needs the step PHONE: where it is missing the server says so, the popup asks, and the request is repeated
  async load() {
    try {
      const { myOrders } = await client.sdk.myOrders({ first: 20 })
      this.setData({ orders: myOrders.edges.map(({ node }) => show(node)), loaded: true, message: '' })
    } catch (e) {
      this.tell(e)
    }
  },

  async cancel(e) {
    try {
      await client.sdk.cancelOrder({ input: { orderNo: e.currentTarget.dataset.no } })
      await this.load()
    } catch (error) {
      this.tell(error)
    }
  },

  tell(e) {
    this.setData({ message: client.messageFor(e) })
  },
})

const show = (order) => ({ ...order, title: order.items.map((i) => `${i.title} × ${i.quantity}`).join('，'), total: (order.totalFen / 100).toFixed(2), statusText: statuses[order.status] || order.status })
