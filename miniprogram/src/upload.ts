import { WxpassError } from './errors'
import { errorOf, nothingRan, read, transportError, type Answer, type Transport } from './graphql'
import type { Session } from './session'

export interface Uploaded {
  avatarId: string
  url: string
}

/** Uploads a picture with wx.uploadFile. A refused token leads to one re-login and one repetition, as with requests. */
export async function upload(transport: Transport, session: Session, filePath: string): Promise<Uploaded> {
  for (let relogged = false; ; relogged = true) {
    const { token } = await session.ensureLogin()
    const answer = await put(transport, filePath, token)
    const error = errorOf(answer)
    if (!error) return answer.data as Uploaded
    if (relogged || !nothingRan(answer, 'UNAUTHENTICATED')) throw error
    await session.refused(token)
  }
}

function put(transport: Transport, filePath: string, token: string): Promise<Answer<Uploaded>> {
  return new Promise((resolve, reject) => {
    wx.uploadFile({
      url: transport.endpoint,
      filePath,
      name: 'file',
      timeout: transport.timeout,
      header: { ...transport.header(), authorization: `Bearer ${token}` },
      success: (res) => {
        try {
          resolve(readUpload(res.data, res.statusCode))
        } catch (e) {
          reject(e)
        }
      },
      fail: (e) => reject(transportError(e)),
    })
  })
}

/** wx.uploadFile hands over text. A success is {avatarId, url}, a refusal looks like one of GraphQL. */
function readUpload(text: string, statusCode: number): Answer<Uploaded> {
  let body: Partial<Uploaded> = {}
  try {
    body = JSON.parse(text) as Partial<Uploaded>
  } catch {
    throw new WxpassError('BAD_ANSWER', `HTTP ${statusCode} to an upload`)
  }
  if (body.avatarId && body.url) return { data: { avatarId: body.avatarId, url: body.url }, errors: [] }
  return read<Uploaded>(body, statusCode)
}
