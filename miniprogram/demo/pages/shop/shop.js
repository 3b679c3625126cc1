const { newIdempotencyKey } = require('wxpass-miniprogram')
const client = require('../../client')

Page({
  data: { products: [], message: '', buying: '' },

  async onLoad() {
    try {
      const { products } = await client.sdk.products({ first: 20 }, { login: false })
      this.setData({ products: products.edges.map(({ node }) => ({ ...node, price: yuan(node.priceFen) })) })
    } catch (e) {
      this.tell(e)
    }
  },

  async buy(e) {
    const { id } = e.currentTarget.dataset
    if (this.data.buying) return
    this.setData({ buying: id, message: '' })
    try {
      await client.mustAuth(['USER', 'PHONE'])
      const { createOrder } = await client.sdk.createOrder({
        input: { idempotencyKey: newIdempotencyKey(), items: [{ productId: id, quantity: 1 }] },
      })
      this.setData({ message: `已下单：${createOrder.order.orderNo}` })
    } catch (error) {
      this.tell(error)
    } finally {
      this.setData({ buying: '' })
    }
  },

  toOrders() {
    wx.navigateTo({ url: '/pages/orders/orders' })
  },

  tell(e) {
    this.setData({ message: client.messageFor(e) })
  },
})

const yuan = (fen) => (fen / 100).toFixed(2)
