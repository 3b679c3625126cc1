import { WxpassError, type Code, type GraphQLErrorItem } from './errors'
import type { Doc } from './sdk'

/** An answer of the server, whatever its HTTP status. */
export interface Answer<R> {
  data: R | null
  errors: ReadonlyArray<GraphQLErrorItem>
}

export interface Transport {
  endpoint: string
  /** How long to wait for an answer, in milliseconds. */
  timeout: number
  /** Headers to send besides our own. */
  header: () => Record<string, string>
}

const ACCEPT = 'application/graphql-response+json, application/json;q=0.9'

/**
 * Sends one document once; nothing else calls wx.request. Rejects with NETWORK, TIMEOUT or BAD_ANSWER when the server
 * was not heard; what the server refused is in the answer.
 */
export function send<R, V>(transport: Transport, doc: Doc<R, V>, variables: V | undefined, token: string | undefined): Promise<Answer<R>> {
  const header: Record<string, string> = { ...transport.header(), 'content-type': 'application/json', accept: ACCEPT }
  if (token) header.authorization = `Bearer ${token}`
  return new Promise((resolve, reject) => {
    wx.request({
      url: transport.endpoint,
      method: 'POST',
      timeout: transport.timeout,
      header,
      data: JSON.stringify({ query: doc, variables }),
      success: (res) => {
        try {
          resolve(read<R>(res.data, res.statusCode))
        } catch (e) {
          reject(e)
        }
      },
      fail: (e) => reject(transportError(e)),
    })
  })
}

/** Reads an answer; wx.request succeeds for every HTTP status, and hands over text when it is not JSON. */
export function read<R>(body: unknown, statusCode: number): Answer<R> {
  let value = body
  if (typeof value === 'string') {
    try {
      value = JSON.parse(value)
    } catch {
      value = undefined
    }
  }
  const answer = value as { data?: R | null; errors?: GraphQLErrorItem[] } | null | undefined
  const errors = answer && Array.isArray(answer.errors) ? answer.errors : []
  if (errors.length === 0 && (typeof answer !== 'object' || answer === null || !answer.data)) {
    throw new WxpassError('BAD_ANSWER', `HTTP ${statusCode} with a body that is not a GraphQL answer`)
  }
  return { data: answer?.data ?? null, errors }
}

/** What a `fail` of wx.request or wx.uploadFile means. */
export function transportError(e: { errMsg?: string }): WxpassError {
  const text = e.errMsg ?? 'request:fail'
  return new WxpassError(/time(d )?-?\s?out/i.test(text) ? 'TIMEOUT' : 'NETWORK', text)
}

/** The error of an answer, or undefined when there is none. */
export function errorOf(answer: Answer<unknown>): WxpassError | undefined {
  const first = answer.errors[0]
  if (!first) return undefined
  return new WxpassError((first.extensions?.code ?? 'INTERNAL') as Code, first.message, answer.errors, answer.data ?? undefined)
}

/** Whether a document only reads. One that is not plainly a query counts as a mutation. */
export function onlyReads(doc: string): boolean {
  return /^\s*(query\b|\{)/.test(doc) && !/[}\s]mutation\b/.test(doc)
}

/**
 * Whether the answer says that nothing of the document ran because of `code`: each root field was refused with it. Such
 * a request may be repeated even when it is a mutation.
 */
export function nothingRan(answer: Answer<unknown>, code: Code): boolean {
  const data = answer.data as Record<string, unknown> | null
  return (
    answer.errors.length > 0 &&
    answer.errors.every((e) => e.extensions?.code === code && (e.path?.length ?? 0) <= 1) &&
    (data === null || Object.keys(data).every((k) => data[k] === null))
  )
}
