import { WxpassError } from './errors'
import type { AuthStep } from './sdk'
import type { Session } from './session'
import { Status } from './status'

/** Shows what asks the user for the steps; resolves when they are passed, rejects when the user will not. */
export type Present = (steps: AuthStep[]) => Promise<void>

type Handler = (this: any, ...args: any[]) => any

export interface MustAuth {
  /** Resolves when the user has passed the steps: at once when they are passed, else with the popup. */
  (steps: AuthStep[]): Promise<void>
  /** The handler, run only after the steps: `Page({ buy: mustAuth(['PHONE'], function (e) { … }) })`. */
  <F extends Handler>(steps: AuthStep[], handler: F): (this: ThisParameterType<F>, ...args: Parameters<F>) => Promise<Awaited<ReturnType<F>>>
  /** The same as a decorator of methods, in TypeScript's and in the standard's dialect. */
  method(steps: AuthStep[]): (target: any, context?: any, descriptor?: PropertyDescriptor) => any
}

/** Asks for steps, once however many want them. */
export class Auth {
  /** Where the asking has got to. */
  readonly status = new Status<ReadonlyArray<AuthStep>>()
  readonly mustAuth: MustAuth
  private asking: Promise<void> | undefined

  constructor(
    private readonly session: Session,
    private readonly refresh: () => Promise<unknown>,
    private readonly present: Present,
  ) {
    const wrap = (steps: AuthStep[], handler: Handler) => {
      const auth = this
      return async function (this: unknown, ...args: unknown[]) {
        await auth.pass(steps)
        return handler.apply(this, args)
      }
    }
    this.mustAuth = Object.assign((steps: AuthStep[], handler?: Handler) => (handler ? wrap(steps, handler) : this.pass(steps)), {
      method: (steps: AuthStep[]) => (target: any, _context?: unknown, descriptor?: PropertyDescriptor) =>
        descriptor ? { ...descriptor, value: wrap(steps, descriptor.value) } : wrap(steps, target),
    }) as MustAuth
  }

  missing(steps: ReadonlyArray<AuthStep>): AuthStep[] {
    return steps.filter((s) => !this.session.steps.includes(s))
  }

  /** Asks for the steps; who comes while the user is being asked waits for that answer first. */
  async ask(steps: ReadonlyArray<AuthStep>): Promise<void> {
    while (this.missing(steps).length > 0) {
      const joined = this.asking
      await (joined ?? this.open(this.missing(steps)))
      if (!joined && this.missing(steps).length > 0) {
        throw new WxpassError('AUTH_STEP_REQUIRED', `the popup ended without ${this.missing(steps).join(', ')}`)
      }
    }
  }

  private async pass(steps: AuthStep[]): Promise<void> {
    await this.session.ensureLogin()
    if (this.missing(steps).length === 0) return
    if (!this.asking) await this.refresh() // it may have been done elsewhere
    await this.ask(steps)
  }

  private open(steps: AuthStep[]): Promise<void> {
    const asking = this.present(steps)
    this.asking = asking
    this.status.begin()
    const over = () => {
      if (this.asking === asking) this.asking = undefined
    }
    asking.then(
      () => {
        over()
        this.status.success(this.session.steps)
      },
      (e) => {
        over()
        this.status.fail(e)
      },
    )
    return asking
  }
}

/** Opens the `<auth-popup id="auth-popup" />` of the page on top. */
export function presentPopup(id: string): Present {
  return (steps) => {
    const pages = getCurrentPages()
    const page = pages[pages.length - 1]
    const popup = page?.selectComponent(`#${id}`) as { ask?: Present } | null | undefined
    if (!popup?.ask) {
      return Promise.reject(new WxpassError('AUTH_POPUP_MISSING', `${page?.route ?? 'no page'} has no <auth-popup id="${id}" />`))
    }
    return popup.ask(steps)
  }
}
